#!/usr/bin/env bash
# Builds, tests, packs: ./build.sh [--target=Test] [...]. Needs the .NET SDK and nothing else; see docs/building.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# The SDK wants a home folder for its caches; minimal accounts have none.
if [ -z "${HOME:-}" ]; then
  export HOME="$PWD/artifacts/home"
  mkdir -p "$HOME"
fi
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1

summary=artifacts/summary.txt
rm -f "$summary"
dotnet tool restore >/dev/null
status=0
dotnet cake build.cake "$@" || status=$?
# Test results close the output, after the build tool's own report.
if [ -f "$summary" ]; then
  cat "$summary"
fi
exit "$status"

# Builds, tests, packs: ./build.ps1 [--target=Test] [...]. Needs the .NET SDK and nothing else; see docs/building.md.
$ErrorActionPreference = 'Stop'
Set-Location $PSScriptRoot
$env:DOTNET_NOLOGO = '1'
$env:DOTNET_CLI_TELEMETRY_OPTOUT = '1'

$summary = 'artifacts/summary.txt'
Remove-Item $summary -ErrorAction SilentlyContinue
dotnet tool restore | Out-Null
if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
dotnet cake build.cake @args
$status = $LASTEXITCODE
# Test results close the output, after the build tool's own report.
if (Test-Path $summary) { Get-Content $summary }
exit $status

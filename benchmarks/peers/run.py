#!/usr/bin/env python3
"""Times other libraries beside OT: the same input files, the same stopping rule, one run, one table.

    python3 benchmarks/peers/run.py --ot PATH-TO-OT [--rows sinkhorn,batch,exact,line,sliced] [--short] [--repeats 5]

Needs numpy over OpenBLAS or MKL, scipy and POT in the Python that runs it, and a Release build of benchmarks/OT.Benchmarks. Writes peers.md and peers.csv to
benchmarks/results/<machine>/.
"""

import argparse
import csv
import importlib.metadata
import json
import multiprocessing
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy

from cases import CASES, SHORT_CASES, Case
from contenders import PEERS, cost_matrix

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LIBRARY = ROOT / "benchmarks/OT.Benchmarks/bin/Release/net10.0/OT.Benchmarks.dll"
TOLERANCES = {"batch": 1e-9}
TOLERANCE = 1e-6  # of all others
OURS = {"sinkhorn": ["sinkhorn"], "batch": ["batch"], "exact": ["network-simplex", "assignment"], "line": ["univariate", "univariate-distance"], "sliced": ["sliced"]}


def run(command, threads, time_limit):
    """The JSON object that a command prints, its peak memory in MB added; or {'failure': reason}."""
    environment = os.environ | {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen([str(part) for part in command], stdout=output, stderr=errors, stdin=subprocess.DEVNULL, env=environment)
        try:
            usage = wait(process, time_limit)
        except subprocess.TimeoutExpired:
            process.kill()
            os.wait4(process.pid, 0)
            return {"failure": f"not done in {time_limit:g} s"}
        except BaseException:  # interrupted: leave nothing running
            process.kill()
            raise
        output.seek(0)
        errors.seek(0)
        text, complaint = output.read().strip(), errors.read().strip()
    try:
        answer = json.loads(text.splitlines()[-1] if not text.startswith("{") else text)
    except (ValueError, IndexError):
        lines = complaint.splitlines() or [f"exit code {process.returncode}"]
        return {"failure": (lines[-1] if lines[0].startswith("Traceback") else lines[0])[:200]}
    answer["peakMegabytes"] = usage.ru_maxrss / 1024
    return answer


def measure_peers(case, files, epsilon, options):
    for peer in PEERS[case.kind]:
        if peer == "scipy wasserstein_distance" and case.power != 1:
            continue
        command = [sys.executable, HERE / "contenders.py", peer, case.kind, *files]
        command += [repr(epsilon), TOLERANCES.get(case.kind, TOLERANCE), case.power, options.repeats, options.budget]
        yield peer, run(command, options.threads, options.time_limit)


def measure_ours(case, files, epsilon, options):
    for method in OURS[case.kind]:
        command = ["dotnet", LIBRARY, "peers", method, *files, repr(epsilon), TOLERANCES.get(case.kind, TOLERANCE), case.power]
        command += [options.repeats, options.budget, options.threads]
        yield f"OT {method.replace('-distance', ' distance')}", run(command, options.threads, options.time_limit)
        if method in ("batch", "sliced", "univariate-distance"):
            continue  # not a method of the command

        command = [options.ot, "solve", *files, "--method", method, "--json"]
        command += ["--cost", "cityblock" if case.kind == "line" and case.power == 1 else "sqeuclidean"]
        if case.kind == "sinkhorn":
            command += ["--epsilon", repr(epsilon), "--tolerance", TOLERANCE, "--threads", options.threads]
        runs = [run(command, options.threads, options.time_limit) for _ in range(min(options.repeats, 3))]
        good = [answer for answer in runs if "failure" not in answer]
        yield f"ot command, {method}", good[0] | {"seconds": [answer["seconds"] for answer in good]} if good else runs[0]


def prepare(case, folder):
    """Writes the inputs; gives epsilon in units of the cost, or of each problem's mean cost in a batch."""
    case.write(folder)
    if case.kind == "batch":
        return case.strength
    return case.strength * float(cost_matrix(*map(numpy.load, case.files(folder))).max()) if case.kind == "sinkhorn" else 0.0


def table_rows(case, folder, options):
    files = case.files(folder)
    # In a process of its own: the system counts the size of the process that starts a contender into the contender's peak memory.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        epsilon = pool.apply(prepare, (case, folder))

    rows = []
    for contender, answer in [*measure_ours(case, files, epsilon, options), *measure_peers(case, files, epsilon, options)]:
        seconds = answer.get("seconds")
        row = {
            "case": case.name,
            "contender": contender,
            "median_s": statistics.median(seconds) if seconds else None,
            "min_s": min(seconds) if seconds else None,
            "max_s": max(seconds) if seconds else None,
            "repeats": len(seconds) if seconds else 0,
            "setup_s": answer.get("setup"),
            "iterations": answer.get("iterations"),
            "marginal_error": answer.get("marginalError"),
            "cost": answer.get("transportCost"),
            "peak_mb": answer.get("peakMegabytes"),
            "note": answer.get("failure", answer.get("remark", "") if answer.get("status", "Converged").lower() == "converged" else answer["status"]),
        }
        rows.append(row)
        print(f"  {contender}: {row['note'] or '%.4g s' % row['median_s']}", file=sys.stderr, flush=True)

    ours = [row["median_s"] for row in rows if row["contender"].startswith("OT ") and row["median_s"] and not row["note"]]
    for row in rows:
        row["ratio"] = row["median_s"] / min(ours) if ours and row["median_s"] else None
    # Exact answers are compared with the least cost found; entropic ones with the answer of least marginal error, as their costs may lie
    # on either side of the limit; sliced ones not at all, their directions being random, nor batches, of which a peer solves a part.
    answered = [row for row in rows if row["cost"] is not None and not row["note"]]
    if case.kind in ("batch", "sliced") or not answered:
        reference = None
    elif case.kind == "sinkhorn":
        reference = min(answered, key=lambda row: row["marginal_error"])["cost"]
    else:
        reference = min(row["cost"] for row in answered)
    for row in rows:
        row["cost_deviation"] = abs(row["cost"] / reference - 1) if reference and row["cost"] is not None else None
    return rows


def wait(process, time_limit):
    """Waits for the end of a process and gives its own resource usage, which is not that of all children together."""
    end = time.monotonic() + time_limit
    pause = 0.001
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage
        if time.monotonic() > end:
            raise subprocess.TimeoutExpired(process.args, time_limit)
        time.sleep(pause)
        pause = min(2 * pause, 0.1)


def machine():
    """Name and description of this machine: what a reader needs to judge the times."""
    model = platform.processor() or platform.machine()
    memory = None
    if Path("/proc/cpuinfo").exists():
        found = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
        model = found.group(1).strip() if found else model
        memory = int(re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text()).group(1)) / 2**20
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    name = re.sub(r"[^a-z0-9]+", "-", f"{model} {cores} cores".lower()).strip("-")
    parts = [model, f"{cores} cores"] + ([f"{memory:.0f} GiB"] if memory else []) + [f"{platform.system()} {platform.release()}"]
    return name, ", ".join(parts)


def linear_algebra():
    """The library behind numpy's matrix products. The plain reference one would make POT's scaling iterations five times slower than need be."""
    look = "import numpy; numpy.ones((8, 8)) @ numpy.ones(8); print(open('/proc/self/maps').read())"
    maps = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True).stdout
    for mark, name in (("openblas", "OpenBLAS"), ("mkl_rt", "MKL"), ("blis", "BLIS"), ("libblas", "reference BLAS")):
        if mark in maps:
            return name
    return "unknown BLAS"


def versions(options):
    def printed(*command):
        return subprocess.run(command, capture_output=True, text=True).stdout.strip() if shutil.which(command[0]) else "unknown"

    peers = ", ".join(f"{package} {importlib.metadata.version(package)}" for package in ("POT", "scipy", "numpy"))
    return (
        f"OT {printed('git', '-C', str(ROOT), 'describe', '--always', '--dirty')}, .NET SDK {printed('dotnet', '--version')}; "
        f"{peers} over {linear_algebra()}, Python {platform.python_version()}; {options.threads} threads each"
    )


COLUMNS = [
    ("case", "case", "{}"),
    ("contender", "contender", "{}"),
    ("median_s", "seconds", "{:.4g}"),
    ("ratio", "times ours", "{:.2f}"),
    ("iterations", "iterations", "{}"),
    ("marginal_error", "L1 error", "{:.1e}"),
    ("cost_deviation", "cost off by", "{:.1e}"),
    ("cost", "cost", "{:.12g}"),
    ("peak_mb", "peak MB", "{:.0f}"),
    ("repeats", "runs", "{}"),
    ("note", "note", "{}"),
]

EXPLANATION = """
Seconds are medians of the solver alone. Peers are handed a finished cost matrix, whose time is `setup_s` in peers.csv; ours start from the
points, so their time includes every cost. `OT ...` is the library in a warm process; `ot command, ...` the first solve of a fresh process, as
the command reports it. On the line `OT univariate` makes plan and potentials too, `OT univariate distance` the value alone, as the peers do.
"Times ours" divides by the fastest converged `OT` row of the case. "Cost off by" is relative: to the least cost
found for exact methods, to the answer of least marginal error for entropic ones. All entropic rows stop at an L1 marginal error of 1e-6; POT
looks at its error every tenth iteration. Epsilon is given as a fraction of the largest cost. Sliced distances use 500 random directions.
Peak memory is that of the whole process, runtime and input included.
"""


def write(rows, folder, description, options):
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "peers.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    lines = ["# Beside other libraries", "", f"{date.today()}. {description}.", versions(options) + ".", EXPLANATION]
    lines.append("| " + " | ".join(title for _, title, _ in COLUMNS) + " |")
    lines.append("|" + "---|" * len(COLUMNS))
    for row in rows:
        cells = ["" if row[key] is None else form.format(row[key]) for key, _, form in COLUMNS]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    (folder / "peers.md").write_text("\n".join(lines) + "\n")


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ot", default=ROOT / "artifacts/publish/linux-x64/ot", help="the ot command")
    parser.add_argument("--rows", default="all", help="kinds of cases, separated by commas: " + ", ".join(PEERS))
    parser.add_argument("--short", action="store_true", help="tiny sizes, to see that everything works")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--budget", type=float, default=60.0, help="seconds after which a contender starts no further repeat")
    parser.add_argument("--time-limit", type=float, default=900.0, help="seconds after which a contender is ended")
    parser.add_argument("--output", type=Path, help="folder for the table; by default named after the machine")
    options = parser.parse_args()

    name, description = machine()
    kinds = set(PEERS) if options.rows == "all" else set(options.rows.split(","))
    if kinds - set(PEERS):
        parser.error(f"--rows knows {', '.join(PEERS)}")
    cases: list[Case] = [case for case in (SHORT_CASES if options.short else CASES) if case.kind in kinds]
    if linear_algebra() == "reference BLAS":
        parser.error("numpy runs on the reference BLAS, with which peers are not at their best: install OpenBLAS (libopenblas0-pthread)")
    rows = []
    with tempfile.TemporaryDirectory(prefix="ot-peers-") as folder:
        for case in cases:
            print(case.name, file=sys.stderr, flush=True)
            rows += table_rows(case, Path(folder), options)
            write(rows, options.output or ROOT / "benchmarks/results" / name, description, options)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Times other libraries beside OT: the same input files, the same stopping rule, one run, one table.

    python3 benchmarks/peers/run.py --ot PATH-TO-OT [--rows sinkhorn,points,papers,unbalanced,quadratic,batch,pairwise,exact,line,sliced] [--short] [--repeats 5]

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

from cases import CASES, SHORT_CASES, Case
from contenders import PEERS

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LIBRARY = ROOT / "benchmarks/OT.Benchmarks/bin/Release/net10.0/OT.Benchmarks.dll"
OURS = {
    "sinkhorn": ["sinkhorn"],
    "points": ["sinkhorn"],
    "papers": ["sinkhorn"],
    "unbalanced": ["sinkhorn"],
    "quadratic": ["quadratic"],
    "batch": ["batch"],
    "pairwise": ["pairwise"],
    "exact": ["network-simplex", "assignment"],
    "line": ["univariate", "univariate-distance"],
    "sliced": ["sliced"],
}
COMMAND = {"sinkhorn", "exact", "line"}  # kinds that the command is timed on, too


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


def measure_peers(case, folder, options):
    newton = [f"regot SSNS (as {case.newton} POT iterations)"] if case.newton else []
    for peer in [*PEERS[case.kind], *case.also, *newton]:
        if peer == "scipy wasserstein_distance" and case.power != 1:
            continue
        command = [sys.executable, HERE / "contenders.py", peer, folder, options.repeats, options.budget]
        yield peer, run(command, options.threads, options.time_limit)


def measure_ours(case, folder, options):
    for method in OURS[case.kind]:
        command = ["dotnet", LIBRARY, "peers", method, folder, options.repeats, options.budget, options.threads]
        yield f"OT {method.replace('-distance', ' distance')}", run(command, options.threads, options.time_limit)
        if case.kind not in COMMAND or method == "univariate-distance":
            continue

        command = [options.ot, "solve", folder / "x.npy", folder / "y.npy", "--method", method, "--json"]
        command += ["--cost", "cityblock" if case.kind == "line" and case.power == 1 else "sqeuclidean"]
        if case.kind == "sinkhorn":
            epsilon = json.loads((folder / "case.json").read_text())["epsilon"]
            command += ["--epsilon", repr(epsilon), "--tolerance", case.tolerance, "--threads", options.threads]
        runs = [run(command, options.threads, options.time_limit) for _ in range(min(options.repeats, 3))]
        good = [answer for answer in runs if "failure" not in answer]
        yield f"ot command, {method}", good[0] | {"seconds": [answer["seconds"] for answer in good]} if good else runs[0]


def table_rows(case, folder, options):
    # In a process of its own: the system counts the size of the process that starts a contender into the contender's peak memory.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pool.apply(case.write, (folder,))

    rows = []
    for contender, answer in [*measure_ours(case, folder, options), *measure_peers(case, folder, options)]:
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
            "converged": "failure" not in answer and answer.get("status", "Converged").lower() == "converged",
        }
        row["note"] = answer.get("remark", "") if row["converged"] else answer.get("failure", answer.get("status"))
        rows.append(row)
        print(f"  {contender}: {'%.4g s ' % row['median_s'] if seconds else ''}{row['note']}", file=sys.stderr, flush=True)

    ours = [row["median_s"] for row in rows if row["contender"].startswith("OT ") and row["converged"]]
    for row in rows:
        row["ratio"] = row["median_s"] / min(ours) if ours and row["median_s"] else None
    # Exact answers are compared with the least cost found; entropic ones with the answer of least marginal error, as their costs may lie
    # on either side of the limit; sliced ones not at all, their directions being random, nor batches and matrices, of which a peer solves a part.
    answered = [row for row in rows if row["cost"] is not None and row["converged"]]
    if case.kind in ("batch", "pairwise", "sliced") or not answered:
        reference = None
    elif case.strength:
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


def target_row(case, rows):
    """Our time beside that of the fastest peer, and the ratio that is wanted."""
    ours = [row for row in rows if row["contender"].startswith("OT ") and row["converged"]]
    peers = [row for row in rows if not row["contender"].startswith(("OT ", "ot ")) and row["converged"]]
    if not ours or not peers:
        return f"| {case.name} | | | | | {case.target:g} | {'no peer got there' if ours else 'missed: no answer'} |"
    mine, best = (min(some, key=lambda row: row["median_s"]) for some in (ours, peers))
    ratio = mine["median_s"] / best["median_s"]
    verdict = "met" if ratio <= case.target else "missed"
    return f"| {case.name} | {mine['median_s']:.4g} | {best['contender']} | {best['median_s']:.4g} | {ratio:.3f} | {case.target:g} | {verdict} |"


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
found for exact methods, to the answer of least marginal error for entropic ones. Rows of `sinkhorn` stop at an L1 marginal error of 1e-6, of
`points`, `papers` and `batch` at 1e-9; POT looks at its error every tenth iteration and returns the plan as a matrix, ours is formed when it is asked for. Epsilon
is given as a fraction of the largest cost. Sliced distances use 500 random directions.

`papers` are the settings on which sparse Newton methods are published: random assignment, pairs of pictures (rows of data/digits.csv, enlarged to
28 x 28 pixels) under squared Euclidean or city block costs, and an exponential law beside a mixture. Squared Euclidean costs are given to us as points, the
others as the matrix that POT gets. `regot SSNS (as N POT iterations)` is no measurement of regot: it is N times the time of one POT iteration in
this run, N being the ratio of the two once measured side by side on inputs of the same law, or on pictures of the MNIST set.

`pairwise` is the matrix of exact costs, or of costs of entropic plans at an L1 error of 1e-6, between all pairs of pictures of 8 x 8 pixels; ours on all threads, POT in a loop.

`unbalanced` has masses 1 and 1.3. POT's entropy is relative to the constant 1, ours to a x b: with C + epsilon (log a + log b) for C the problems are the
same. Both plans are compared entry by entry with that of plain iterations to rounding: "L1 error" is the sum of all differences, and both solvers' thresholds are
set so that it is at most 1e-9.

`quadratic` adds gamma/2 |P|^2 to costs of which the largest is 1; we stop at an L1 error of 1e-8, POT at a threshold of its objective that leaves the error of its row.

Peak memory is that of the whole process, runtime and input included.
"""


def write(rows, targets, folder, description, options):
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "peers.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    lines = ["# Beside other libraries", "", f"{date.today()}. {description}.", versions(options) + ".", EXPLANATION]
    if targets:
        lines += ["## Targets", "", "Ours as a fraction of the fastest peer.", "", "| case | ours, s | peer | its s | ratio | target | |", "|" + "---|" * 7]
        lines += [*targets, "", "## All contenders", ""]
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
    parser.add_argument("--budget", type=float, help="seconds after which a contender starts no further repeat; by default 60, or 0.3 with --short")
    parser.add_argument("--time-limit", type=float, default=900.0, help="seconds after which a contender is ended")
    parser.add_argument("--output", type=Path, help="folder for the table; by default named after the machine")
    options = parser.parse_args()
    options.budget = options.budget or (0.3 if options.short else 60.0)

    name, description = machine()
    kinds = set(PEERS) if options.rows == "all" else set(options.rows.split(","))
    if kinds - set(PEERS):
        parser.error(f"--rows knows {', '.join(PEERS)}")
    cases: list[Case] = [case for case in (SHORT_CASES if options.short else CASES) if case.kind in kinds]
    if linear_algebra() == "reference BLAS":
        parser.error("numpy runs on the reference BLAS, with which peers are not at their best: install OpenBLAS (libopenblas0-pthread)")
    rows, targets = [], []
    for case in cases:
        print(case.name, file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="ot-peers-") as folder:
            block = table_rows(case, Path(folder), options)
        rows += block
        if case.target:
            targets.append(target_row(case, block))
        write(rows, targets, options.output or ROOT / "benchmarks/results" / name, description, options)


if __name__ == "__main__":
    main()

"""POT's class-regularised transport on five Gaussian classes in the plane, the target rotated: one table, medians of three.

usage: classes.py FOLDER

The points and labels are left in the folder, for `OT.Benchmarks classes FOLDER`.
"""

import os
import sys
import time

import numpy as np
import ot

folder = sys.argv[1]
os.makedirs(folder, exist_ok=True)
n = 1000
random = np.random.RandomState(0)
labels = random.randint(0, 5, n)
centres = 3 * random.randn(5, 2)
x = centres[labels] + 0.7 * random.randn(n, 2)
turn = np.array([[0.8, -0.6], [0.6, 0.8]])
y = centres[random.randint(0, 5, n)] @ turn + 0.7 * random.randn(n, 2)
np.savetxt(f"{folder}/x.csv", x, delimiter=",", fmt="%.17g")
np.savetxt(f"{folder}/y.csv", y, delimiter=",", fmt="%.17g")
np.savetxt(f"{folder}/labels.csv", labels, fmt="%d")
costs = ot.dist(x, y)
costs /= costs.max()
a, b = ot.unif(len(x)), ot.unif(len(y))
print(f"POT {ot.__version__}, numpy {np.__version__}\n\n| method | seconds | marginal error |\n|---|---|---|")
for name, solve in (
    ("sinkhorn_lpl1_mm", lambda: ot.da.sinkhorn_lpl1_mm(a, labels, b, costs, 0.01, 0.1)),
    ("sinkhorn_l1l2_gl", lambda: ot.da.sinkhorn_l1l2_gl(a, labels, b, costs, 0.01, 0.1)),
):
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        plan = solve()
        seconds.append(time.perf_counter() - start)
    error = np.abs(plan.sum(1) - a).sum() + np.abs(plan.sum(0) - b).sum()
    print(f"| {name} | {np.median(seconds):.3f} | {error:.1e} |")

"""Times one peer on one case, in a process of its own so that the peak memory is the peer's:

    contenders.py PEER FOLDER REPEATS BUDGET_SECONDS

reads the case that `cases.py` wrote to the folder and prints one JSON object. `seconds` holds the solver alone, one value per repeat; `setup` the cost
matrix that the solver is handed.
"""

import json
import sys
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np


def read(folder):
    arrays = {path.stem: np.load(path) for path in folder.glob("*.npy")}
    return SimpleNamespace(**arrays, **json.loads((folder / "case.json").read_text()))


def cost_matrix(x, y):
    from scipy.spatial.distance import cdist

    return cdist(x, y, "sqeuclidean")


def matrix_and_weights(case):
    """Costs, both weights, and the seconds that the costs took."""
    start = time.perf_counter()
    costs = case.costs if hasattr(case, "costs") else cost_matrix(case.x, case.y)
    setup = time.perf_counter() - start
    a, b = (getattr(case, name, np.full(count, 1 / count)) for name, count in zip("ab", costs.shape))
    return costs, a, b, setup


def timed(call, repeats, budget):
    """Seconds of each run, at least one and at most `repeats`, no further run being started once `budget` is spent; and the last answer."""
    seconds = []
    while True:
        start = time.perf_counter()
        answer = call()
        seconds.append(time.perf_counter() - start)
        if len(seconds) == repeats or sum(seconds) > budget:
            return seconds, answer


def marginal_error(plan, a, b):
    return float(np.abs(plan.sum(1) - a).sum() + np.abs(plan.sum(0) - b).sum())


def iteration_seconds(solve, repeats):
    """Seconds of one iteration, one value per repeat: two runs of a set number of iterations, divided by the iterations that one makes more."""

    def seconds(iterations):
        start = time.perf_counter()
        solve(0, iterations)
        return time.perf_counter() - start

    return [max(seconds(111) - seconds(11), 1e-9) / 100 for _ in range(repeats)]


def pot_sinkhorn(method, case, repeats, budget):
    """POT stops on the Euclidean norm of one marginal's error, looked at every tenth iteration. A first run finds the threshold at which
    its plan meets the wanted L1 error, and the timed runs use that threshold: no iteration more than needed, up to those ten. Where Newton's method
    is the peer to beat, POT is given up after a third of the budget."""
    import ot

    costs, a, b, setup = matrix_and_weights(case)
    # With its default of 1e3, POT 0.8.2 takes u and v into the kernel at every iteration once there are 1000 points, and never gets anywhere.
    more = dict(tau=1e8) if method == "sinkhorn_stabilized" else {}
    every = 20 if method == "sinkhorn_stabilized" else 10

    def solve(threshold, iterations):
        return ot.sinkhorn(a, b, costs, case.epsilon, method=method, numItermax=iterations, stopThr=threshold, log=True, **more)

    limit = 100_000
    if case.newton:
        limit = min(limit, 1000 + int(budget / 3 / np.median(iteration_seconds(solve, 3))))
    plan, log = solve(case.tolerance / np.sqrt(len(b)), limit)  # sum |e| <= sqrt(m) |e|, so this run is accurate enough
    if not np.isfinite(plan).all():
        return dict(failure="its plan is not finite")
    history = np.array([float(error) for error in log["err"]])
    reached = marginal_error(plan, a, b)
    if reached > case.tolerance:
        iterations = every * (len(history) - 1) + 1
        return dict(
            failure=f"not there after {iterations} iterations: L1 error {reached:.1e}",
            iterations=iterations,
            marginalError=reached,
            transportCost=float((plan * costs).sum()),
        )
    # The ratio of the two norms is taken at the end of the run; where it is a little off, the next entry is tried.
    ratio = reached / history[-1]
    for k in range(int(np.argmax(history * ratio <= case.tolerance)), len(history)):
        threshold = history[k] * (1 + 1e-9)
        if marginal_error(solve(threshold, limit)[0], a, b) <= case.tolerance:
            break
    seconds, (plan, log) = timed(lambda: solve(threshold, limit), repeats, budget)
    return dict(
        seconds=seconds,
        setup=setup,
        iterations=every * (len(log["err"]) - 1) + 1,
        marginalError=marginal_error(plan, a, b),
        transportCost=float((plan * costs).sum()),
    )


def newton_reference(case, repeats, budget):
    """What regot's sparse Newton solver took elsewhere, in iterations of POT, whose time is measured here and now."""
    import ot

    costs, a, b, setup = matrix_and_weights(case)
    iteration = iteration_seconds(lambda t, n: ot.sinkhorn(a, b, costs, case.epsilon, numItermax=n, stopThr=t), repeats)
    remark = f"not run here: {case.newton} times the measured time of one POT iteration"
    return dict(seconds=[case.newton * seconds for seconds in iteration], setup=setup, remark=remark)


def pot_unbalanced(case, repeats, budget):
    """POT stops on the relative change of its two vectors. The plan's L1 distance to the reference falls in proportion to it, so a few runs find the
    threshold at which that distance is just within the tolerance."""
    import ot

    costs, a, b, setup = matrix_and_weights(case)

    def solve(threshold):
        return ot.unbalanced.sinkhorn_unbalanced(a, b, costs, case.epsilon, case.rho, numItermax=100_000, stopThr=threshold, log=True)

    threshold = case.tolerance
    for _ in range(8):
        plan, log = solve(threshold)
        reached = np.abs(plan - case.reference).sum()
        if 0.7 * case.tolerance <= reached <= case.tolerance:
            break
        threshold *= 0.9 * case.tolerance / reached
    else:
        return dict(failure=f"no threshold met the L1 error: {reached:.1e}")
    seconds, (plan, log) = timed(lambda: solve(threshold), repeats, budget)
    deviation = np.abs(plan - case.reference)
    return dict(
        seconds=seconds,
        setup=setup,
        iterations=len(log["err"]),
        marginalError=float(deviation.sum()),
        transportCost=float((plan * costs).sum()),
        remark=f"entries off by at most {deviation.max() / case.reference.max():.1e} of the largest",
    )


def pot_quadratic(method, case, repeats, budget):
    """POT maximises the dual, or the semi-dual, by SciPy's L-BFGS-B; its threshold is one of the objective, and the error that it leaves is told."""
    import ot

    costs, a, b, setup = matrix_and_weights(case)
    solve = getattr(ot.smooth, method)
    seconds, (plan, log) = timed(
        lambda: solve(a, b, costs, case.epsilon, reg_type="l2", stopThr=1e-9, numItermax=5000, log=True), repeats, budget
    )
    return dict(
        seconds=seconds,
        setup=setup,
        iterations=log.get("nit"),
        marginalError=marginal_error(plan, a, b),
        transportCost=float((plan * costs).sum()),
        remark="no threshold makes the error smaller",
    )


def pot_batch(case, repeats, budget):
    """A loop over the problems, one a row, points in the plane. The first 500 are timed and the time is scaled to all; POT's threshold is that
    of the Euclidean norm, looked at every tenth iteration, and the worst L1 error reached is given. Costs are made outside the timed loop."""
    import ot

    looked_at = min(500, len(case.x))
    scale = len(case.x) / looked_at
    start = time.perf_counter()
    costs = [cost_matrix(x.reshape(-1, 2), y.reshape(-1, 2)) for x, y in zip(case.x[:looked_at], case.y)]
    setup = (time.perf_counter() - start) * scale
    strengths = [case.epsilon * c.mean() for c in costs]
    a, b = (np.full(count, 1 / count) for count in costs[0].shape)

    def loop():
        return [ot.sinkhorn(a, b, c, e, numItermax=100_000, stopThr=case.tolerance) for c, e in zip(costs, strengths)]

    loop()
    seconds, plans = timed(loop, repeats, budget)
    return dict(
        seconds=[second * scale for second in seconds],
        setup=setup,
        marginalError=max(marginal_error(plan, a, b) for plan in plans),
        transportCost=float(sum((plan * c).sum() for plan, c in zip(plans, costs)) / looked_at),
        remark=f"first {looked_at} problems, time scaled; cost is their mean",
    )


def pot_pairwise(case, repeats, budget):
    """A loop over the pairs of histograms above the diagonal. With entropy some 500 of them are timed and the time is scaled to all; empty bins, on which POT's scaling
    divides by zero, are left out; POT's threshold is that of the Euclidean norm, looked at every tenth iteration, and the worst L1 error reached is given."""
    import ot

    pairs = [(i, j) for i in range(len(case.x)) for j in range(i + 1, len(case.x))]
    looked_at = pairs[:: max(1, len(pairs) // 500)] if case.epsilon else pairs
    scale = len(pairs) / len(looked_at)

    def entropic(i, j):
        rows, columns = np.flatnonzero(case.x[i]), np.flatnonzero(case.x[j])
        a, b, costs = case.x[i, rows], case.x[j, columns], case.costs[np.ix_(rows, columns)]
        plan = ot.sinkhorn(a, b, costs, case.epsilon, numItermax=100_000, stopThr=case.tolerance)
        return float((plan * costs).sum()), marginal_error(plan, a, b)

    def exact(i, j):
        return ot.emd2(case.x[i], case.x[j], case.costs), 0.0

    seconds, answers = timed(lambda: [(entropic if case.epsilon else exact)(i, j) for i, j in looked_at], repeats, budget)
    values, errors = zip(*answers)
    return dict(
        seconds=[second * scale for second in seconds],
        setup=0.0,
        marginalError=max(errors),
        transportCost=float(np.mean(values)),
        remark=f"{len(looked_at)} of {len(pairs)} pairs{', time scaled' if scale > 1 else ''}; cost is their mean",
    )


def pot_exact(case, repeats, budget):
    import ot

    costs, a, b, setup = matrix_and_weights(case)
    seconds, plan = timed(lambda: ot.emd(a, b, costs, numItermax=100_000_000), repeats, budget)
    return dict(seconds=seconds, setup=setup, marginalError=marginal_error(plan, a, b), transportCost=float((plan * costs).sum()))


def scipy_assignment(case, repeats, budget):
    from scipy.optimize import linear_sum_assignment

    costs, _, _, setup = matrix_and_weights(case)
    seconds, (rows, columns) = timed(lambda: linear_sum_assignment(costs), repeats, budget)
    return dict(seconds=seconds, setup=setup, marginalError=0.0, transportCost=float(costs[rows, columns].mean()))


def on_the_line(solve, case, repeats, budget):
    u, v = np.ascontiguousarray(case.x[:, 0]), np.ascontiguousarray(case.y[:, 0])
    seconds, value = timed(lambda: solve(u, v), repeats, budget)
    return dict(seconds=seconds, setup=0.0, transportCost=float(value))


def sliced(solve, case, repeats, budget):
    """500 directions; two libraries draw different ones, so values agree to the sampling error only."""
    seconds, value = timed(lambda: solve(case.x, case.y), repeats, budget)
    return dict(seconds=seconds, setup=0.0, transportCost=float(value))


def numpy_sliced(x, y):
    directions = np.random.RandomState(0).randn(x.shape[1], 500)
    directions /= np.linalg.norm(directions, axis=0)
    gaps = np.sort(x @ directions, axis=0) - np.sort(y @ directions, axis=0)
    return np.sqrt((gaps**2).mean())


def measure(peer, case, repeats, budget):
    limits = repeats, budget
    if peer.startswith("regot "):
        return newton_reference(case, *limits)
    if peer == "POT sinkhorn_unbalanced":
        return pot_unbalanced(case, *limits)
    if peer.startswith("POT smooth"):
        return pot_quadratic(peer.removeprefix("POT "), case, *limits)
    if peer == "POT sinkhorn, a loop":
        return pot_batch(case, *limits)
    if peer == "POT, a loop over pairs":
        return pot_pairwise(case, *limits)
    if peer.startswith("POT sinkhorn"):
        return pot_sinkhorn(peer.removeprefix("POT "), case, *limits)
    if peer == "POT emd":
        return pot_exact(case, *limits)
    if peer == "scipy linear_sum_assignment":
        return scipy_assignment(case, *limits)
    if peer == "POT wasserstein_1d":
        import ot

        return on_the_line(lambda u, v: ot.lp.wasserstein_1d(u, v, p=case.power), case, *limits)
    if peer == "scipy wasserstein_distance":
        from scipy.stats import wasserstein_distance

        return on_the_line(wasserstein_distance, case, *limits)
    if peer == "numpy two sorts":
        return on_the_line(lambda u, v: (np.abs(np.sort(u) - np.sort(v)) ** case.power).mean(), case, *limits)
    if peer == "POT sliced_wasserstein_distance":
        import ot

        return sliced(lambda x, y: ot.sliced_wasserstein_distance(x, y, n_projections=500, p=case.power, seed=0), case, *limits)
    if peer == "numpy product and sorts":
        return sliced(numpy_sliced, case, *limits)
    raise ValueError(f"There is no peer '{peer}'.")


PEERS = {
    "sinkhorn": ["POT sinkhorn", "POT sinkhorn_log"],
    "points": ["POT sinkhorn"],
    "papers": ["POT sinkhorn"],
    "unbalanced": ["POT sinkhorn_unbalanced"],
    "quadratic": ["POT smooth_ot_dual", "POT smooth_ot_semi_dual"],
    "batch": ["POT sinkhorn, a loop"],
    "pairwise": ["POT, a loop over pairs"],
    "exact": ["POT emd", "scipy linear_sum_assignment"],
    "line": ["POT wasserstein_1d", "scipy wasserstein_distance", "numpy two sorts"],
    "sliced": ["POT sliced_wasserstein_distance", "numpy product and sorts"],
}


def main():
    warnings.filterwarnings("ignore")
    peer, folder, repeats, budget = sys.argv[1:]
    answer = measure(peer, read(Path(folder)), int(repeats), float(budget))
    print(json.dumps(answer))


if __name__ == "__main__":
    main()

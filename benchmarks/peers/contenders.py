"""Times one peer on one case, in a process of its own so that the peak memory is the peer's:

    contenders.py PEER KIND X.npy Y.npy EPSILON TOLERANCE POWER REPEATS BUDGET_SECONDS

prints one JSON object. `seconds` holds the solver alone, one value per repeat; `setup` the cost matrix that the solver is handed.
"""

import json
import sys
import time
import warnings

import numpy as np


def cost_matrix(x, y):
    from scipy.spatial.distance import cdist

    return cdist(x, y, "sqeuclidean")


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


def pot_sinkhorn(method, x, y, epsilon, tolerance, repeats, budget):
    """POT stops on the Euclidean norm of one marginal's error, looked at every tenth iteration. A first run finds the threshold at which
    its plan meets the wanted L1 error, and the timed runs use that threshold: no iteration more than needed, up to those ten."""
    import ot

    start = time.perf_counter()
    costs = cost_matrix(x, y)
    setup = time.perf_counter() - start
    a, b = np.full(len(x), 1 / len(x)), np.full(len(y), 1 / len(y))

    def solve(threshold):
        return ot.sinkhorn(a, b, costs, epsilon, method=method, numItermax=100_000, stopThr=threshold, log=True)

    plan, log = solve(tolerance / np.sqrt(len(b)))  # sum |e| <= sqrt(m) |e|, so this run is accurate enough
    if not np.isfinite(plan).all():
        return dict(failure="its plan is not finite")
    reached = marginal_error(plan, a, b)
    if reached > tolerance:
        return dict(failure=f"it stopped at L1 error {reached:.1e}")
    history = np.array([float(error) for error in log["err"]])
    # The ratio of the two norms is taken at the end of the run; where it is a little off, the next entry is tried.
    ratio = reached / history[-1]
    for k in range(int(np.argmax(history * ratio <= tolerance)), len(history)):
        threshold = history[k] * (1 + 1e-9)
        if marginal_error(solve(threshold)[0], a, b) <= tolerance:
            break
    seconds, (plan, log) = timed(lambda: solve(threshold), repeats, budget)
    return dict(
        seconds=seconds,
        setup=setup,
        iterations=10 * (len(log["err"]) - 1) + 1,
        marginalError=marginal_error(plan, a, b),
        transportCost=float((plan * costs).sum()),
    )


def pot_batch(x, y, strength, tolerance, repeats, budget):
    """A loop over the problems, one a row, points in the plane. The first 500 are timed and the time is scaled to all; POT's threshold is that
    of the Euclidean norm, looked at every tenth iteration, and the worst L1 error reached is given. Costs are made outside the timed loop."""
    import ot

    looked_at = min(500, len(x))
    start = time.perf_counter()
    costs = [cost_matrix(x[k].reshape(-1, 2), y[k].reshape(-1, 2)) for k in range(looked_at)]
    setup = (time.perf_counter() - start) * len(x) / looked_at
    strengths = [strength * c.mean() for c in costs]
    a, b = (np.full(z.shape[1] // 2, 2 / z.shape[1]) for z in (x, y))

    def loop():
        return [ot.sinkhorn(a, b, c, e, numItermax=100_000, stopThr=tolerance) for c, e in zip(costs, strengths)]

    loop()
    seconds, plans = timed(loop, repeats, budget)
    return dict(
        seconds=[second * len(x) / looked_at for second in seconds],
        setup=setup,
        marginalError=max(marginal_error(plan, a, b) for plan in plans),
        transportCost=float(sum((plan * c).sum() for plan, c in zip(plans, costs)) / looked_at),
        remark=f"first {looked_at} problems, time scaled; cost is their mean",
    )


def pot_exact(x, y, repeats, budget):
    import ot

    start = time.perf_counter()
    costs = cost_matrix(x, y)
    setup = time.perf_counter() - start
    a, b = np.full(len(x), 1 / len(x)), np.full(len(y), 1 / len(y))
    seconds, plan = timed(lambda: ot.emd(a, b, costs, numItermax=100_000_000), repeats, budget)
    return dict(seconds=seconds, setup=setup, marginalError=marginal_error(plan, a, b), transportCost=float((plan * costs).sum()))


def scipy_assignment(x, y, repeats, budget):
    from scipy.optimize import linear_sum_assignment

    start = time.perf_counter()
    costs = cost_matrix(x, y)
    setup = time.perf_counter() - start
    seconds, (rows, columns) = timed(lambda: linear_sum_assignment(costs), repeats, budget)
    return dict(seconds=seconds, setup=setup, marginalError=0.0, transportCost=float(costs[rows, columns].mean()))


def on_the_line(solve, x, y, repeats, budget):
    u, v = np.ascontiguousarray(x[:, 0]), np.ascontiguousarray(y[:, 0])
    seconds, value = timed(lambda: solve(u, v), repeats, budget)
    return dict(seconds=seconds, setup=0.0, transportCost=float(value))


def sliced(solve, x, y, repeats, budget):
    """500 directions; two libraries draw different ones, so values agree to the sampling error only."""
    seconds, value = timed(lambda: solve(x, y), repeats, budget)
    return dict(seconds=seconds, setup=0.0, transportCost=float(value))


def numpy_sliced(x, y):
    directions = np.random.RandomState(0).randn(x.shape[1], 500)
    directions /= np.linalg.norm(directions, axis=0)
    gaps = np.sort(x @ directions, axis=0) - np.sort(y @ directions, axis=0)
    return np.sqrt((gaps**2).mean())


def measure(peer, kind, x, y, epsilon, tolerance, power, repeats, budget):
    if kind == "sinkhorn":
        return pot_sinkhorn(peer.removeprefix("POT "), x, y, epsilon, tolerance, repeats, budget)
    if kind == "batch":
        return pot_batch(x, y, epsilon, tolerance, repeats, budget)
    if peer == "POT emd":
        return pot_exact(x, y, repeats, budget)
    if peer == "scipy linear_sum_assignment":
        return scipy_assignment(x, y, repeats, budget)
    if peer == "POT wasserstein_1d":
        import ot

        return on_the_line(lambda u, v: ot.lp.wasserstein_1d(u, v, p=power), x, y, repeats, budget)
    if peer == "scipy wasserstein_distance":
        from scipy.stats import wasserstein_distance

        return on_the_line(wasserstein_distance, x, y, repeats, budget)
    if peer == "numpy two sorts":
        return on_the_line(lambda u, v: (np.abs(np.sort(u) - np.sort(v)) ** power).mean(), x, y, repeats, budget)
    if peer == "POT sliced_wasserstein_distance":
        import ot

        return sliced(lambda x, y: ot.sliced_wasserstein_distance(x, y, n_projections=500, p=power, seed=0), x, y, repeats, budget)
    if peer == "numpy product and sorts":
        return sliced(numpy_sliced, x, y, repeats, budget)
    raise ValueError(f"There is no peer '{peer}' for {kind}.")


PEERS = {
    "sinkhorn": ["POT sinkhorn", "POT sinkhorn_log"],
    "batch": ["POT sinkhorn, a loop"],
    "exact": ["POT emd", "scipy linear_sum_assignment"],
    "line": ["POT wasserstein_1d", "scipy wasserstein_distance", "numpy two sorts"],
    "sliced": ["POT sliced_wasserstein_distance", "numpy product and sorts"],
}


def main():
    warnings.filterwarnings("ignore")
    peer, kind, source, target, epsilon, tolerance, power, repeats, budget = sys.argv[1:]
    x, y = np.load(source), np.load(target)
    answer = measure(peer, kind, x, y, float(epsilon), float(tolerance), int(power), int(repeats), float(budget))
    print(json.dumps(answer))


if __name__ == "__main__":
    main()

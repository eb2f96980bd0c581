"""The inputs that every contender is timed on, the same files for all of them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from contenders import cost_matrix

DIGITS = Path(__file__).resolve().parent.parent.parent / "data/digits.csv"


@dataclass(frozen=True)
class Case:
    """One block of the table: a problem in arrays and numbers. `inputs` gives points `x` and `y` or a matrix `costs`, and weights `a` and `b` where
    they are not equal."""

    kind: str  # sinkhorn, points, papers, unbalanced, quadratic, batch, pairwise, exact, line or sliced
    label: str
    inputs: Callable[[], dict[str, np.ndarray]]
    strength: float = 0.0  # epsilon as a fraction of the largest cost, in a batch of each problem's mean cost; gamma where quadratic; 0 for neither
    rho: float = 0.0  # price of missed marginals in cost units; 0 where they are held
    power: int = 2  # line and sliced: the p of W_p
    tolerance: float = 1e-6  # L1 error of the marginals; of the plan where marginals are not held
    newton: int = 0  # iterations of POT that take as long as regot's sparse Newton solver; 0 where no figure is known
    also: tuple[str, ...] = ()  # peers beside those of the kind
    target: float | None = None  # our time as a fraction of the fastest peer's, at most

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.label}"

    def write(self, folder: Path) -> None:
        arrays = self.inputs()
        epsilon = self.strength
        if self.strength and self.kind != "batch":
            costs = arrays["costs"] if "costs" in arrays else cost_matrix(arrays["x"], arrays["y"])
            epsilon = self.strength * float(costs.max())
        if self.rho:
            arrays["reference"] = penalised_plan(costs, arrays["a"], arrays["b"], epsilon, self.rho)
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", np.ascontiguousarray(array))
        numbers = dict(kind=self.kind, epsilon=epsilon, rho=self.rho, power=self.power, tolerance=self.tolerance, newton=self.newton)
        (folder / "case.json").write_text(json.dumps(numbers))


def clouds(count, dimension, width=1.5, shift=1.0):
    """A standard normal cloud, and a wider one that is shifted; the seed is the same for every size."""
    random = np.random.RandomState(0)
    return dict(x=random.randn(count, dimension), y=width * (shift + random.randn(count, dimension)))


def small_clouds(problems, count):
    """Points in the unit square, one problem a row."""
    random = np.random.RandomState(0)
    return dict(x=random.rand(problems, 2 * count), y=random.rand(problems, 2 * count))


def all_digits(count):
    """The first pictures of data/digits.csv as histograms of their 8 x 8 pixels, and the squared distances between pixels."""
    pictures = np.loadtxt(DIGITS, delimiter=",", skiprows=1, max_rows=count)[:, :64]
    pixels = np.stack(np.divmod(np.arange(64.0), 8), axis=1)
    return dict(x=pictures / pictures.sum(1, keepdims=True), costs=cost_matrix(pixels, pixels))


def random_costs(count):
    return dict(costs=np.random.RandomState(0).rand(count, count))


def digits(first, second, metric):
    """Two pictures of data/digits.csv as histograms of 28 x 28 pixels: each pixel of 8 x 8 tripled, a border of two, and 1/800 of the mass
    spread over all pixels so that none is empty."""
    table = np.loadtxt(DIGITS, delimiter=",", skiprows=1)

    def histogram(row):
        picture = np.pad(np.kron(table[row, :64].reshape(8, 8), np.ones((3, 3))), 2).ravel()
        share = 0.01 / 8
        return (1 - share) * picture / picture.sum() + share / picture.size

    pixels = np.stack(np.divmod(np.arange(28.0 * 28.0), 28), axis=1)
    weights = dict(a=histogram(first), b=histogram(second))
    if metric == "L1":
        return dict(costs=np.abs(pixels[:, None] - pixels).sum(2)) | weights
    return dict(x=pixels, y=pixels) | weights


def mixture(count):
    """An exponential law and a mixture of two normal ones, on as many points of [0, 5]."""
    x = np.linspace(0, 5, count)

    def normal(mean, deviation):
        return np.exp(-(((x - mean) / deviation) ** 2) / 2) / deviation

    a, b = np.exp(-x), 0.2 * normal(1, 0.2) + 0.8 * normal(3, 0.5)
    return dict(x=x[:, None], y=x[:, None], a=a / a.sum(), b=b / b.sum())


def unit_costs(count):
    """Squared distances of clouds of equal weights, the largest being 1."""
    points = clouds(count, 2)
    costs = cost_matrix(points["x"], points["y"])
    return dict(costs=costs / costs.max())


def uneven_clouds(count):
    """Clouds of masses 1 and 1.3, as a matrix whose largest cost is 1."""
    random = np.random.RandomState(0)
    costs = cost_matrix(random.randn(count, 2), 1.5 * (1 + random.randn(count, 2)))
    a, b = random.rand(count), random.rand(count)
    return dict(costs=costs / costs.max(), a=a / a.sum(), b=1.3 * b / b.sum())


def penalised_plan(costs, a, b, epsilon, rho):
    """The plan that minimises <C, P> + epsilon sum P (log P - 1) + rho KL(P1 | a) + rho KL(P'1 | b), to rounding: an iteration brings the
    logarithms of u and v nearer by the square of rho / (rho + epsilon), and so many are made that 1e-17 of the way is left."""
    kernel = np.exp(-costs / epsilon)
    damping = rho / (rho + epsilon)
    v = np.ones(len(b))
    for _ in range(int(np.ceil(np.log(1e-17) / (2 * np.log(damping))))):
        u = (a / (kernel @ v)) ** damping
        v = (b / (u @ kernel)) ** damping
    return u[:, None] * kernel * v


def clouds_of_64(count):
    return clouds(count, 64, width=1.2, shift=1 / 6)


# The figures `newton` are iterations of POT's plain scaling (0.8.2) whose time regot's SSNS (regot-python 0.0.3) took for the same accuracy, on inputs of the
# same law (but pictures of the MNIST set) and on one machine. regot itself is not run: it has to be built by hand, with a C++ compiler and Eigen.
sinkhorn = partial(Case, "sinkhorn")
points = partial(Case, "points", strength=0.001, tolerance=1e-9)
papers = partial(Case, "papers", tolerance=1e-9, target=0.5)
unbalanced = partial(Case, "unbalanced", strength=0.01, tolerance=1e-9, target=0.2)
batch = partial(Case, "batch", strength=0.05, tolerance=1e-9)

# regot's qrot_grssn (regot-python 0.0.3) took 0.43, 0.82 and 0.47 of the time of POT's smooth_ot_dual, to L1 errors of 3e-8 in place of 7e-3, on these inputs and one machine;
# the targets are 0.3 of that.
quadratic = partial(Case, "quadratic", tolerance=1e-8)

CASES = [
    *(sinkhorn(f"{n}-d2-eps{e:g}", partial(clouds, n, 2), strength=e) for n in (1000, 4000) for e in (0.01, 0.001)),
    points("1000-d2-eps0.001", partial(clouds, 1000, 2), also=("POT sinkhorn_stabilized", "POT sinkhorn_log"), target=0.2),
    points("4000-d2-eps0.001", partial(clouds, 4000, 2), target=0.1),
    points("1000-d64-eps0.001", partial(clouds_of_64, 1000), newton=2000, target=0.5),
    points("4000-d64-eps0.001", partial(clouds_of_64, 4000), newton=2370, target=0.1),
    papers("assignment-500-eps1/1200", partial(random_costs, 500), strength=1 / 1200, newton=1470),
    *(
        papers(f"digits-{i}-{j}-{metric}-eps{e:g}", partial(digits, i, j, metric), strength=e, newton=4500 if (metric, e) == ("L1", 0.001) else 0)
        for i, j in ((0, 1), (2, 3))
        for metric in ("L2", "L1")
        for e in (0.01, 0.001)
    ),
    *(papers(f"mixture-{n}-eps0.001", partial(mixture, n), strength=0.001) for n in (1000, 4000)),
    *(unbalanced(f"4000-rho{rho:g}-eps0.01", partial(uneven_clouds, 4000), rho=rho) for rho in (0.1, 1.0)),
    quadratic("1000-gamma1", partial(unit_costs, 1000), strength=1, target=0.13),
    quadratic("1000-gamma10", partial(unit_costs, 1000), strength=10, target=0.25),
    quadratic("2000-gamma1", partial(unit_costs, 2000), strength=1, target=0.14),
    quadratic("2000-gamma10", partial(unit_costs, 2000), strength=10),
    batch("20-d2-x10000", partial(small_clouds, 10_000, 20)),
    *(Case("pairwise", f"digits-200{name}", partial(all_digits, 200), strength=e) for name, e in (("", 0.0), ("-eps0.01", 0.01))),
    *(Case("exact", f"{n}-d2", partial(clouds, n, 2)) for n in (1000, 2000, 5000)),
    *(Case("line", f"1000000-d1-p{p}", partial(clouds, 1_000_000, 1), power=p) for p in (1, 2)),
    Case("sliced", "10000-d64", partial(clouds, 10_000, 64)),
]

# Seconds in all: proves that the pieces work, measures nothing; its `newton` figures are no solver's.
SHORT_CASES = [
    sinkhorn("300-d2-eps0.01", partial(clouds, 300, 2), strength=0.01),
    points("200-d2-eps0.01", partial(clouds, 200, 2), strength=0.01, also=("POT sinkhorn_stabilized", "POT sinkhorn_log"), target=1),
    points("200-d64-eps0.001", partial(clouds_of_64, 200), newton=100, target=1),
    papers("assignment-100-eps1/1200", partial(random_costs, 100), strength=1 / 1200, newton=100),
    papers("digits-0-1-L2-eps0.01", partial(digits, 0, 1, "L2"), strength=0.01),
    papers("digits-0-1-L1-eps0.01", partial(digits, 0, 1, "L1"), strength=0.01),
    papers("mixture-200-eps0.001", partial(mixture, 200), strength=0.001),
    unbalanced("200-rho0.1-eps0.01", partial(uneven_clouds, 200), rho=0.1),
    quadratic("100-gamma1", partial(unit_costs, 100), strength=1, target=1),
    batch("20-d2-x200", partial(small_clouds, 200, 20)),
    *(Case("pairwise", f"digits-20{name}", partial(all_digits, 20), strength=e) for name, e in (("", 0.0), ("-eps0.01", 0.01))),
    Case("exact", "300-d2", partial(clouds, 300, 2)),
    *(Case("line", f"10000-d1-p{p}", partial(clouds, 10_000, 1), power=p) for p in (1, 2)),
    Case("sliced", "500-d16", partial(clouds, 500, 16)),
]

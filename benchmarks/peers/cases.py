"""The inputs that every contender is timed on, the same files for all of them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Case:
    """One block of the table: a problem, and where its two clouds lie."""

    kind: str  # sinkhorn, batch, exact, line or sliced
    count: int  # points in each cloud
    dimension: int
    strength: float = 0.0  # sinkhorn: epsilon as a fraction of the largest cost; batch: of each problem's mean cost
    power: int = 2  # line and sliced: the p of W_p
    problems: int = 1  # batch: how many

    @property
    def name(self) -> str:
        detail = {"sinkhorn": f"-eps{self.strength:g}", "batch": f"-x{self.problems}", "line": f"-p{self.power}"}.get(self.kind, "")
        return f"{self.kind}-{self.count}-d{self.dimension}{detail}"

    def files(self, folder: Path) -> tuple[Path, Path]:
        stem = f"{'line' if self.dimension == 1 else self.kind if self.kind == 'batch' else 'cloud'}-{self.count}-d{self.dimension}"
        return folder / f"{stem}-x.npy", folder / f"{stem}-y.npy"

    def write(self, folder: Path) -> None:
        """A standard normal cloud, and one that is shifted and half as wide again; the seed is the same for every size."""
        random = np.random.RandomState(0)
        if self.kind == "batch":  # points in the unit square, one problem a row
            for path in self.files(folder):
                np.save(path, random.rand(self.problems, self.count * self.dimension))
            return
        x = random.randn(self.count, self.dimension)
        y = 1.5 * (1.0 + random.randn(self.count, self.dimension))
        for path, points in zip(self.files(folder), (x, y)):
            np.save(path, points)


CASES = [
    Case("sinkhorn", 1000, 2, strength=0.01),
    Case("sinkhorn", 1000, 2, strength=0.001),
    Case("sinkhorn", 4000, 2, strength=0.01),
    Case("sinkhorn", 4000, 2, strength=0.001),
    Case("batch", 20, 2, strength=0.05, problems=10_000),
    Case("exact", 1000, 2),
    Case("exact", 2000, 2),
    Case("exact", 5000, 2),
    Case("line", 1_000_000, 1, power=1),
    Case("line", 1_000_000, 1, power=2),
    Case("sliced", 10_000, 64),
]

# Seconds in all: proves that the pieces work, measures nothing.
SHORT_CASES = [
    Case("sinkhorn", 300, 2, strength=0.01),
    Case("batch", 20, 2, strength=0.05, problems=200),
    Case("exact", 300, 2),
    Case("line", 10_000, 1, power=1),
    Case("line", 10_000, 1, power=2),
    Case("sliced", 500, 16),
]

"""Finding people by two versions of kinflow in one run: seconds a photo, and memory.

    python -m benchmarks.bench_observe PHOTOS --old PATH_OF_THE_OTHER_CHECKOUT [--rounds 3]

Each version works in a process of its own that stays warm; the two take turns, photo by photo. Then
one photo is enlarged to 12 and 24 megapixels, and a fresh process of each version looks at it: the
most memory that it held.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import tyro

from .bench_photos import WORKER
from .versions import ENGINE, Version

SIZES = {"12 megapixels": (4000, 3000), "24 megapixels": (6000, 4000)}
SUFFIXES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class Options:
    """Which photos and versions."""

    photos: Annotated[Path, tyro.conf.Positional]
    """A folder of photos."""
    old: Path
    """The other checkout (its folder that holds `engine`)."""
    rounds: int = 3
    threads: int = 2


def run(options: Options) -> None:
    """Prints seconds and megabytes."""
    photos = sorted(p for p in options.photos.iterdir() if p.suffix.lower() in SUFFIXES)
    checkouts = {"old": options.old, "new": ENGINE.parent}
    threads = options.threads
    warm = {name: Version(path, WORKER, threads=threads) for name, path in checkouts.items()}
    for version in warm.values():
        _observe(version, photos[0])
    clock, work = ({n: np.zeros((options.rounds, len(photos))) for n in warm} for _ in range(2))
    for turn in range(options.rounds):
        for number, photo in enumerate(photos):
            for name in sorted(warm, reverse=bool((turn + number) % 2)):
                answer = _observe(warm[name], photo)
                clock[name][turn, number] = answer["seconds"]
                work[name][turn, number] = answer["cpu_seconds"]
    for name in warm:
        best = clock[name].min(0)
        print(
            f"{name}: {clock[name].mean():.2f} s a photo, {best.mean():.2f} s by each photo's "
            f"fastest round, {best.max():.2f} s for the slowest photo; processors worked "
            f"{work[name].mean():.2f} s"
        )
    for what, times in (("clock", clock), ("processors", work)):
        ratio = np.exp(np.log(times["new"] / times["old"]).mean())
        print(f"new / old by {what}, geometric mean: {ratio:.3f}")
    with tempfile.TemporaryDirectory() as folder:
        for label, size in SIZES.items():
            large = Path(folder) / "large.jpg"
            cv2.imwrite(str(large), cv2.resize(cv2.imread(str(photos[0])), size))
            for name, path in checkouts.items():
                answer = _observe(Version(path, WORKER, threads=threads), large)
                print(
                    f"{label}, {name}: {answer['peak_mb']:.0f} MB, {answer['seconds']:.2f} s cold"
                )


def _observe(version: Version, photo: Path) -> dict[str, Any]:
    return version.ask({"photo": str(photo), "camera": None, "fits": []})


if __name__ == "__main__":
    run(tyro.cli(Options))

"""bench ...: the benchmarks of a source checkout (engine/benchmarks), which the wheel does not carry."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from ..errors import KinflowError
from .common import Common


@dataclass(frozen=True, kw_only=True)
class BenchFit(Common):
    """Priors and losses side by side on synthetic truth (the paper's figure 1)."""

    count: int = 500
    noise: float = 3.0
    """px of keypoint noise on a 480 px photo."""
    validation: int = 60
    """Validation poses for picking each prior's weight."""
    priors: tuple[str, ...] = ()
    """Only these."""
    threads: int = 2


@dataclass(frozen=True, kw_only=True)
class BenchSpeed(Common):
    """Milliseconds a photo and photos a second beside the usual way."""

    photos: int = 10
    batch: int = 500
    threads: int = 2


@dataclass(frozen=True, kw_only=True)
class BenchPhotos(Common):
    """Renders with known truth through the real detector and the fitter."""

    folder: Path | None = None
    """Renders of engine/benchmarks/render_people.py; by default the cache."""
    worst: int = 0
    """Also write a contact sheet of the worst."""
    threads: int = 2


@dataclass(frozen=True, kw_only=True)
class BenchSequence(Common):
    """Held-out clips, frame by frame and as a whole."""

    noise: float = 3.0
    """px of keypoint noise on a 480 px photo."""
    threads: int = 2


@dataclass(frozen=True, kw_only=True)
class BenchBatch(Common):
    """A thousand photos made from a few: rate, memory, and the same bytes after being killed and resumed."""

    photos: Path | None = None
    """Folder of photos to make them from; by default the sample photos of the tests."""
    count: int = 1000
    kills: int = 5
    search: Literal["thorough", "quick"] = "thorough"
    folder: Path | None = None
    """Where to work; by default a temporary folder."""


@dataclass(frozen=True, kw_only=True)
class BenchRegressor(Common):
    """FS, WS with KA, WS with KA and BA, at growing shares of the photos without labels."""

    folder: Path | None = None
    """Drawn people and trained networks are kept here; by default the cache."""
    seeds: int = 3
    only_seed: int | None = None
    """Train for this seed alone, and print nothing: several processes may share the work."""
    steps: int = 2400
    """Of full supervision."""
    weak_steps: int = 200
    descent: int = 5
    """Learned steps after the network's first answer; 0 is the supplement's network."""
    people: int = 16000
    unlabelled: int = 2000
    test: int = 500
    threads: int = 2


BENCHES: dict[str, type[Common]] = {
    "fit": BenchFit,
    "speed": BenchSpeed,
    "photos": BenchPhotos,
    "sequence": BenchSequence,
    "batch": BenchBatch,
    "regressor": BenchRegressor,
}


def import_benchmark(name: str) -> ModuleType:
    """A module of engine/benchmarks. Raises KinflowError where kinflow was installed without its sources."""
    engine = Path(__file__).parent.parent.parent
    if not (engine / "benchmarks" / f"{name}.py").is_file():
        raise KinflowError(
            "The benchmarks are not installed with kinflow.",
            "Run this from a checkout, with kinflow installed by pip -e.",
        )
    if str(engine) not in sys.path:
        sys.path.insert(0, str(engine))
    return importlib.import_module(f"benchmarks.{name}")


def run_bench(command: Common) -> dict[str, Any]:
    """Runs the benchmark that belongs to the options."""
    name = next(name for name, options in BENCHES.items() if isinstance(command, options))
    return import_benchmark(f"bench_{name}").run(command)

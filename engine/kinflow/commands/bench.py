"""bench ...: the benchmarks of a checkout (engine/benchmarks), which the wheel does not carry."""

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal

from ..errors import KinflowError
from .common import UNSET, Common


@dataclass(frozen=True, kw_only=True)
class BenchFit(Common):
    """Priors and losses side by side on synthetic truth."""

    count: int = 500
    noise: float = 3.0
    """px of keypoint noise on a 480 px photo."""
    validation: int = 60
    """Validation poses for picking each prior's weight."""
    priors: Annotated[tuple[str, ...], UNSET] = ()
    """Only these."""
    threads: int = 2


@dataclass(frozen=True, kw_only=True)
class BenchSpeed(Common):
    """Time of a photo and of a batch beside the usual way."""

    photos: int = 10
    batch: int = 500
    threads: int = 2


@dataclass(frozen=True, kw_only=True)
class BenchCuda(Common):
    """A CUDA card beside the CPU: the same answers, and fits a second."""

    counts: tuple[int, ...] = (1, 64, 1024)
    compare: int = 200
    most_on_cpu: int = 256
    """People at most whom the CPU is timed with."""
    threads: int = 2


@dataclass(frozen=True, kw_only=True)
class BenchPhotos(Common):
    """Renders with known truth through detector and fitter."""

    folder: Annotated[Path | None, UNSET] = None
    """A set of engine/benchmarks/render_people.py; by default the held-out one in the cache."""
    old: Annotated[Path | None, UNSET] = None
    """Another checkout, measured beside this one."""
    kinds: Annotated[tuple[Literal["whole", "cut", "occluded", "crowd"], ...], UNSET] = ()
    """Only these."""
    count: Annotated[int | None, UNSET] = None
    """Renders of each kind; by default all."""
    threads: int = 2


@dataclass(frozen=True, kw_only=True)
class BenchScene(Common):
    """Pitch, floor and people of photos before a camera that looks up or down."""

    folder: Annotated[Path | None, UNSET] = None
    """Renders of engine/benchmarks/render_ground.py; by default the cache."""
    old: Annotated[Path | None, UNSET] = None
    """Another checkout, measured beside this one."""
    count: Annotated[int | None, UNSET] = None
    """Photos; by default all."""
    threads: int = 2


@dataclass(frozen=True, kw_only=True)
class BenchCalibration(Common):
    """Whether keypoints are as far off as their scales say, on renders with known truth."""

    folder: Annotated[Path | None, UNSET] = None
    """A set of engine/benchmarks/render_people.py; by default the held-out one in the cache."""
    count: Annotated[int | None, UNSET] = None
    """Renders of each kind; by default all."""


@dataclass(frozen=True, kw_only=True)
class BenchSequence(Common):
    """Held-out motions that stand on a floor, frame by frame and as a whole."""

    noise: float = 0.008
    """Deviation of the keypoints' noise, in shares of the person's height."""
    threads: int = 1
    old: Annotated[Path | None, UNSET] = None
    """Another checkout, measured in the same run."""
    folder: Annotated[Path | None, UNSET] = None
    """Where fits are kept; by default in the cache."""


@dataclass(frozen=True, kw_only=True)
class BenchLength(Common):
    """Seconds and memory of long clips."""

    frames: tuple[int, ...] = (300, 3000, 9000)


@dataclass(frozen=True, kw_only=True)
class BenchBatch(Common):
    """A thousand photos: rate, memory, the same bytes after kills."""

    photos: Annotated[Path | None, UNSET] = None
    """Folder of photos to make them from; by default the sample photos of the tests."""
    count: int = 1000
    kills: int = 5
    search: Literal["thorough", "quick"] = "thorough"
    folder: Annotated[Path | None, UNSET] = None
    """Where to work; by default a temporary folder."""


@dataclass(frozen=True, kw_only=True)
class BenchIk(Common):
    """Inverse kinematics: the flow beside other priors and Blender's own, and drags."""

    count: int = 120
    """Held-out poses a task."""
    validation: int = 24
    """Validation poses for picking each prior's weight."""
    drags: int = 100
    blender: bool = True
    """Also Blender's own solvers, by pip's bpy."""


@dataclass(frozen=True, kw_only=True)
class BenchRegressor(Common):
    """The regressor's ways of training, with ever fewer labels."""

    folder: Annotated[Path | None, UNSET] = None
    """Drawn people and trained networks are kept here; by default the cache."""
    seeds: int = 3
    only_seed: Annotated[int | None, UNSET] = None
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


_KINDS = (
    *(BenchFit, BenchSpeed, BenchCuda, BenchPhotos, BenchScene, BenchCalibration),
    *(BenchSequence, BenchLength, BenchBatch, BenchIk, BenchRegressor),
)
BENCHES = {kind.__name__.removeprefix("Bench").lower(): kind for kind in _KINDS}


def import_benchmark(name: str) -> ModuleType:
    """A module of engine/benchmarks.

    Raises KinflowError where kinflow was installed without its sources.
    """
    package = Path(__file__).parents[2] / "benchmarks" / "__init__.py"
    if not (package.parent / f"{name}.py").is_file():
        raise KinflowError(
            "The benchmarks are not installed with kinflow.",
            "Run this from a checkout, with kinflow installed by pip -e.",
        )
    if "benchmarks" not in sys.modules:
        spec = importlib.util.spec_from_file_location("benchmarks", package)
        assert spec is not None and spec.loader is not None
        sys.modules["benchmarks"] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return importlib.import_module(f"benchmarks.{name}")


def run_bench(command: Common) -> dict[str, Any]:
    """Runs the benchmark that belongs to the options."""
    name = next(name for name, options in BENCHES.items() if isinstance(command, options))
    return import_benchmark(f"bench_{name}").run(command)

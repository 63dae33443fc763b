"""observe, overlay, compare."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from ..batch.journal import Journal
from ..batch.sources import Source, list_sources
from ..batch.work import nobody
from ..errors import KinflowError
from .common import Common, progress, say

if TYPE_CHECKING:
    from ..records import Observation

NAMES = "observed.sqlite"


@dataclass(frozen=True, kw_only=True)
class Observe(Common):
    """Find the people in photos; write keypoints and part maps."""

    photos: Annotated[list[Path], tyro.conf.Positional] = field(default_factory=list)
    out: Path = Path("out")
    fov: float | None = None
    """Horizontal field of view in degrees, where the photo does not say."""
    format: Literal["kinflow", "openpose", "coco"] = "kinflow"
    models: tuple[Path, ...] = ()
    """Descriptions (.toml) of ONNX models to use instead of the default detector."""
    parts: bool = True
    """Label body parts on each person's mask."""
    overlay: bool = False
    """Also draw keypoints and parts over each photo."""


@dataclass(frozen=True, kw_only=True)
class Overlay(Common):
    """Draw fits over their photo."""

    photo: Annotated[Path, tyro.conf.Positional]
    fits: Annotated[list[Path], tyro.conf.Positional]
    out: Path = Path("overlay.png")


@dataclass(frozen=True, kw_only=True)
class Compare(Common):
    """Compare a fit with a known truth.

    The truth: a .json with `joints` in the camera's frame.
    """

    fit: Annotated[Path, tyro.conf.Positional]
    truth: Annotated[Path, tyro.conf.Positional]


def run_observe(command: Observe) -> dict[str, Any]:
    listed = list_sources(command.photos)
    count, failed = 0, {}
    # nothing is gone on with: it keeps the names, and others out of the folder
    with Journal(command.out, {}, name=NAMES) as journal, progress("finding people") as show:
        sources = journal.name(listed)
        for index, source in enumerate(sources):
            show(index / len(sources), Path(source.path).name)
            people: list[Observation] = []
            try:
                people = _observe(source, command)
            except KinflowError as error:
                failed[source.key] = str(error)
            else:
                if not people:
                    failed[source.key] = nobody(source.path)
            _write(source, people, command)
            count += len(people)
    for reason in failed.values():
        say(reason)
    return {"people": count, "failed": failed}


def _observe(source: Source, command: Observe) -> list[Observation]:
    from ..perception import observe

    if source.frame is not None:
        raise KinflowError(f"{source.path} is a video.", "Give photos; kinflow fit takes videos.")
    people = observe(
        source.path, fov_degrees=command.fov, models=command.models, parts=command.parts
    )
    return [replace(person, photo=source.index) for person in people]


def _write(source: Source, people: list[Observation], command: Observe) -> None:
    """A photo's files; those of people who are no longer found go."""
    from PIL import Image

    from ..drawing.overlay import draw_observations
    from ..perception.formats import write_observations, write_part_map
    from ..perception.photos import read_photo

    suffix = "observation" if command.format == "kinflow" else command.format
    keypoints = command.out / f"{source.stem}.{suffix}.json"
    picture = command.out / f"{source.stem}.observed.png"
    if people:
        write_observations(keypoints, people, command.format)
    else:
        keypoints.unlink(missing_ok=True)
        picture.unlink(missing_ok=True)
    for number in itertools.count():
        part_map = command.out / f"{source.stem}.{number}.parts.png"
        parts = people[number].parts if number < len(people) else None
        if parts is not None:
            write_part_map(part_map, parts)
        elif part_map.exists():
            part_map.unlink()
        elif number >= len(people):
            break
    if people and command.overlay:
        Image.fromarray(draw_observations(read_photo(source.path).rgb, people)).save(picture)


def run_overlay(command: Overlay) -> dict[str, Any]:
    from PIL import Image

    from ..drawing.overlay import overlay
    from ..perception.photos import read_photo
    from ..records import FitResult

    fits = [FitResult.load(path) for path in command.fits]
    Image.fromarray(overlay(read_photo(command.photo).rgb, fits)).save(command.out)
    return {"out": str(command.out)}


def run_compare(command: Compare) -> dict[str, Any]:
    import numpy as np

    from ..core.metrics import mpjpe, pa_mpjpe
    from ..records import FitResult

    fit = FitResult.load(command.fit)
    try:
        truth = np.array(json.loads(command.truth.read_text("utf-8"))["joints"], float)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KinflowError(
            f"{command.truth} is no truth file: {error}.", "Give a .json with 'joints'."
        ) from error
    numbers = {
        "mpjpe_mm": round(1e3 * float(mpjpe(fit.joints, truth)), 1),
        "pa_mpjpe_mm": round(1e3 * pa_mpjpe(fit.joints, truth), 1),
    }
    print(
        f"  against its truth: MPJPE {numbers['mpjpe_mm']} mm, PA-MPJPE {numbers['pa_mpjpe_mm']} mm"
    )
    return numbers

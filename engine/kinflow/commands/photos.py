"""observe, overlay, compare."""

import itertools
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from ..batch.journal import Journal
from ..batch.sources import Source, list_sources
from ..batch.work import nobody
from ..errors import KinflowError
from ..records import FitResult, Observation
from ..terminal import progress, say, warn
from .common import UNSET, Common, UsageError, make_room_for, say_written
from .inputs import INPUT

NAMES = "observed.sqlite"


@dataclass(frozen=True, kw_only=True)
class Observe(Common):
    """Find the people in photos; write keypoints and part maps."""

    photos: Annotated[
        list[Path],
        tyro.conf.Positional,
        tyro.conf.arg(metavar="PHOTO|FOLDER ...", help_behavior_hint=""),
    ] = field(default_factory=list, metadata=INPUT)
    """Photos, folders, or patterns in quotes ('shots/*.jpg')."""
    out: Path = Path("out")
    """The folder for all that is written."""
    fov: Annotated[float | None, UNSET] = None
    """Horizontal field of view in degrees, where the photo does not say."""
    format: Literal["kinflow", "openpose", "coco"] = "kinflow"
    """Of the keypoint files; all are .json."""
    models: Annotated[tuple[Path, ...], UNSET] = field(default=(), metadata=INPUT)
    """Descriptions (.toml) of ONNX models to use instead of the default detector."""
    parts: bool = True
    """Label body parts on each person's mask."""
    overlay: bool = False
    """Also draw keypoints and parts over each photo."""


@dataclass(frozen=True, kw_only=True)
class Overlay(Common):
    """Draw fits over their photo."""

    photo: Annotated[Path, tyro.conf.Positional] = field(metadata=INPUT)
    """The photo that was fitted."""
    fits: Annotated[list[Path], tyro.conf.Positional] = field(metadata=INPUT)
    """The .npz files of its people."""
    out: Path = Path("overlay.png")
    """The picture to write."""


@dataclass(frozen=True, kw_only=True)
class Compare(Common):
    """Compare a fit with a known truth.

    The truth: a .json with `joints` in the camera's frame.
    """

    fit: Annotated[Path, tyro.conf.Positional] = field(metadata=INPUT)
    """The .npz of a fit."""
    truth: Annotated[Path, tyro.conf.Positional] = field(metadata=INPUT)
    """The .json with the true joints."""


def run_observe(command: Observe) -> dict[str, Any]:
    found = list_sources(command.photos)
    count, files, failed = 0, 0, {}
    # nothing is gone on with: it keeps the names, and others out of the folder
    bar = progress("Finding people", len(found), "photos")
    with Journal(command.out, {}, name=NAMES) as journal, bar as show:
        sources = journal.name(found)
        for index, source in enumerate(sources):
            show(index / len(sources), "")
            people: list[Observation] = []
            reason = nobody(source.path)
            try:
                people = _observe(source, command)
            except KinflowError as error:
                reason = str(error)
            if not people:
                failed[source.key] = reason
            files += len(_write(source, people, command))
            count += len(people)
        show(1.0, "")
    for reason in failed.values():
        warn(reason)
    photos = "1 photo" if len(sources) == 1 else f"{len(sources)} photos"
    people_found = "1 person" if count == 1 else f"{count} people"
    say(f"{people_found} in {photos}; {files} files written to {command.out}")
    return {"people": count, "out": str(command.out), "files": files, "failed": failed}


def _observe(source: Source, command: Observe) -> list[Observation]:
    from ..perception import observe

    if source.frame is not None:
        raise KinflowError(f"{source.path} is a video.", "Give photos; kinflow fit takes videos.")
    people = observe(
        source.path, fov_degrees=command.fov, models=command.models, parts=command.parts
    )
    return [replace(person, photo=source.index) for person in people]


def _write(source: Source, people: list[Observation], command: Observe) -> list[Path]:
    """Writes a photo's files; those of people who are no longer found go. -> what was written."""
    from PIL import Image

    from ..drawing.overlay import draw_observations
    from ..perception.formats import write_observations, write_part_map
    from ..perception.photos import read_photo

    suffix = "observation" if command.format == "kinflow" else command.format
    keypoints = command.out / f"{source.stem}.{suffix}.json"
    picture = command.out / f"{source.stem}.observed.png"
    written = []
    if people:
        write_observations(keypoints, people, command.format)
        written.append(keypoints)
    else:
        keypoints.unlink(missing_ok=True)
        picture.unlink(missing_ok=True)
    for number in itertools.count():
        part_map = command.out / f"{source.stem}.{number}.parts.png"
        parts = people[number].parts if number < len(people) else None
        if parts is not None:
            write_part_map(part_map, parts)
            written.append(part_map)
        elif part_map.exists():
            part_map.unlink()
        elif number >= len(people):
            break
    if people and command.overlay:
        Image.fromarray(draw_observations(read_photo(source.path).rgb, people)).save(picture)
        written.append(picture)
    return written


def run_overlay(command: Overlay) -> dict[str, Any]:
    from PIL import Image

    from ..drawing.overlay import overlay
    from ..perception.photos import read_photo

    if not command.fits:
        raise UsageError("No fit was given.", "Name the .npz files that kinflow fit wrote.")
    fits = [FitResult.load(path) for path in command.fits]
    with progress("Drawing", len(fits), "people") as show:
        drawn = Image.fromarray(overlay(read_photo(command.photo).rgb, fits, report=show))
    make_room_for(command.out)
    drawn.save(command.out)
    say_written([command.out])
    return {"out": str(command.out)}


def run_compare(command: Compare) -> dict[str, Any]:
    import numpy as np

    from ..core.metrics import mpjpe, pa_mpjpe

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
    mpjpe_mm, pa_mpjpe_mm = numbers.values()
    print(f"  against its truth: MPJPE {mpjpe_mm} mm, PA-MPJPE {pa_mpjpe_mm} mm")
    return numbers

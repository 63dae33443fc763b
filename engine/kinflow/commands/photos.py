"""observe, overlay, compare."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from ..batch.sources import Source, list_sources
from ..errors import KinflowError
from .common import Common, progress, say


@dataclass(frozen=True, kw_only=True)
class Observe(Common):
    """Find the people in photos and write a keypoint file (and a part map) each."""

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
    """Compare a fit with a known truth (a .json with `joints` in the camera's frame)."""

    fit: Annotated[Path, tyro.conf.Positional]
    truth: Annotated[Path, tyro.conf.Positional]


def _observe_all(
    sources: list[Source], fov: float | None, models: tuple[Path, ...], parts: bool
) -> tuple[list, dict[int, str]]:
    """Observations of all photos (with .photo set) and the reason for each that failed."""
    from dataclasses import replace

    from ..perception import observe

    people, failed = [], {}
    with progress("finding people") as show:
        for index, source in enumerate(sources):
            show(index / len(sources), Path(source.path).name)
            try:
                if source.frame is not None:
                    raise KinflowError(
                        f"{source.path} is a video.", "Give photos; kinflow fit takes videos."
                    )
                found = observe(source.path, fov_degrees=fov, models=models, parts=parts)
            except KinflowError as error:
                failed[index] = str(error)
                continue
            if not found:
                failed[index] = (
                    f"No person was found in {source.path}. Try a photo with a larger, clearer person."
                )
            people += [replace(o, photo=index) for o in found]
    return people, failed


def run_observe(command: Observe) -> dict[str, Any]:
    from PIL import Image

    from ..drawing.overlay import draw_observations
    from ..perception.formats import write_observations, write_part_map
    from ..perception.photos import read_photo

    sources = list_sources(command.photos)
    people, failed = _observe_all(sources, command.fov, command.models, command.parts)
    command.out.mkdir(parents=True, exist_ok=True)
    suffix = {"kinflow": "observation", "openpose": "openpose", "coco": "coco"}[command.format]
    for index, stem in enumerate(source.stem for source in sources):
        own = [o for o in people if o.photo == index]
        if not own:
            continue
        write_observations(command.out / f"{stem}.{suffix}.json", own, command.format)
        for number, person in enumerate(own):
            if person.parts is not None:
                write_part_map(command.out / f"{stem}.{number}.parts.png", person.parts)
        if command.overlay:
            Image.fromarray(draw_observations(read_photo(sources[index].path).rgb, own)).save(
                command.out / f"{stem}.observed.png"
            )
    for reason in failed.values():
        say(reason)
    return {"people": len(people), "failed": {sources[i].path: r for i, r in failed.items()}}


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
    except (OSError, ValueError, KeyError) as error:
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

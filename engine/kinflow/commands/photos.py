"""observe, fit, overlay, compare: photos in, people out."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

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
class Fit(Common):
    """Fit bodies to the people in photos: an .npz a person, overlays, one table."""

    photos: Annotated[list[Path], tyro.conf.Positional] = field(default_factory=list)
    out: Path = Path("out")
    prior: str = "light"
    body: Path | None = None
    """The user's own SMPL file instead of the free body."""
    losses: tuple[str, ...] = ("ka", "ba")
    overlay: bool = True
    fov: float | None = None
    models: tuple[Path, ...] = ()
    """Descriptions (.toml) of ONNX models to use instead of the default detector."""
    observations: tuple[Path, ...] = ()
    """Keypoint files (OpenPose, COCO or kinflow JSON), one a photo, instead of any detector."""
    hypotheses: bool = False
    """Also draw every hypothesis side by side."""


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


def _expand(photos: list[Path]) -> list[Path]:
    suffixes = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}
    found: list[Path] = []
    for path in photos:
        found += sorted(p for p in path.iterdir() if p.suffix.lower() in suffixes) if path.is_dir() else [path]
    if not found:
        raise KinflowError("No photo was given.", "Name photos or folders of photos.")
    return found


def _observe_all(
    photos: list[Path], fov: float | None, models: tuple[Path, ...] = (), given: tuple[Path, ...] = (), parts: bool = False
) -> tuple[list, dict[int, str]]:
    """Observations of all photos (with .photo set) and the reason for each that failed."""
    from dataclasses import replace

    from ..perception import observe

    if given and len(given) != len(photos):
        raise KinflowError(f"{len(given)} keypoint files are given for {len(photos)} photos.", "Give one a photo, in the same order.")
    people, failed = [], {}
    with progress("finding people") as show:
        for index, path in enumerate(photos):
            show(index / len(photos), path.name)
            try:
                found = _given(given[index], path, fov) if given else observe(path, fov_degrees=fov, models=models, parts=parts)
            except KinflowError as error:
                failed[index] = str(error)
                continue
            if not found:
                failed[index] = f"No person was found in {path}. Try a photo with a larger, clearer person."
            people += [replace(o, photo=index) for o in found]
    return people, failed


def _given(path: Path, photo: Path, fov: float | None) -> list:
    """People of a keypoint file, on the camera of their photo where they bring none."""
    from dataclasses import replace

    from ..perception.formats import read_observations
    from ..perception.photos import read_photo

    camera = read_photo(photo, fov).camera
    return [replace(person, camera=person.camera or camera, image_path=str(photo)) for person in read_observations(path)]


def _stems(photos: list[Path]) -> list[str]:
    """A distinct name for each photo's outputs."""
    seen: dict[str, int] = {}
    names = []
    for path in photos:
        number = seen[path.stem] = seen.get(path.stem, 0) + 1
        names.append(path.stem if number == 1 else f"{path.stem}-{number}")
    return names


def run_observe(command: Observe) -> dict[str, Any]:
    from PIL import Image

    from ..drawing.overlay import draw_observations
    from ..perception.formats import write_observations, write_part_map
    from ..perception.photos import read_photo

    photos = _expand(command.photos)
    people, failed = _observe_all(photos, command.fov, command.models, parts=command.parts)
    command.out.mkdir(parents=True, exist_ok=True)
    suffix = {"kinflow": "observation", "openpose": "openpose", "coco": "coco"}[command.format]
    for index, stem in enumerate(_stems(photos)):
        own = [o for o in people if o.photo == index]
        if not own:
            continue
        write_observations(command.out / f"{stem}.{suffix}.json", own, command.format)
        for number, person in enumerate(own):
            if person.parts is not None:
                write_part_map(command.out / f"{stem}.{number}.parts.png", person.parts)
        if command.overlay:
            Image.fromarray(draw_observations(read_photo(photos[index]).rgb, own)).save(command.out / f"{stem}.observed.png")
    for reason in failed.values():
        say(reason)
    return {"people": len(people), "failed": {str(photos[i]): r for i, r in failed.items()}}


def run_fit(command: Fit) -> dict[str, Any]:
    import csv

    import numpy as np
    from PIL import Image

    from ..bodies.files import load_body
    from ..drawing.overlay import hypothesis_strip, overlay
    from ..fitting.fit import fit
    from ..flows.prior import load_prior
    from ..perception.photos import read_photo

    photos = _expand(command.photos)
    body, prior = load_body(command.body), load_prior(command.prior)
    people, failed = _observe_all(photos, command.fov, command.models, command.observations)
    with progress("fitting") as show:
        results = fit(people, body=body, prior=prior, losses=command.losses, device=command.device, seed=command.seed, progress=show)
    command.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for index, stem in enumerate(_stems(photos)):
        own = [(o, r) for o, r in zip(people, results, strict=True) if o.photo == index]
        for number, (person, result) in enumerate(own):
            result.save(command.out / f"{stem}.{number}.npz")
            share = result.keypoint_error_px / max(1.0, person.height_px())
            rows.append([str(photos[index]), number, result.status, f"{result.keypoint_error_px:.3f}", f"{share:.4f}",
                         "" if result.mask_iou is None else f"{result.mask_iou:.3f}", len(result.hypotheses), result.message])  # fmt: skip
        if own and command.overlay:
            Image.fromarray(overlay(read_photo(photos[index]).rgb, [r for _, r in own])).save(command.out / f"{stem}.overlay.png")
        if own and command.hypotheses:
            rgb = read_photo(photos[index]).rgb
            for number, (_, result) in enumerate(own):
                if result.hypotheses:
                    strip = hypothesis_strip(rgb, result, body)
                    Image.fromarray(strip).save(command.out / f"{stem}.{number}.hypotheses.png")
        if index in failed:
            rows.append([str(photos[index]), "", "failed", "", "", "", "", failed[index]])
            say(failed[index])
    with open(command.out / "report.csv", "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["photo", "person", "status", "keypoint_error_px", "error_of_height", "mask_iou", "hypotheses", "message"])
        writer.writerows(rows)
    good = [r for r in results if r.status in ("converged", "max_iterations")]
    if good:
        say(
            f"{len(good)} people in {len(photos) - len(failed)} photos, median keypoint error {np.median([r.keypoint_error_px for r in good]):.1f} px"
        )
    return {"people": len(good), "failed": {str(photos[i]): r for i, r in failed.items()}}


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

    from ..metrics import mpjpe, pa_mpjpe
    from ..records import FitResult

    fit = FitResult.load(command.fit)
    try:
        truth = np.array(json.loads(command.truth.read_text("utf-8"))["joints"], float)
    except (OSError, ValueError, KeyError) as error:
        raise KinflowError(f"{command.truth} is no truth file: {error}.", "Give a .json with 'joints'.") from error
    numbers = {"mpjpe_mm": round(1e3 * float(mpjpe(fit.joints, truth)), 1), "pa_mpjpe_mm": round(1e3 * pa_mpjpe(fit.joints, truth), 1)}
    print(f"  against its truth: MPJPE {numbers['mpjpe_mm']} mm, PA-MPJPE {numbers['pa_mpjpe_mm']} mm")
    return numbers

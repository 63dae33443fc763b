"""One unit of work: photos in, rows of the report and files out, as bytes; writes nothing."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import KinflowError
from ..records import FitResult, Observation
from .sources import Source, read_frames

if TYPE_CHECKING:
    from ..bodies.model import Body
    from ..priors.prior import Prior

COLUMNS = (
    "photo",
    "person",
    "status",
    "keypoint_error_px",
    "error_of_height",
    "mask_iou",
    "unusual",
    "hypotheses",
    "message",
)
FITTED = ("converged", "max_iterations")


@dataclass(frozen=True)
class Settings:
    """What is done with every photo; a run can only go on with the same ones."""

    prior: str = "light"
    body: str | None = None
    losses: tuple[str, ...] = ("ka", "ba")
    overlay: bool = True
    hypotheses: bool = False
    fov: float | None = None
    models: tuple[str, ...] = ()
    start: str = "both"
    search: str = "thorough"
    device: str = "auto"
    seed: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"losses": list(self.losses), "models": list(self.models)}


@dataclass(frozen=True)
class Finished:
    """A photo that is done: rows of the report, files by name, why it failed ("": it did not)."""

    rows: list[list[Any]]
    files: dict[str, bytes] = field(default_factory=dict)
    failure: str = ""


def failed(source: Source, reason: str) -> Finished:
    """A photo without a person who could be fitted."""
    return Finished([[source.key, "", "failed", "", "", "", "", reason]], failure=reason)


def check_settings(settings: Settings) -> None:
    """Loads what every unit will need, so that a wrong name ends a run before it begins.

    Raises KinflowError.
    """
    from ..fitting.fit import fit
    from ..perception import model_people

    body, prior = load_models(settings.body, settings.prior)
    model_people.load_models([Path(m) for m in settings.models])
    fit(
        [],
        body=body,
        prior=prior,
        losses=settings.losses,
        device=settings.device,
        starts=settings.start,
    )


@lru_cache(maxsize=1)
def load_models(body: str | None, prior: str) -> tuple[Body, Prior]:
    """Body and prior by name or path, kept from unit to unit."""
    from ..bodies.files import load_body
    from ..priors.prior import load_prior

    return load_body(body), load_prior(prior)


def process(unit: Sequence[Source], settings: Settings) -> dict[str, Finished]:
    """Finds and fits everybody in a unit. -> by the sources' keys.

    A photo that fails becomes a row; only wrong settings raise (KinflowError).
    """
    people: list[Observation] = []
    reasons: dict[str, str] = {}
    frames: dict[str, np.ndarray] = {}
    for source in unit:
        try:
            found = _observe(source, settings, frames)
        except KinflowError as error:
            reasons[source.key] = str(error)
        except Exception as error:  # one odd photo must not end a run of a hundred thousand
            reasons[source.key] = f"{source.key} could not be read: {type(error).__name__}: {error}"
        else:
            if not found:
                reasons[source.key] = nobody(source.key)
            people += [replace(person, photo=source.index) for person in found]
    pairs = list(zip(people, _fit(people, settings), strict=True))
    finished = {}
    for source in unit:
        if source.key in reasons:
            finished[source.key] = failed(source, reasons[source.key])
        else:
            mine = [pair for pair in pairs if pair[0].photo == source.index]
            finished[source.key] = _finish(source, mine, frames.get(source.key), settings)
    return finished


def nobody(name: str) -> str:
    """What is said of a photo without people."""
    return f"No person was found in {name}. Try a photo with a larger, clearer person."


def _finish(
    source: Source,
    people: Sequence[tuple[Observation, FitResult]],
    frame: np.ndarray | None,
    settings: Settings,
) -> Finished:
    """Rows and files of a photo with fitted people. frame: the picture, where it is a video's."""
    results = [result for _, result in people]
    finished = finish_people(source, list(enumerate(people)))
    try:
        finished.files.update(pictures(source, frame, results, settings))
    except Exception as error:  # the fits are kept, and the report says what is missing
        missing = f"The overlay could not be drawn: {error}"
        for row in finished.rows:
            row[-1] = f"{row[-1]} {missing}".strip()
        return replace(finished, failure=f"{source.key}: {missing}")
    return finished


def finish_people(
    source: Source, people: Sequence[tuple[int, tuple[Observation, FitResult]]]
) -> Finished:
    """Rows and .npz files of a photo's people, who are given with their numbers."""
    unfitted = [r.message or r.status for _, (_, r) in people if r.status not in FITTED]
    return Finished(
        [row_of(source, number, person, result) for number, (person, result) in people],
        {f"{source.stem}.{number}.npz": result.to_npz() for number, (_, result) in people},
        f"{source.key}: {unfitted[0]}" if unfitted else "",
    )


def _observe(
    source: Source, settings: Settings, frames: dict[str, np.ndarray]
) -> list[Observation]:
    from ..perception import observe
    from ..perception.formats import read_observations
    from ..perception.photos import read_photo

    if source.keypoint_file is not None:
        camera = read_photo(source.path, settings.fov).camera
        people = read_observations(source.keypoint_file)
        return [replace(p, camera=p.camera or camera, image_path=source.path) for p in people]
    if source.frame is None:
        return observe(
            source.path, fov_degrees=settings.fov, models=settings.models, search=settings.search
        )
    (image,) = read_frames([source])
    if isinstance(image, KinflowError):
        raise image
    frames[source.key] = image
    return observe(image, fov_degrees=settings.fov, models=settings.models, search=settings.search)


def _fit(people: list[Observation], settings: Settings) -> list[FitResult]:
    from ..fitting.fit import fit

    if not people:
        return []
    body, prior = load_models(settings.body, settings.prior)
    results = fit(
        people,
        body=body,
        prior=prior,
        losses=settings.losses,
        device=settings.device,
        seed=settings.seed,
        starts=settings.start,
    )
    # what depends on the clock alone would make two runs differ
    return [replace(r, timings={}) for r in results]


def row_of(source: Source, number: int, person: Observation, result: FitResult) -> list[Any]:
    """A person's row of the report."""
    share = result.keypoint_error_px / max(1.0, person.height_px())
    overlap = "" if result.mask_iou is None else f"{result.mask_iou:.3f}"
    return [
        source.key,
        number,
        result.status,
        f"{result.keypoint_error_px:.3f}",
        f"{share:.4f}",
        overlap,
        "" if result.unusual is None else f"{result.unusual:.0f}",
        len(result.hypotheses),
        result.message,
    ]


def pictures(
    source: Source, frame: np.ndarray | None, results: list[FitResult], settings: Settings
) -> dict[str, bytes]:
    """The pictures that the settings ask for, by name. frame: (H, W, 3), where it is a video's."""
    from ..drawing.overlay import hypothesis_strip, overlay
    from ..perception.photos import read_photo

    files: dict[str, bytes] = {}
    if not settings.overlay and not settings.hypotheses:
        return files
    rgb = read_photo(source.path).rgb if frame is None else frame
    if settings.overlay:
        files[f"{source.stem}.overlay.png"] = png_bytes(overlay(rgb, results))
    if settings.hypotheses:
        body, _ = load_models(settings.body, settings.prior)
        for i, result in enumerate(results):
            if result.hypotheses:
                files[f"{source.stem}.{i}.hypotheses.png"] = png_bytes(
                    hypothesis_strip(rgb, result, body)
                )
    return files


def png_bytes(rgb: np.ndarray) -> bytes:
    """(H, W, 3) uint8 -> the bytes of a PNG."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, "PNG")
    return stream.getvalue()

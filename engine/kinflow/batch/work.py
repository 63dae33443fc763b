"""One unit of work: photos in, rows of the report and files out, as bytes. Nothing is written here."""

from __future__ import annotations

import io
import tempfile
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
class Done:
    """A finished unit: rows of the report by source, and files by name."""

    rows: dict[str, list[list[Any]]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)


def check_settings(settings: Settings) -> None:
    """Loads what every unit will need, so that a wrong name ends a run before it begins. Raises KinflowError."""
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


def process(unit: Sequence[Source], settings: Settings) -> Done:
    """Finds and fits everybody in a unit. A photo that fails becomes a row; only wrong settings raise (KinflowError)."""
    people: list[Observation] = []
    owners: list[int] = []
    failed: dict[int, str] = {}
    photos: dict[int, np.ndarray] = {}
    for number, source in enumerate(unit):
        try:
            found = _observe(source, settings, photos, number)
        except KinflowError as error:
            failed[number] = str(error)
        except Exception as error:  # one odd photo must not end a run of a hundred thousand
            failed[number] = f"{source.key} could not be read: {type(error).__name__}: {error}"
        else:
            if not found:
                failed[number] = (
                    f"No person was found in {source.key}. Try a photo with a larger, clearer person."
                )
            people += [replace(person, photo=source.index) for person in found]
            owners += [number] * len(found)
    results = _fit(people, settings)
    done = Done()
    for number, source in enumerate(unit):
        if number in failed:
            done.rows[source.key] = [[source.key, "", "failed", "", "", "", "", failed[number]]]
            continue
        own = [(p, r) for p, r, o in zip(people, results, owners, strict=True) if o == number]
        done.rows[source.key] = [row_of(source, i, p, r) for i, (p, r) in enumerate(own)]
        for i, (_, result) in enumerate(own):
            done.files[f"{source.stem}.{i}.npz"] = _npz(result)
        if settings.overlay or settings.hypotheses:
            try:
                done.files.update(
                    _pictures(source, photos.get(number), [r for _, r in own], settings)
                )
            except (
                Exception
            ) as error:  # likewise: the fit is kept, and the row says what is missing
                for row in done.rows[source.key]:
                    row[-1] = f"{row[-1]} The overlay could not be drawn: {error}".strip()
    return done


def _observe(
    source: Source, settings: Settings, frames: dict[int, np.ndarray], number: int
) -> list[Observation]:
    from ..perception import observe
    from ..perception.formats import read_observations
    from ..perception.photos import read_photo

    if source.given is not None:
        camera = read_photo(source.path, settings.fov).camera
        people = read_observations(source.given)
        return [replace(p, camera=p.camera or camera, image_path=source.path) for p in people]
    if source.frame is None:
        return observe(
            source.path, fov_degrees=settings.fov, models=settings.models, search=settings.search
        )
    (image,) = read_frames([source])
    if isinstance(image, KinflowError):
        raise image
    frames[number] = image
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
        len(result.hypotheses),
        result.message,
    ]


def _npz(result: FitResult) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fit.npz"
        result.save(path)
        return path.read_bytes()


def _pictures(
    source: Source, frame: np.ndarray | None, results: list[FitResult], settings: Settings
) -> dict[str, bytes]:
    from ..drawing.overlay import hypothesis_strip, overlay
    from ..perception.photos import read_photo

    rgb = read_photo(source.path).rgb if frame is None else frame
    files = {}
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

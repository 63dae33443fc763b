"""One unit of work: photos in, rows of the report and files out, as bytes; writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import KinflowError, PhotoError
from ..records import FITTED, FitResult, Observation
from .pictures import draw, photo_thumbnail
from .settings import People, Settings, load_models
from .sources import Image, Source, read_frames

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


@dataclass(frozen=True)
class Finished:
    """A photo that is done: rows of the report, files by name, why it failed ("": it did not).

    thumbnails: a JPEG a row for report.html, none where no such page is wanted.
    """

    rows: list[list[Any]]
    files: dict[str, bytes] = field(default_factory=dict)
    failure: str = ""
    thumbnails: list[bytes] = field(default_factory=list)


def failed(source: Source, reason: str) -> Finished:
    """A photo without a person who could be fitted."""
    blanks = [""] * (len(COLUMNS) - 4)
    return Finished([[source.key, "", "failed", *blanks, reason]], failure=reason)


def nothing_seen(source: Source) -> None:
    """Nobody asked how far a unit is."""


def check_settings(settings: Settings) -> None:
    """Loads what every unit will need, so that a wrong name ends a run before it begins.

    Raises KinflowError.
    """
    from ..perception import model_people

    model_people.load_models(settings.models)
    _fit([], settings)


def fit_options(settings: Settings) -> dict[str, Any]:
    """What `fit` and `fit_sequence` are called with alike."""
    body, prior = load_models(settings.body, settings.prior)
    names = ("losses", "device", "seed", "sex", "age", "pitch", "roll")
    same = {name: getattr(settings, name) for name in names}
    return same | {"body": body, "prior": prior}


def process(
    unit: Sequence[Source], settings: Settings, seen: Callable[[Source], None] = nothing_seen
) -> dict[str, Finished]:
    """Finds and fits everybody in a unit. -> by the sources' keys.

    seen: told of each photo when people were looked for in it, which takes most of the time. A
    photo that fails becomes a row; only wrong settings raise (KinflowError).
    """
    images = list(read_frames(unit))
    people: list[Observation] = []
    reasons: dict[str, str] = {}
    for source, image in zip(unit, images, strict=True):
        in_photo, reasons[source.key] = observe_source(source, image, settings)
        people += in_photo
        seen(source)
    pairs = list(zip(people, _fit(people, settings), strict=True))
    finished = {}
    for source, image in zip(unit, images, strict=True):
        mine = [pair for pair in pairs if pair[0].photo == source.index]
        if mine:
            finished[source.key] = finish(source, image, list(enumerate(mine)), settings)
        else:
            lost = failed(source, reasons[source.key])
            thumbnails = [photo_thumbnail(source, image)] if settings.sheet else []
            finished[source.key] = replace(lost, thumbnails=thumbnails)
    return finished


def process_alone(
    unit: Sequence[Source], settings: Settings, seen: Callable[[Source], None] = nothing_seen
) -> dict[str, Finished] | KinflowError:
    """`process` in a worker: with one thread, and wrong settings as a value that can be sent."""
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        return process(unit, settings, seen)
    except KinflowError as error:
        return error


def nobody(name: str) -> str:
    """What is said of a photo without people."""
    return f"No person was found in {name}. Try a photo with a larger, clearer person."


def finish(source: Source, image: Image, people: People, settings: Settings) -> Finished:
    """Rows and files of a photo with fitted people."""
    unfitted = [r.message or r.status for _, (_, r) in people if r.status not in FITTED]
    finished = Finished(
        [_row(source, number, person, result) for number, (person, result) in people],
        {f"{source.stem}.{number}.npz": result.to_npz() for number, (_, result) in people},
        f"{source.key}: {unfitted[0]}" if unfitted else "",
    )
    try:
        files, thumbnails = draw(source, image, people, settings)
    except Exception as error:  # the fits are kept, and the report says what is missing
        missing = f"The overlay could not be drawn: {error}"
        for row in finished.rows:
            row[-1] = f"{row[-1]} {missing}".strip()
        return replace(finished, failure=f"{source.key}: {missing}")
    return replace(finished, files=finished.files | files, thumbnails=thumbnails)


def observe_source(
    source: Source, image: Image, settings: Settings
) -> tuple[list[Observation], str]:
    """-> people, and why there are none."""
    try:
        people = _observe(source, image, settings)
    except KinflowError as error:
        return [], str(error)
    except Exception as error:  # one odd photo must not end a run of a hundred thousand
        return [], f"{source.key} could not be read: {type(error).__name__}: {error}"
    reason = "" if people else nobody(source.key)
    return [replace(person, photo=source.index) for person in people], reason


def _observe(source: Source, image: Image, settings: Settings) -> list[Observation]:
    from ..perception import observe
    from ..perception.formats import read_observations
    from ..perception.photos import read_photo

    if source.keypoint_file is not None:
        camera = read_photo(source.path, settings.fov).camera
        people = read_observations(source.keypoint_file)
        return [replace(p, camera=p.camera or camera, image_path=source.path) for p in people]
    if isinstance(image, PhotoError):
        raise image
    return observe(
        source.path if image is None else image,
        fov_degrees=settings.fov,
        models=settings.models,
        search=settings.search,
    )


def _fit(people: list[Observation], settings: Settings) -> list[FitResult]:
    from ..fitting.fit import fit

    results = fit(people, starts=settings.start, **fit_options(settings))
    # what depends on the clock alone would make two runs differ
    return [replace(r, timings={}) for r in results]


def _row(source: Source, number: int, person: Observation, result: FitResult) -> list[Any]:
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

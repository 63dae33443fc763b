"""What a unit of work draws: overlays, hypotheses, sheets, and thumbnails for report.html."""

from __future__ import annotations

import contextlib
import io

import numpy as np

from ..errors import KinflowError, PhotoError
from ..records import FITTED, FitResult
from .settings import People, Settings, load_models
from .sources import Image, Source


def draw(
    source: Source, image: Image, people: People, settings: Settings
) -> tuple[dict[str, bytes], list[bytes]]:
    """The pictures that the settings ask for, by name, and a thumbnail a person."""
    from ..drawing.overlay import hypothesis_strip, overlay

    files: dict[str, bytes] = {}
    if not (settings.overlay or settings.hypotheses or settings.sheet):
        return files, []
    rgb = _photo(source, image)
    thumbnails: list[bytes] = []
    if settings.sheet:
        files[f"{source.stem}.sheet.png"], thumbnails = _sheet(source, rgb, people, settings)
    if settings.overlay:
        files[f"{source.stem}.overlay.png"] = _png(overlay(rgb, [r for _, (_, r) in people]))
    if settings.hypotheses:
        body, _ = load_models(settings.body, settings.prior)
        for number, (_, result) in people:
            if result.hypotheses:
                strip = hypothesis_strip(rgb, result, body)
                files[f"{source.stem}.{number}.hypotheses.png"] = _png(strip)
    return files, thumbnails


def photo_thumbnail(source: Source, image: Image) -> bytes:
    """A photo without people for report.html; nothing where it cannot be read."""
    from ..drawing.fit_sheet import thumbnail

    with contextlib.suppress(KinflowError, OSError):
        return _jpeg(thumbnail(_photo(source, image)))
    return b""


def _photo(source: Source, image: Image) -> np.ndarray:
    from ..perception.photos import read_photo

    if isinstance(image, PhotoError):
        raise image
    return read_photo(source.path).rgb if image is None else image


def _sheet(
    source: Source, rgb: np.ndarray, people: People, settings: Settings
) -> tuple[bytes, list[bytes]]:
    from ..drawing.fit_sheet import Person, fit_pages

    body, _ = load_models(settings.body, settings.prior)
    shown = [Person(seen, fit, _unusual(fit, settings)) for _, (seen, fit) in people]
    pages = fit_pages(source.key, rgb, shown, body.arrays)
    return _png(pages.sheet), [_jpeg(picture) for picture in pages.thumbnails]


def _unusual(result: FitResult, settings: Settings) -> str:
    """How unusual the pose is, in words; "" where the prior cannot tell."""
    from ..core.arrays import numpy_namespace as xp
    from ..core.rotations import axis_angle_to_matrix
    from ..priors.arrays import load_prior_arrays

    if result.unusual is None or result.status not in FITTED:
        return ""
    pose = axis_angle_to_matrix(xp, result.body_pose.astype(np.float64))
    return load_prior_arrays(settings.prior).unusual(pose[None]).text()


def _png(rgb: np.ndarray) -> bytes:
    """(H, W, 3) uint8 -> the bytes of a PNG."""
    import PIL.Image

    stream = io.BytesIO()
    # three times as fast as the usual 6, for a tenth more bytes
    PIL.Image.fromarray(rgb).save(stream, "PNG", compress_level=3)
    return stream.getvalue()


def _jpeg(rgb: np.ndarray) -> bytes:
    import PIL.Image

    stream = io.BytesIO()
    PIL.Image.fromarray(rgb).save(stream, "JPEG", quality=80)
    return stream.getvalue()

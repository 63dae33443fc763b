"""Photos as they are: any common format, upright, 8-bit RGB, bounded in memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import PhotoError
from ..records import Camera

MAX_PIXELS = 178_000_000
WORK_SIZE = 4096
_SENSOR_WIDTH_35MM = 36.0


@dataclass(frozen=True)
class Photo:
    """rgb (H, W, 3) uint8 upright; camera of the full upright photo; whether EXIF turned it; its path.

    `scale`: rgb's size over the full photo's, below 1 where a very large photo was reduced.
    """

    rgb: np.ndarray
    camera: Camera
    turned: bool
    path: str | None
    scale: float = 1.0


def read_photo(path: str | os.PathLike, fov_degrees: float | None = None) -> Photo:
    """Reads a photo with Pillow. Raises PhotoError with a plain sentence for whatever is no photo."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    path = Path(path)
    if not path.exists():
        raise PhotoError(f"There is no file {path}.", "Check the path.")
    if path.is_dir():
        raise PhotoError(f"{path} is a folder.", "Give a photo, or the photos in the folder.")
    try:
        Image.MAX_IMAGE_PIXELS = None  # checked below, with a sentence of ours
        with Image.open(path) as image:
            if image.width * image.height > MAX_PIXELS:
                raise PhotoError(
                    f"{path} claims {image.width} x {image.height} pixels.",
                    f"Give a photo of at most {MAX_PIXELS // 10**6} megapixels.",
                )
            if min(image.size) < 16:
                raise PhotoError(
                    f"{path} is only {image.width} x {image.height} pixels.", "Give a larger photo."
                )
            exif = image.getexif()
            turned = exif.get(0x0112, 1) not in (0, 1)
            focal_35mm = _exif_focal(exif)
            width, height = image.size
            if exif.get(0x0112, 1) in (5, 6, 7, 8):
                width, height = height, width
            if max(image.size) > WORK_SIZE:
                image.draft("RGB", (WORK_SIZE, WORK_SIZE))
                image.thumbnail((WORK_SIZE, WORK_SIZE))
            rgb = _to_rgb(ImageOps.exif_transpose(image))
    except PhotoError:
        raise
    except (
        UnidentifiedImageError,
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        MemoryError,
    ) as error:
        raise PhotoError(
            f"{path} cannot be read as an image.", "Give a JPEG, PNG, WebP or TIFF photo."
        ) from error
    camera = Camera.guess(width, height, fov_degrees)
    if fov_degrees is None and focal_35mm:
        focal = focal_35mm / _SENSOR_WIDTH_35MM * max(width, height)
        camera = Camera(focal, focal, width / 2, height / 2, width, height)
    return Photo(rgb, camera, turned, str(path), rgb.shape[1] / width)


def _exif_focal(exif: Any) -> float | None:
    """35 mm equivalent focal length from EXIF, where it is sensible."""
    try:
        value = float(exif.get_ifd(0x8769).get(0xA405, 0))
    except (TypeError, ValueError, ZeroDivisionError, AttributeError):
        return None
    return value if 8 <= value <= 800 else None


def _to_rgb(image: Any) -> np.ndarray:
    """Any mode -> (H, W, 3) uint8; transparent pixels become white, 16-bit ones are scaled."""
    if image.mode.startswith(("I", "F")):
        array = np.asarray(image, np.float64)
        top = 65535.0 if array.max() > 255 else 255.0
        grey = np.clip(array / top * 255, 0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, -1)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        rgba = np.asarray(image, np.float32)
        alpha = rgba[..., 3:] / 255
        return (rgba[..., :3] * alpha + 255 * (1 - alpha)).round().astype(np.uint8)
    return np.array(image.convert("RGB"))


def as_photo(image: str | os.PathLike | np.ndarray, fov_degrees: float | None = None) -> Photo:
    """A path or an upright (H, W, 3) uint8 RGB array -> Photo."""
    if not isinstance(image, np.ndarray):
        return read_photo(image, fov_degrees)
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, -1)
    if (
        image.ndim != 3
        or image.shape[2] != 3
        or image.dtype != np.uint8
        or min(image.shape[:2]) < 16
    ):
        raise PhotoError(
            f"An image array should be (H, W, 3) uint8 of at least 16 px, not {image.shape} {image.dtype}."
        )
    height, width = image.shape[:2]
    return Photo(np.ascontiguousarray(image), Camera.guess(width, height, fov_degrees), False, None)


def write_upright(photo: Photo, folder: Path) -> str | None:
    """Where EXIF turned the photo, its upright copy as PNG: Blender ignores EXIF. -> path to show in Blender."""
    if not photo.turned or photo.path is None:
        return photo.path
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{Path(photo.path).stem}-upright.png"
    Image.fromarray(photo.rgb).save(target)
    return str(target)

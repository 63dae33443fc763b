"""Photos as they are: any common format, upright, 8-bit RGB, bounded in memory."""

import contextlib
import hashlib
import importlib
import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import KinflowError, PhotoError
from ..records import Camera
from ..userfiles import LIMIT_VARIABLE, limit_bytes, parsing, read_bytes, replacing

MAX_MB = 512  # of the file, and unpacked as RGB
WORK_SIZE = 4096
# Pillow knows fifty formats more, one of which (EPS) starts Ghostscript
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "AVIF", "HEIF")
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"avif", b"avis"}
_HINT = "Give a JPEG, PNG, WebP or TIFF photo."
_SENSOR_WIDTH_35MM = 36.0
_ORIENTATION, _EXIF_BLOCK, _FOCAL_35MM = 0x0112, 0x8769, 0xA405


@dataclass(frozen=True)
class Photo:
    """rgb (H, W, 3) uint8 upright; camera of the full upright photo; whether EXIF turned it; path.

    `scale`: rgb's size over the full photo's, below 1 where a very large photo was reduced.
    `focal_35mm`: EXIF's focal length for a sensor of 36 mm, where it says one. `foreign`: of a
    format that Blender does not show.
    """

    rgb: np.ndarray
    camera: Camera
    turned: bool
    path: str | None
    scale: float = 1.0
    focal_35mm: float | None = None
    foreign: bool = False

    def full_size(self, plane: np.ndarray) -> np.ndarray:
        """A plane of `rgb`'s size in the full photo's: each pixel takes the nearest value."""
        if self.scale == 1:
            return plane
        import cv2

        size = (self.camera.width, self.camera.height)
        return cv2.resize(plane, size, interpolation=cv2.INTER_NEAREST)


def read_photo(path: str | os.PathLike, fov_degrees: float | None = None) -> Photo:
    """Reads a photo with Pillow. Raises PhotoError for whatever is no photo."""
    from PIL import ImageOps

    with open_image(path) as image:
        exif = image.getexif()
        orientation, focal_35mm = exif.get(_ORIENTATION, 1), _exif_focal(exif)
        width, height = image.size
        if orientation in (5, 6, 7, 8):
            width, height = height, width
        if max(image.size) > WORK_SIZE:
            image.draft("RGB", (WORK_SIZE, WORK_SIZE))
            image.thumbnail((WORK_SIZE, WORK_SIZE))
        foreign = image.format in ("AVIF", "HEIF", "GIF", "PPM")
        rgb = _to_rgb(ImageOps.exif_transpose(image))
    camera = Camera.guess(width, height, fov_degrees)
    if fov_degrees is None and focal_35mm:
        focal = focal_35mm / _SENSOR_WIDTH_35MM * max(width, height)
        camera = Camera(focal, focal, width / 2, height / 2, width, height)
    turned = orientation not in (0, 1)
    scale = rgb.shape[1] / width
    return Photo(rgb, camera, turned, os.fspath(path), scale, focal_35mm, foreign)


@contextlib.contextmanager
def open_image(path: str | os.PathLike, error: type[KinflowError] = PhotoError) -> Iterator[Any]:
    """Opens an image file with Pillow, for a `with` block. Raises `error`, also in that block."""
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = None  # checked below, with a sentence of ours
    pixels = limit_bytes(MAX_MB) // 3
    raw = read_bytes(path, MAX_MB, error, _HINT)
    with parsing(path, _HINT, error, "photo"):
        _prepare_heif(raw, path, error)
        try:
            # of a file, Pillow reads as many bytes as the file tells it to
            image = Image.open(io.BytesIO(raw), formats=[f for f in FORMATS if _known(f)])
        except UnidentifiedImageError as reason:
            raise error(f"{path} cannot be read as an image.", _HINT) from reason
        if image.width * image.height > pixels:
            raise error(
                f"{path} claims {image.width} x {image.height} pixels.",
                f"Give a photo of at most {pixels // 10**6} megapixels, or set {LIMIT_VARIABLE}.",
            )
        if min(image.size) < 16:
            raise error(
                f"{path} is only {image.width} x {image.height} pixels.", "Give a larger photo."
            )
        yield image


def _known(name: str) -> bool:
    """Whether Pillow reads a format here."""
    from PIL import Image

    Image.init()
    return name in Image.OPEN


def _prepare_heif(raw: bytes, path: str | os.PathLike, error: type[KinflowError]) -> None:
    """Registers the reader that HEIC and AVIF need, or raises `error` with the extra's name."""
    if raw[4:8] != b"ftyp" or raw[8:12] not in _HEIF_BRANDS:
        return
    name = "AVIF" if b"avif" in raw[:64] else "HEIC"
    with contextlib.suppress(ImportError):
        if not _known("AVIF" if name == "AVIF" else "HEIF"):
            importlib.import_module("pillow_heif").register_heif_opener()
        return
    raise error(
        f"{path} is a photo in {name}, which is read with an extra package.",
        'Run: pip install "kinflow[heif]", or export the photo as JPEG.',
    )


def _exif_focal(exif: Any) -> float | None:
    """35 mm equivalent focal length from EXIF, where it is sensible."""
    try:
        value = float(exif.get_ifd(_EXIF_BLOCK).get(_FOCAL_35MM, 0))
    except Exception:  # a damaged block of EXIF is none; Pillow raises a dozen kinds
        return None
    return value if 8 <= value <= 800 else None


def _to_rgb(image: Any) -> np.ndarray:
    """Any mode -> (H, W, 3) uint8; transparent pixels become white, 16-bit ones are scaled."""
    if image.mode.startswith(("I", "F")):
        array = np.nan_to_num(np.asarray(image, np.float64))
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
    colours = image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8
    if not colours or min(image.shape[:2]) < 16:
        wanted = "An image array should be (H, W, 3) uint8 of at least 16 px"
        why = f"{wanted}, not {image.shape} {image.dtype}."
        raise PhotoError(why, "Convert it to 8-bit RGB.")
    height, width = image.shape[:2]
    return Photo(np.ascontiguousarray(image), Camera.guess(width, height, fov_degrees), False, None)


def write_upright(photo: Photo, folder: Path) -> str | None:
    """An upright copy as PNG of a photo that Blender shows lying or not at all. -> path to show.

    The copy's name is of the photo's whole path, and it keeps the focal length. Raises PhotoError.
    """
    if photo.path is None or not (photo.turned or photo.foreign):
        return photo.path
    from PIL import Image

    whole = hashlib.sha256(os.fsencode(os.path.abspath(photo.path))).hexdigest()[:16]
    stem = re.sub(r"[^\w.-]+", "_", Path(photo.path).stem)[:60]
    target = folder / f"{stem}-{whole}-upright.png"
    exif = Image.Exif()
    exif[_ORIENTATION] = 1
    if photo.focal_35mm:
        exif.get_ifd(_EXIF_BLOCK)[_FOCAL_35MM] = round(photo.focal_35mm)
    with replacing(target, PhotoError) as temporary:
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo.rgb).save(temporary, "PNG", exif=exif)
    return str(target)

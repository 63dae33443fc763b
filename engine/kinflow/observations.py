"""What is seen of a person, numpy only: Camera, Observation and its JSON form."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InvalidInputError

NumpyArray = npt.NDArray[Any]
OBSERVATION_VERSION = 2
LARGEST_PHOTO = 1e5  # px a side, where a keypoint far off would tell of more
KEYPOINT_SETS = {"coco17": 17, "blazepose33": 33, "body25": 25}


def has_shape(array: NumpyArray, shape: tuple[int | None, ...]) -> bool:
    """Whether an array has these lengths; None: any."""
    return array.ndim == len(shape) and all(
        want in (None, have) for want, have in zip(shape, array.shape, strict=True)
    )


def _array(value: Any, dtype: type, shape: tuple[int | None, ...], name: str) -> NumpyArray:
    try:
        array: NumpyArray = np.array(value, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"{name} is not an array of numbers.") from error
    if not has_shape(array, shape):
        wanted = tuple("any" if s is None else s for s in shape)
        raise InvalidInputError(f"{name} should have shape {wanted}, not {array.shape}.")
    array.setflags(write=False)
    return array


def pinhole(points: Any, depth: Any, focal: Any, centre: Any) -> Any:
    """Points (..., 3) at depths (..., 1) -> pixels (..., 2), focal * xy / depth + centre."""
    return points[..., :2] / depth * focal + centre


@dataclass(frozen=True)
class Camera:
    """Pinhole camera, OpenCV axes (x right, y down, z forward), px of the upright full photo."""

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int

    def __post_init__(self) -> None:
        finite = np.isfinite((self.fx, self.fy, self.cx, self.cy)).all()
        if not finite or min(self.fx, self.fy, self.width, self.height) <= 0:
            raise InvalidInputError(
                "A camera needs finite numbers, focal lengths above 0 and a size above 0."
            )

    def project(self, points: NumpyArray) -> NumpyArray:
        """Camera-frame points (..., 3) in metres -> pixels (..., 2); NaN behind the camera."""
        points = np.asarray(points)
        depth = np.where(points[..., 2:] > 0, points[..., 2:], np.nan)
        focal, centre = np.array([self.fx, self.fy]), np.array([self.cx, self.cy])
        return np.asarray(pinhole(points, depth, focal, centre))

    def to_dict(self) -> dict[str, float | int]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @staticmethod
    def guess(width: int, height: int, fov_degrees: float | None = None) -> Camera:
        """Of a stated horizontal field of view, else a normal lens: focal length = the diagonal."""
        if fov_degrees is not None:
            focal = 0.5 * width / np.tan(0.5 * np.radians(fov_degrees))
        else:
            focal = float(np.hypot(width, height))
        return Camera(focal, focal, width / 2, height / 2, width, height)


@dataclass(frozen=True)
class Observation:
    """What is seen of one person in one photo.

    keypoints (K, 2) px, confidence (K,) in 0..1, keypoint_set of KEYPOINT_SETS, camera, box (4,)
    xyxy px, mask (H, W) bool, parts (H, W) uint8 with 0 = none, world_landmarks (K, 3) m (camera
    axes, hip centre), sigma (K,) px: each keypoint's scale of error, where it is known;
    either_side (K,) bool: keypoints that may be their partners on the other side of the body.
    """

    keypoints: NumpyArray
    confidence: NumpyArray
    keypoint_set: str = "coco17"
    camera: Camera | None = None
    box: NumpyArray | None = None
    mask: NumpyArray | None = None
    parts: NumpyArray | None = None
    world_landmarks: NumpyArray | None = None
    image_path: str | None = None
    photo: int = 0
    sigma: NumpyArray | None = None
    either_side: NumpyArray | None = None

    def __post_init__(self) -> None:
        if self.keypoint_set not in KEYPOINT_SETS:
            raise InvalidInputError(
                f"Unknown keypoint set '{self.keypoint_set}'.",
                f"Use one of {', '.join(KEYPOINT_SETS)}.",
            )
        count = KEYPOINT_SETS[self.keypoint_set]
        shapes: dict[str, tuple[type, tuple[int | None, ...]]] = {
            "keypoints": (np.float32, (count, 2)),
            "confidence": (np.float32, (count,)),
            "sigma": (np.float32, (count,)),
            "either_side": (np.bool_, (count,)),
            "box": (np.float32, (4,)),
            "mask": (np.bool_, (None, None)),
            "parts": (np.uint8, (None, None)),
            "world_landmarks": (np.float32, (count, 3)),
        }
        for name, (dtype, shape) in shapes.items():
            value = getattr(self, name)
            if value is not None or name in ("keypoints", "confidence"):
                object.__setattr__(self, name, _array(value, dtype, shape, name))
        size = (self.camera.height, self.camera.width) if self.camera is not None else None
        for name in ("mask", "parts"):
            array = getattr(self, name)
            if array is not None and size not in (None, array.shape):
                raise InvalidInputError(
                    f"{name} is (height, width) {array.shape} and the camera's photo {size}.",
                    "Give maps of the full upright photo.",
                )
        if self.image_path is not None:
            object.__setattr__(self, "image_path", os.fspath(self.image_path))

    @property
    def usable(self) -> NumpyArray:
        """Which keypoints are finite and confident above 0. (K,) bool."""
        with np.errstate(invalid="ignore"):
            known = np.isfinite(self.keypoints).all(1) & np.isfinite(self.confidence)
            return np.asarray(known & (self.confidence > 0))

    def assumed_camera(self) -> Camera:
        """A normal lens on a photo of the size that maps or keypoints tell."""
        for plane in (self.mask, self.parts):
            if plane is not None:
                return Camera.guess(plane.shape[1], plane.shape[0])
        points = self.keypoints[self.usable]
        if not len(points):
            return Camera.guess(1000, 1000)
        width, height = np.clip(np.ceil(points.max(0) * 1.1), 1, LARGEST_PHOTO).astype(int)
        return Camera.guess(int(width), int(height))

    def height_px(self) -> float:
        """Height of the person's box, or of the usable keypoints' extent."""
        if self.box is not None and np.isfinite(self.box).all() and self.box[3] > self.box[1]:
            return float(self.box[3] - self.box[1])
        points = self.keypoints[self.usable]
        return float(np.ptp(points, axis=0).max()) if len(points) else 0.0

    def to_json(self) -> dict[str, Any]:
        """Everything but the pixel maps, as JSON."""
        arrays = ("keypoints", "confidence", "box", "world_landmarks", "sigma", "either_side")
        values = {name: getattr(self, name) for name in arrays}
        return {n: None if v is None else np.asarray(v).tolist() for n, v in values.items()} | {
            "kinflow_kind": "observation",
            "format_version": OBSERVATION_VERSION,
            "keypoint_set": self.keypoint_set,
            "camera": self.camera.to_dict() if self.camera else None,
            "image_path": self.image_path,
            "photo": self.photo,
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> Observation:
        """Reads `to_json`'s form. Raises InvalidInputError naming the field."""
        try:
            camera = Camera(**data["camera"]) if data.get("camera") else None
            rest: dict[str, Any] = {
                name: data.get(name)
                for name in ("box", "world_landmarks", "image_path", "sigma", "either_side")
            }
            rest |= {"keypoint_set": data.get("keypoint_set", "coco17"), "camera": camera}
            photo = int(data.get("photo", 0))
            return Observation(data["keypoints"], data["confidence"], photo=photo, **rest)
        except (KeyError, TypeError) as error:
            raise InvalidInputError(f"The observation lacks or misspells field {error}.") from error

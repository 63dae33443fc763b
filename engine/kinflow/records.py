"""What goes in and comes out, numpy only: Camera, Observation, FitResult, Hypothesis and their file
forms.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .errors import AssetError, InvalidInputError
from .userfiles import read_npz

NumpyArray = npt.NDArray[Any]
RESULT_VERSION = 2
MAX_RESULT_MB = 256
KEYPOINT_SETS = {"coco17": 17, "blazepose33": 33, "body25": 25}
STATUSES = ("converged", "max_iterations", "too_few_keypoints", "failed")


def _array(value: Any, dtype: type, shape: tuple[int | None, ...], name: str) -> NumpyArray:
    try:
        array: NumpyArray = np.array(value, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"{name} is not an array of numbers.") from error
    if array.ndim != len(shape) or any(
        want is not None and want != have for want, have in zip(shape, array.shape, strict=True)
    ):
        wanted = tuple("any" if s is None else s for s in shape)
        raise InvalidInputError(f"{name} should have shape {wanted}, not {array.shape}.")
    array.setflags(write=False)
    return array


class PriorId(NamedTuple):
    """Which prior a latent code belongs to: under another it means nothing."""

    name: str
    checksum: str


def pinhole(points: Any, depth: Any, focal: Any, centre: Any) -> Any:
    """Pixels (..., 2) of points (..., 3) at depths (..., 1): focal * xy / depth + centre, of any
    arrays.
    """
    return points[..., :2] / depth * focal + centre


@dataclass(frozen=True)
class Camera:
    """Pinhole camera, OpenCV axes (x right, y down, z forward), in pixels of the upright full
    photo.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int

    def __post_init__(self) -> None:
        values = (self.fx, self.fy, self.cx, self.cy)
        if (
            not np.isfinite(values).all()
            or min(self.fx, self.fy) <= 0
            or min(self.width, self.height) <= 0
        ):
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
        """Camera of a stated horizontal field of view, else of a normal lens: focal length = the
        diagonal.
        """
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
    axes, hip centre), sigma (K,) px: each keypoint's scale of error, where it is known.
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
            "box": (np.float32, (4,)),
            "mask": (np.bool_, (None, None)),
            "parts": (np.uint8, (None, None)),
            "world_landmarks": (np.float32, (count, 3)),
        }
        for name, (dtype, shape) in shapes.items():
            value = getattr(self, name)
            if value is not None or name in ("keypoints", "confidence"):
                object.__setattr__(self, name, _array(value, dtype, shape, name))
        for name in ("mask", "parts"):
            array = getattr(self, name)
            if (
                array is not None
                and self.camera is not None
                and array.shape != (self.camera.height, self.camera.width)
            ):
                raise InvalidInputError(
                    f"{name} is {array.shape[1]} x {array.shape[0]} and the camera's photo "
                    f"{self.camera.width} x {self.camera.height}.",
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
        width, height = np.maximum(1, np.ceil(points.max(0) * 1.1)).astype(int)
        return Camera.guess(int(width), int(height))

    def height_px(self) -> float:
        """Height of the person's box, or of the usable keypoints' extent."""
        if self.box is not None and np.isfinite(self.box).all() and self.box[3] > self.box[1]:
            return float(self.box[3] - self.box[1])
        points = self.keypoints[self.usable]
        return float(np.ptp(points, axis=0).max()) if len(points) else 0.0

    def to_json(self) -> dict[str, Any]:
        """Everything but the pixel maps, as JSON."""
        arrays = ("keypoints", "confidence", "box", "world_landmarks", "sigma")
        values = {name: getattr(self, name) for name in arrays}
        return {n: None if v is None else np.asarray(v).tolist() for n, v in values.items()} | {
            "kinflow_kind": "observation",
            "format_version": RESULT_VERSION,
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
            return Observation(
                data["keypoints"],
                data["confidence"],
                data.get("keypoint_set", "coco17"),
                camera,
                data.get("box"),
                world_landmarks=data.get("world_landmarks"),
                image_path=data.get("image_path"),
                photo=int(data.get("photo", 0)),
                sigma=data.get("sigma"),
            )
        except (KeyError, TypeError) as error:
            raise InvalidInputError(f"The observation lacks or misspells field {error}.") from error


@dataclass(frozen=True)
class Hypothesis:
    """One minimum of the fit: the parameters of `FitResult`, its energy, keypoint error and
    log-probability.
    """

    global_orient: NumpyArray
    body_pose: NumpyArray
    betas: NumpyArray
    transl: NumpyArray
    z: NumpyArray
    joints: NumpyArray
    energy: float
    keypoint_error_px: float
    log_prob: float


@dataclass(frozen=True)
class FitResult:
    """A fitted person. float32: global_orient (3,), body_pose (23, 3) axis-angle, betas (10,),
    transl (3,), z (D,), vertices (V, 3) and joints (24, 3) in metres in the camera frame, faces (F,
    3) of the body that was fitted.

    keypoint_error_px: mean distance of the usable keypoints, confidence-weighted;
    `keypoint_errors_px` (K,) by keypoint, NaN where unused. part_iou: mean over parts, None without
    part labels. status of STATUSES. prior: name and checksum of the prior that z belongs to.
    """

    global_orient: NumpyArray
    body_pose: NumpyArray
    betas: NumpyArray
    transl: NumpyArray
    z: NumpyArray
    camera: Camera
    vertices: NumpyArray
    joints: NumpyArray
    keypoint_error_px: float
    part_iou: float | None
    log_prob: float
    status: str
    timings: dict[str, float]
    hypotheses: tuple[Hypothesis, ...]
    faces: NumpyArray = field(default_factory=lambda: np.zeros((0, 3), np.int32))
    keypoint_errors_px: NumpyArray = field(default_factory=lambda: np.zeros(0, np.float32))
    mask_iou: float | None = None
    prior: PriorId = PriorId("", "")
    message: str = ""
    image_path: str | None = None
    photo: int = 0

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a .npz without pickles."""
        arrays = {name: getattr(self, name) for name in _RESULT_ARRAYS}
        for name in _HYPOTHESIS_ARRAYS:
            arrays[f"hypotheses_{name}"] = (
                np.stack([getattr(h, name) for h in self.hypotheses])
                if self.hypotheses
                else np.zeros(0, np.float32)
            )
        header = self.summary() | {"kinflow_kind": "fit", "format_version": RESULT_VERSION}
        arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
        path = Path(path)
        temporary = path.with_name(path.name + ".part")
        with open(temporary, "wb") as stream:
            np.savez_compressed(stream, **arrays)
        os.replace(temporary, path)

    def summary(self) -> dict[str, Any]:
        """The numbers that are no arrays, as JSON."""
        names = ("part_iou", "mask_iou", "status", "timings", "message", "image_path", "photo")
        numbers = ("energy", "keypoint_error_px", "log_prob")
        return {name: getattr(self, name) for name in names} | {
            "camera": self.camera.to_dict(),
            "keypoint_error_px": _number(self.keypoint_error_px),
            "log_prob": _number(self.log_prob),
            "prior": self.prior._asdict(),
            "hypotheses": [{n: _number(getattr(h, n)) for n in numbers} for h in self.hypotheses],
        }

    @staticmethod
    def load(path: str | os.PathLike[str]) -> FitResult:
        """Reads what `save` wrote. Raises AssetError naming what is wrong; never unpickles."""
        again = "Give a .npz that kinflow wrote, or fit again."
        arrays = read_npz(path, MAX_RESULT_MB, None, again)
        try:
            header = json.loads(bytes(arrays.pop("header")))
            if header["kinflow_kind"] != "fit" or header["format_version"] != RESULT_VERSION:
                raise AssetError(f"{path} is no fit of this version of kinflow.", again)
            hypotheses = []
            for i, numbers in enumerate(header["hypotheses"]):
                values: dict[str, Any] = {k: _nan(v) for k, v in numbers.items()}
                values |= {n: arrays[f"hypotheses_{n}"][i] for n in _HYPOTHESIS_ARRAYS}
                hypotheses.append(Hypothesis(**values))
            rest = {f.name: header[f.name] for f in fields(FitResult) if f.name in header}
            rest |= {k: _nan(rest[k]) for k in ("keypoint_error_px", "log_prob")}
            rest |= {"camera": Camera(**rest["camera"]), "prior": PriorId(**rest["prior"])}
            rest |= {name: _shaped(arrays[name], name) for name in _RESULT_ARRAYS}
            return FitResult(**rest | {"hypotheses": tuple(hypotheses)})
        except (KeyError, TypeError, IndexError, ValueError, RecursionError) as error:
            if isinstance(error, InvalidInputError):
                raise AssetError(f"{path}: {error.message}", again) from error
            raise AssetError(f"{path}: field {error} is missing or wrong.", again) from error

    def to_obj(self, path: str | os.PathLike[str]) -> None:
        """Writes the mesh as Wavefront OBJ: metres, Y up, facing +Z (the camera frame turned
        upright).
        """
        upright = self.vertices * np.array([1.0, -1.0, -1.0])
        with open(path, "w", encoding="ascii") as stream:
            stream.write("# kinflow fit, metres, Y up\n")
            stream.writelines(f"v {x:.6f} {y:.6f} {z:.6f}\n" for x, y, z in upright)
            stream.writelines(f"f {a} {b} {c}\n" for a, b, c in self.faces + 1)

    def to_smplx(self) -> dict[str, NumpyArray]:
        """Keyword arguments for `smplx.SMPL.forward` (batch of one) that give the same mesh."""
        return {
            "global_orient": self.global_orient[None],
            "body_pose": self.body_pose.reshape(1, 69),
            "betas": self.betas[None],
            "transl": self.transl[None],
        }

    def parameters(self) -> dict[str, Any]:
        """Parameters in SMPL's names, and joints in SMPL's order, as JSON."""
        names = ("global_orient", "body_pose", "betas", "transl", "z", "joints")
        return {name: getattr(self, name).tolist() for name in names}


_RESULT_ARRAYS = (
    "global_orient",
    "body_pose",
    "betas",
    "transl",
    "z",
    "vertices",
    "joints",
    "faces",
    "keypoint_errors_px",
)
_HYPOTHESIS_ARRAYS = ("global_orient", "body_pose", "betas", "transl", "z", "joints")


def _shaped(array: NumpyArray, name: str) -> NumpyArray:
    shapes = {"global_orient": (3,), "body_pose": (23, 3), "betas": (10,), "transl": (3,)}
    shapes |= {"joints": (24, 3), "vertices": (-1, 3), "faces": (-1, 3)}
    shape = shapes.get(name, (-1,))
    if array.ndim != len(shape) or any(
        w not in (-1, n) for w, n in zip(shape, array.shape, strict=True)
    ):
        raise ValueError(f"'{name}'")
    return array


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _nan(value: float | None) -> float:
    return float("nan") if value is None else float(value)

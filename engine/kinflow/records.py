"""What goes in and comes out, numpy only: Camera, Observation, FitResult, Hypothesis and their file forms."""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from .errors import AssetError, InvalidInputError
from .core.skeleton import JOINT_NAMES

RESULT_VERSION = 1
KEYPOINT_SETS = {"coco17": 17, "blazepose33": 33, "body25": 25}
STATUSES = ("converged", "max_iterations", "too_few_keypoints", "failed")


def _array(value: Any, dtype: type, shape: tuple[int | None, ...], name: str) -> np.ndarray:
    try:
        array: np.ndarray = np.array(value, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"{name} is not an array of numbers.") from error
    if array.ndim != len(shape) or any(
        want is not None and want != have for want, have in zip(shape, array.shape, strict=True)
    ):
        wanted = tuple("any" if s is None else s for s in shape)
        raise InvalidInputError(f"{name} should have shape {wanted}, not {array.shape}.")
    array.setflags(write=False)
    return array


@dataclass(frozen=True)
class Camera:
    """Pinhole camera, OpenCV axes (x right, y down, z forward), in pixels of the upright full photo."""

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

    def project(self, points: np.ndarray) -> np.ndarray:
        """Camera-frame points (..., 3) in metres -> pixels (..., 2); NaN behind the camera."""
        points = np.asarray(points)
        depth = points[..., 2:]
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled = np.where(depth > 0, points[..., :2] / depth, np.nan)
        return scaled * np.array([self.fx, self.fy]) + np.array([self.cx, self.cy])

    def to_dict(self) -> dict[str, float | int]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @staticmethod
    def guess(width: int, height: int, fov_degrees: float | None = None) -> Camera:
        """Camera of a stated horizontal field of view, else of a normal lens: focal length = the diagonal."""
        if fov_degrees is not None:
            focal = 0.5 * width / np.tan(0.5 * np.radians(fov_degrees))
        else:
            focal = float(np.hypot(width, height))
        return Camera(focal, focal, width / 2, height / 2, width, height)


@dataclass(frozen=True)
class Observation:
    """What is seen of one person in one photo.

    keypoints (K, 2) px, confidence (K,) in 0..1, keypoint_set of KEYPOINT_SETS, camera, box (4,) xyxy px,
    mask (H, W) bool, parts (H, W) uint8 with 0 = none, world_landmarks (K, 3) m (camera axes, hip centre).
    """

    keypoints: np.ndarray
    confidence: np.ndarray
    keypoint_set: str = "coco17"
    camera: Camera | None = None
    box: np.ndarray | None = None
    mask: np.ndarray | None = None
    parts: np.ndarray | None = None
    world_landmarks: np.ndarray | None = None
    image_path: str | None = None
    photo: int = 0

    def __post_init__(self) -> None:
        if self.keypoint_set not in KEYPOINT_SETS:
            raise InvalidInputError(
                f"Unknown keypoint set '{self.keypoint_set}'.",
                f"Use one of {', '.join(KEYPOINT_SETS)}.",
            )
        count = KEYPOINT_SETS[self.keypoint_set]
        put = lambda name, value: object.__setattr__(self, name, value)  # noqa: E731
        put(
            "keypoints",
            _array(self.keypoints, np.float32, (count, 2), f"keypoints of {self.keypoint_set}"),
        )
        put("confidence", _array(self.confidence, np.float32, (count,), "confidence"))
        if self.box is not None:
            put("box", _array(self.box, np.float32, (4,), "box"))
        if self.mask is not None:
            put("mask", _array(self.mask, np.bool_, (None, None), "mask"))
        if self.parts is not None:
            put("parts", _array(self.parts, np.uint8, (None, None), "parts"))
        if self.world_landmarks is not None:
            put(
                "world_landmarks",
                _array(self.world_landmarks, np.float32, (count, 3), "world_landmarks"),
            )
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
            put("image_path", os.fspath(self.image_path))

    @property
    def usable(self) -> np.ndarray:
        """Which keypoints are finite and confident above 0. (K,) bool."""
        with np.errstate(invalid="ignore"):
            return (
                np.isfinite(self.keypoints).all(1)
                & np.isfinite(self.confidence)
                & (self.confidence > 0)
            )

    def height_px(self) -> float:
        """Height of the person's box, or of the usable keypoints' extent."""
        if self.box is not None and np.isfinite(self.box).all() and self.box[3] > self.box[1]:
            return float(self.box[3] - self.box[1])
        points = self.keypoints[self.usable]
        return float(np.ptp(points, axis=0).max()) if len(points) else 0.0

    def to_json(self) -> dict[str, Any]:
        """Everything but the pixel maps, as JSON."""
        plain = lambda a: None if a is None else np.asarray(a).tolist()  # noqa: E731
        return {
            "kinflow_kind": "observation",
            "format_version": RESULT_VERSION,
            "keypoint_set": self.keypoint_set,
            "keypoints": plain(self.keypoints),
            "confidence": plain(self.confidence),
            "box": plain(self.box),
            "camera": self.camera.to_dict() if self.camera else None,
            "world_landmarks": plain(self.world_landmarks),
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
            )
        except (KeyError, TypeError) as error:
            raise InvalidInputError(f"The observation lacks or misspells field {error}.") from error


@dataclass(frozen=True)
class Hypothesis:
    """One minimum of the fit: the parameters of `FitResult`, its energy, keypoint error and log-probability."""

    global_orient: np.ndarray
    body_pose: np.ndarray
    betas: np.ndarray
    transl: np.ndarray
    z: np.ndarray
    joints: np.ndarray
    energy: float
    keypoint_error_px: float
    log_prob: float


@dataclass(frozen=True)
class FitResult:
    """A fitted person. float32: global_orient (3,), body_pose (23, 3) axis-angle, betas (10,), transl (3,), z (D,),
    vertices (V, 3) and joints (24, 3) in metres in the camera frame, faces (F, 3) of the body that was fitted.

    keypoint_error_px: mean distance of the usable keypoints, confidence-weighted; `keypoint_errors_px` (K,) by
    keypoint, NaN where unused. part_iou: mean over parts, None without part labels. status of STATUSES.
    """

    global_orient: np.ndarray
    body_pose: np.ndarray
    betas: np.ndarray
    transl: np.ndarray
    z: np.ndarray
    camera: Camera
    vertices: np.ndarray
    joints: np.ndarray
    keypoint_error_px: float
    part_iou: float | None
    log_prob: float
    status: str
    timings: dict[str, float]
    hypotheses: tuple[Hypothesis, ...]
    faces: np.ndarray = field(default_factory=lambda: np.zeros((0, 3), np.int32))
    keypoint_errors_px: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    mask_iou: float | None = None
    prior: str = ""
    message: str = ""
    image_path: str | None = None
    photo: int = 0

    def save(self, path: str | os.PathLike) -> None:
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
        return {
            "camera": self.camera.to_dict(),
            "keypoint_error_px": _number(self.keypoint_error_px),
            "part_iou": self.part_iou,
            "mask_iou": self.mask_iou,
            "log_prob": _number(self.log_prob),
            "status": self.status,
            "timings": self.timings,
            "prior": self.prior,
            "message": self.message,
            "image_path": self.image_path,
            "photo": self.photo,
            "hypotheses": [
                {
                    "energy": h.energy,
                    "keypoint_error_px": h.keypoint_error_px,
                    "log_prob": h.log_prob,
                }
                for h in self.hypotheses
            ],
        }

    @staticmethod
    def load(path: str | os.PathLike) -> FitResult:
        """Reads what `save` wrote. Raises AssetError naming what is wrong; never unpickles."""
        try:
            with np.load(path, allow_pickle=False) as data:
                arrays = {k: data[k] for k in data.files}
            header = json.loads(bytes(arrays.pop("header")))
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
            raise AssetError(
                f"Cannot read {path} as a fit: {error}.", "Give a .npz that kinflow wrote."
            ) from error
        if header.get("kinflow_kind") != "fit" or header.get("format_version", 0) > RESULT_VERSION:
            raise AssetError(f"{path} is no fit, or one of a later kinflow.", "Update kinflow.")
        try:
            hypotheses = tuple(
                Hypothesis(
                    **{n: arrays[f"hypotheses_{n}"][i] for n in _HYPOTHESIS_ARRAYS}, **numbers
                )
                for i, numbers in enumerate(header["hypotheses"])
            )
            result = {n: arrays[n] for n in _RESULT_ARRAYS}
            rest = {
                k: header[k]
                for k in (
                    "part_iou",
                    "mask_iou",
                    "status",
                    "timings",
                    "prior",
                    "message",
                    "image_path",
                    "photo",
                )
            }
            return FitResult(
                **result,
                **rest,
                camera=Camera(**header["camera"]),
                hypotheses=hypotheses,
                keypoint_error_px=_nan(header["keypoint_error_px"]),
                log_prob=_nan(header["log_prob"]),
            )
        except (KeyError, TypeError, IndexError) as error:
            raise AssetError(f"{path}: field {error} is missing or wrong.", "Fit again.") from error

    def to_obj(self, path: str | os.PathLike) -> None:
        """Writes the mesh as Wavefront OBJ: metres, Y up, facing +Z (the camera frame turned upright)."""
        upright = self.vertices * np.array([1.0, -1.0, -1.0])
        with open(path, "w", encoding="ascii") as stream:
            stream.write("# kinflow fit, metres, Y up\n")
            stream.writelines(f"v {x:.6f} {y:.6f} {z:.6f}\n" for x, y, z in upright)
            stream.writelines(f"f {a} {b} {c}\n" for a, b, c in self.faces + 1)

    def to_smplx(self) -> dict[str, np.ndarray]:
        """Keyword arguments for `smplx.SMPL.forward` (batch of one) that give the same mesh."""
        return {
            "global_orient": self.global_orient[None],
            "body_pose": self.body_pose.reshape(1, 69),
            "betas": self.betas[None],
            "transl": self.transl[None],
        }

    def parameters(self) -> dict[str, Any]:
        """Parameters in SMPL's names, as JSON."""
        return {
            n: getattr(self, n).tolist()
            for n in ("global_orient", "body_pose", "betas", "transl", "z")
        } | {
            "joints": {
                name: xyz for name, xyz in zip(JOINT_NAMES, self.joints.tolist(), strict=True)
            }
        }


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


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _nan(value: float | None) -> float:
    return float("nan") if value is None else float(value)

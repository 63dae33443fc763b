"""What goes in and comes out, and its files: Camera, Observation, FitResult, Hypothesis (numpy)."""

from __future__ import annotations

import io
import json
import os
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

import numpy as np

from .errors import AssetError, InvalidInputError
from .gravity import level_gravity, upright_rotation
from .meshfile import write_obj
from .observations import KEYPOINT_SETS, Camera, NumpyArray, Observation, has_shape, pinhole
from .userfiles import MALFORMED, read_npz, replacing

__all__ = [
    "CONTACT_NAMES",
    "FITTED",
    "KEYPOINT_SETS",
    "Camera",
    "FitResult",
    "Hypothesis",
    "NumpyArray",
    "Observation",
    "Parameters",
    "PriorId",
    "pinhole",
]
RESULT_VERSION = 4
MAX_RESULT_MB = 256
FITTED = ("converged", "max_iterations", "filled")
"""Statuses of a fit that can be shown; "filled": a frame of a clip that follows those beside it."""
STATUSES = (*FITTED, "too_few_keypoints", "failed")
_ENDS = ("heel", "ball", "hand", "knee")
CONTACT_NAMES = (*(f"{side}_{end}" for side in ("left", "right") for end in _ENDS), "seat")
"""What may touch the floor in a clip."""


class PriorId(NamedTuple):
    """Which prior a latent code belongs to: under another it means nothing."""

    name: str
    checksum: str


@dataclass(frozen=True)
class Parameters:
    """SMPL's parameters in the camera's frame, float32, and the latent code z (D,) of the pose.

    global_orient (3,) and body_pose (23, 3): axis-angle, radians; betas (10,); transl (3,) metres.
    """

    global_orient: NumpyArray
    body_pose: NumpyArray
    betas: NumpyArray
    transl: NumpyArray
    z: NumpyArray


@dataclass(frozen=True)
class Hypothesis(Parameters):
    """One minimum of the fit: its energy (nats), keypoint error and log-probability."""

    joints: NumpyArray
    energy: float
    keypoint_error_px: float
    log_prob: float


@dataclass(frozen=True)
class FitResult(Parameters):
    """A fitted person: vertices (V, 3) and joints (24, 3) in metres in the camera's frame, float32,
    faces (F, 3) of the body that was fitted.

    keypoint_error_px: mean distance of the usable keypoints, confidence-weighted;
    `keypoint_errors_px` (K,) by keypoint, NaN where unused. part_iou: mean over parts, None without
    part labels. status of STATUSES. prior: name and checksum of the prior that z belongs to.
    unusual: of a hundred captured poses, how many are likelier; None where the prior cannot tell.

    gravity (3,): which way is down in the camera's frame, length 1; floor: metres that it lies
    below the camera along gravity, None where nobody shows it. camera_assumed: nothing told how the
    camera was held, so it was taken as level. pitch_range: the camera's pitch in degrees (above 0
    it looks up) lies between these in nine cases of ten; None where it is stated or assumed.
    All people of a photo have the same of these.

    contacts: how likely each of CONTACT_NAMES touches the floor, 0 to 1, in a frame of a clip;
    empty (0,) without a clip or a floor.
    """

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
    unusual: float | None = None
    gravity: NumpyArray = field(default_factory=level_gravity)
    floor: float | None = None
    camera_assumed: bool = True
    pitch_range: tuple[float, float] | None = None
    contacts: NumpyArray = field(default_factory=lambda: np.zeros(0, np.float32))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a .npz without pickles. Raises AssetError where it cannot be written."""
        with replacing(path) as temporary:
            temporary.write_bytes(self.to_npz())

    def to_npz(self) -> bytes:
        """What `save` writes."""
        arrays = {name: getattr(self, name) for name in _RESULT_ARRAYS}
        for name in _HYPOTHESIS_ARRAYS:
            arrays[f"hypotheses_{name}"] = np.array([getattr(h, name) for h in self.hypotheses])
        header = self.summary() | {"kinflow_kind": "fit", "format_version": RESULT_VERSION}
        arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
        stream = io.BytesIO()
        np.savez_compressed(stream, **arrays)
        return stream.getvalue()

    def summary(self) -> dict[str, Any]:
        """The numbers that are no arrays, as JSON."""
        measures = ("part_iou", "mask_iou", "unusual")
        of_photo = ("image_path", "photo", "floor", "camera_assumed", "pitch_range")
        names = (*measures, *of_photo, "status", "timings", "message")
        numbers = ("energy", "keypoint_error_px", "log_prob")
        return {name: getattr(self, name) for name in names} | {
            "camera": self.camera.to_dict(),
            "keypoint_error_px": _number(self.keypoint_error_px),
            "log_prob": _number(self.log_prob),
            "gravity": [float(g) for g in self.gravity],
            "prior": self.prior._asdict(),
            "hypotheses": [{n: _number(getattr(h, n)) for n in numbers} for h in self.hypotheses],
        }

    @staticmethod
    def load(path: str | os.PathLike[str] | bytes) -> FitResult:
        """Reads what `save` wrote, or the bytes of `to_npz`; never unpickles. Raises AssetError
        naming what is wrong."""
        again = "Give a .npz that kinflow wrote, or fit again."
        arrays = read_npz(path, MAX_RESULT_MB, None, again)
        path = "A fit" if isinstance(path, bytes) else path
        try:
            header = json.loads(bytes(arrays.pop("header")))
            if header["kinflow_kind"] != "fit" or header["format_version"] != RESULT_VERSION:
                raise AssetError(f"{path} is no fit of this version of kinflow.", again)
            hypotheses = []
            for i, numbers in enumerate(header["hypotheses"]):
                values: dict[str, Any] = {k: _nan(v) for k, v in numbers.items()}
                for name in _HYPOTHESIS_ARRAYS:
                    values[name] = _shaped(arrays[f"hypotheses_{name}"][i], name)
                hypotheses.append(Hypothesis(**values))
            rest = {f.name: header[f.name] for f in fields(FitResult) if f.name in header}
            rest |= {k: _nan(rest[k]) for k in ("keypoint_error_px", "log_prob")}
            rest |= {"camera": Camera(**rest["camera"]), "prior": PriorId(**rest["prior"])}
            rest |= {name: _shaped(arrays[name], name) for name in _RESULT_ARRAYS}
            rest |= {name: _finite_or_none(rest[name]) for name in _OPTIONAL}
            if rest["pitch_range"] is not None:
                low, high = rest["pitch_range"]
                rest["pitch_range"] = float(low), float(high)
            faces, count = rest["faces"], len(rest["vertices"])
            if faces.size and not 0 <= faces.min() <= faces.max() < count:
                raise ValueError("'faces'")
            return FitResult(**rest | {"hypotheses": tuple(hypotheses)})
        except MALFORMED as error:
            if isinstance(error, InvalidInputError):
                raise AssetError(f"{path}: {error.message}", again) from error
            raise AssetError(f"{path}: field {error} is missing or wrong.", again) from error

    def to_obj(self, path: str | os.PathLike[str]) -> None:
        """Writes the mesh as Wavefront OBJ: metres, Y up, the camera at x = z = 0 and looking along
        -Z, the floor at y = 0 (the camera, where there is no floor)."""
        upright = self.vertices @ upright_rotation(self.gravity).T
        upright += np.array([0, self.floor or 0.0, 0])
        write_obj(path, upright, self.faces, "fit")

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
        return {name: getattr(self, name).tolist() for name in _HYPOTHESIS_ARRAYS}


_OPTIONAL = ("part_iou", "mask_iou", "unusual", "floor")
_HYPOTHESIS_ARRAYS = ("global_orient", "body_pose", "betas", "transl", "z", "joints")
_OF_FRAME = ("keypoint_errors_px", "gravity", "contacts")
_RESULT_ARRAYS = (*_HYPOTHESIS_ARRAYS, "vertices", "faces", *_OF_FRAME)


def _shaped(array: NumpyArray, name: str) -> NumpyArray:
    shapes: dict[str, tuple[int | None, ...]] = {
        **{"global_orient": (3,), "body_pose": (23, 3), "betas": (10,), "transl": (3,)},
        **{"joints": (24, 3), "vertices": (None, 3), "faces": (None, 3), "gravity": (3,)},
    }
    if not has_shape(array, shapes.get(name, (None,))):
        raise ValueError(f"'{name}'")
    return array.astype(np.int32 if name == "faces" else np.float32)


def _finite_or_none(value: float | None) -> float | None:
    if value is not None and not np.isfinite(float(value)):
        raise ValueError(f"{value}")
    return None if value is None else float(value)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _nan(value: float | None) -> float:
    return float("nan") if value is None else float(value)

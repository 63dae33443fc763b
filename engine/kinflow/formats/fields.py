"""Arrays of an .npz under SMPL's names, in the shapes that people give them."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.arrays import numpy_namespace as xp
from ..core.body import NUM_BETAS
from ..core.rotations import matrix_to_axis_angle
from ..errors import AssetError, InvalidInputError
from ..mocap.clip import check_frames
from ..records import NumpyArray
from ..userfiles import read_npz
from .motion import FASTEST, FINGERS, GENDERS, LARGEST_ANGLE, Motion

MAX_MB = 1024
NO_ROTATION = 0.05  # that a matrix may be away from a rotation: networks write float16 too
HINT = "Give an .npz with poses in SMPL's names, or export it again."


@dataclass(frozen=True)
class Fields:
    """Arrays by the name that the reader calls them, and the file that they are of."""

    path: str | os.PathLike[str]
    arrays: Mapping[str, NumpyArray]

    @staticmethod
    def read(
        path: str | os.PathLike[str], names: Collection[str], text: Collection[str] = ()
    ) -> Fields:
        """Those of an .npz that are there. Raises AssetError."""
        return Fields(path, read_npz(path, MAX_MB, names, HINT, text))

    def __contains__(self, name: str) -> bool:
        return name in self.arrays

    def fail(self, name: str, why: str) -> AssetError:
        return AssetError(f"{self.path}: field '{name}' {why}.", HINT)

    def vectors(self, name: str, width: int) -> NumpyArray:
        """(..., at least `width`) -> (T, width) float64, cut off. Raises AssetError."""
        array = self.arrays[name]
        if not array.ndim or array.shape[-1] < width or not array.size:
            raise self.fail(name, f"of shape {array.shape} should have {width} numbers a frame")
        rows = array.reshape(-1, array.shape[-1])[:, :width]
        check_frames(self.path, len(rows), max(24, width // 3))
        with np.errstate(invalid="ignore"):
            return np.asarray(self._finite(name, rows.astype(np.float64)))

    def rotations(self, name: str, joints: Collection[int]) -> NumpyArray:
        """Axis-angle or matrices of as many joints as `joints` allow -> (T, J, 3) axis-angle.

        Shapes: (T, J, 3, 3), (T, J, 3), (T, 3 J), each with more or fewer dimensions in front; a
        lone (3, 3) of one joint is a matrix where it is a rotation. Raises AssetError.
        """
        array = self.arrays[name]
        shape = array.shape
        lone = shape == (3, 3) and 1 in joints and _are_rotations(array)
        if lone or (len(shape) > 2 and shape[-2:] == (3, 3)):
            count = shape[-3] if len(shape) > 2 else 1
            if count not in joints and 1 in joints:
                count = 1  # (T, 3, 3)
            return self._of_matrices(name, count, joints)
        counts = [j for j in joints if shape[-2:] == (j, 3)] or [
            j for j in joints if shape[-1:] == (3 * j,)
        ]
        if not counts or not array.size:
            allowed = " or ".join(str(3 * j) for j in sorted(joints))
            raise self.fail(name, f"of shape {shape} should have {allowed} numbers a frame")
        rows = array.reshape(-1, counts[0], 3)
        check_frames(self.path, len(rows), 24)
        rows = self._finite(name, rows.astype(np.float64))
        if np.abs(rows).max() > LARGEST_ANGLE:
            raise self.fail(name, "holds angles that make no sense")
        return rows

    def _of_matrices(self, name: str, count: int, joints: Collection[int]) -> NumpyArray:
        array = self.arrays[name]
        if count not in joints or not array.size:
            allowed = " or ".join(map(str, sorted(joints)))
            raise self.fail(name, f"of shape {array.shape} should have {allowed} joints a frame")
        rows = array.reshape(-1, count, 3, 3)
        check_frames(self.path, len(rows), 24)
        rows = self._finite(name, rows.astype(np.float64))
        if not _are_rotations(rows):
            raise self.fail(name, "holds matrices that are no rotations")
        return np.asarray(matrix_to_axis_angle(xp, rows))

    def _finite(self, name: str, array: NumpyArray) -> NumpyArray:
        if not np.isfinite(array).all():
            raise self.fail(name, "should be finite")
        return array

    def betas(self) -> NumpyArray:
        """The first ten, the median of all frames where they are stated one by one. (10,)."""
        if "betas" not in self or not self.arrays["betas"].size:
            return np.zeros(NUM_BETAS)
        rows = np.atleast_2d(self.arrays["betas"])
        rows = rows.reshape(-1, rows.shape[-1])[:, :NUM_BETAS].astype(np.float64)
        return np.pad(np.median(self._finite("betas", rows), 0), (0, NUM_BETAS - rows.shape[1]))

    def hand(self, name: str, frames: int) -> NumpyArray | None:
        """Fingers (T, 15, 3); None where the field is missing, or in principal components, which
        only their own model can read. Raises AssetError."""
        array = self.arrays.get(name)
        if array is None or array.size not in (45 * frames, 135 * frames):
            return None
        return self.rotations(name, (FINGERS,))

    def rate(self, names: Collection[str], default: float) -> float:
        """Frames a second, of the first of some names that is there. Raises AssetError."""
        for name in names:
            if name in self:
                rate = float(self.arrays[name].ravel()[0]) if self.arrays[name].size == 1 else 0.0
                if not 0 < rate < FASTEST:
                    raise self.fail(name, "is no number of frames a second")
                return rate
        return default

    def word(self, name: str) -> str:
        """A short text, "" where it is missing."""
        array = self.arrays.get(name)
        if array is None or array.size != 1 or array.dtype.kind not in "US":
            return ""
        value = array.ravel()[0]
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        return text.strip("\0 ")

    def gender(self) -> str:
        """Of GENDERS; "neutral" for whatever else is there."""
        word = self.word("gender").lower()
        return word if word in GENDERS else "neutral"

    def motion(self, **values: Any) -> Motion:
        """A motion of these values. Raises AssetError with the file's name."""
        try:
            return Motion(**values)
        except InvalidInputError as error:
            raise AssetError(f"{self.path}: {error.message}", error.hint or HINT) from error


def _are_rotations(matrices: NumpyArray) -> bool:
    products = np.swapaxes(matrices, -1, -2) @ matrices
    near = np.abs(products - np.eye(3)).max(initial=0.0) < NO_ROTATION
    return bool(near and (np.linalg.det(matrices) > 0).all())

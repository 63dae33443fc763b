"""The shipped flows in numpy alone: what Blender uses for its sliders, without any engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .. import rotations_np as rotations
from ..errors import AssetError, InvalidInputError
from ..core.skeleton import NUM_BODY_JOINTS
from ..tensorfile import check_header, read_tensors

ASSETS = Path(__file__).parent.parent / "assets"
SCALE_BOUND = 2.0
NUM_DENSE = 5
_DIMS = {"6d": 138, "axis_angle": 69, "matrix": 207}


class NumpyPrior:
    """`decode` and `encode` as in `kinflow.priors.prior.Prior`, on float32 arrays. Tested against it."""

    def __init__(self, path: str | Path) -> None:
        arrays, metadata = read_tensors(path)
        check_header(path, metadata, "prior")
        self.architecture = metadata.get("architecture", "")
        self.representation = metadata.get("representation", "")
        if self.architecture not in ("light", "realnvp") or self.representation not in _DIMS:
            raise AssetError(f"{path}: unknown kind of flow.", "Update kinflow.")
        self.dim = _DIMS[self.representation]
        self._p = {k: np.asarray(v, np.float32) for k, v in arrays.items()}
        try:
            self._weights = [
                np.ascontiguousarray(self._p[f"flow.dense.{i}.weight"].T) for i in range(NUM_DENSE)
            ]
            self._biases = [self._p[f"flow.dense.{i}.bias"] for i in range(NUM_DENSE)]
        except KeyError as error:
            raise AssetError(
                f"{path}: field {error} is missing.", "Install kinflow again."
            ) from error
        self.axes = self._p.get("axes", np.eye(self.dim, dtype=np.float32))
        self.axis_shares = self._p.get("axis_shares", np.full(self.dim, 1 / self.dim, np.float32))
        self._lu: list[np.ndarray] | None = None

    def to_pose(self, z: np.ndarray) -> np.ndarray:
        """Latent to the representation's space. (B, D) -> (B, D)."""
        h = z @ self._weights[0] + self._biases[0]
        for i in range(NUM_DENSE - 1):
            h = self._step(i, h, inverse=False) @ self._weights[i + 1] + self._biases[i + 1]
        return h

    def to_latent(self, x: np.ndarray) -> np.ndarray:
        """Exact inverse of `to_pose`. (B, D) -> (B, D)."""
        if self._lu is None:
            self._lu = [np.linalg.inv(w.astype(np.float64)) for w in self._weights]
        h = (x.astype(np.float64) - self._biases[-1]) @ self._lu[-1]
        for i in range(NUM_DENSE - 2, -1, -1):
            h = (self._step(i, h, inverse=True) - self._biases[i]) @ self._lu[i]
        return h.astype(np.float32)

    def _step(self, i: int, h: np.ndarray, inverse: bool) -> np.ndarray:
        if self.architecture == "light":
            slope = self._p[f"flow.steps.{i}.slope"][0]
            return np.where(h > 0, h, h / slope if inverse else h * slope)
        half = self.dim // 2
        first = i % 2 == 0
        a, b = (h[:, :half], h[:, half:]) if first else (h[:, half:], h[:, :half])
        raw, shift = self._net(i, "scale", a), self._net(i, "shift", a)
        scale = SCALE_BOUND * np.tanh(raw / SCALE_BOUND)
        b = (b - shift) * np.exp(-scale) if inverse else b * np.exp(scale) + shift
        return np.concatenate((a, b) if first else (b, a), -1)

    def _net(self, i: int, name: str, a: np.ndarray) -> np.ndarray:
        for layer in range(3):
            a = (
                a @ self._p[f"flow.steps.{i}.{name}_weight{layer}"].T
                + self._p[f"flow.steps.{i}.{name}_bias{layer}"]
            )
            if layer < 2:
                a = np.tanh(a)
        return a

    def decode(self, z: np.ndarray) -> np.ndarray:
        """Latent codes (B, D) -> rotation matrices (B, 23, 3, 3)."""
        z = np.asarray(z, np.float32)
        if z.ndim != 2 or z.shape[1] != self.dim or not np.isfinite(z).all():
            raise InvalidInputError(f"z should be finite, of shape (B, {self.dim}).")
        x = self.to_pose(z).reshape(len(z), NUM_BODY_JOINTS, -1)
        if self.representation == "6d":
            return rotations.sixd_to_matrix(x)
        if self.representation == "axis_angle":
            return rotations.axis_angle_to_matrix(x)
        return rotations.project_to_rotation(x.reshape(len(z), NUM_BODY_JOINTS, 3, 3))

    def encode(self, pose: np.ndarray) -> np.ndarray:
        """Rotation matrices (B, 23, 3, 3) -> codes of their canonical lift (B, D)."""
        pose = np.asarray(pose)
        if (
            pose.ndim != 4
            or pose.shape[1:] != (NUM_BODY_JOINTS, 3, 3)
            or not np.isfinite(pose).all()
        ):
            raise InvalidInputError("A pose should be finite, of shape (B, 23, 3, 3).")
        if self.representation == "6d":
            x = rotations.matrix_to_sixd(pose)
        elif self.representation == "axis_angle":
            x = rotations.matrix_to_axis_angle(pose)
        else:
            x = pose
        return self.to_latent(x.reshape(len(pose), self.dim))


def load_numpy_prior(name: str | Path = "light") -> NumpyPrior:
    """A shipped prior by name or a checkpoint's path."""
    shipped = ASSETS / f"prior-{name}.safetensors"
    return NumpyPrior(shipped if shipped.exists() else name)

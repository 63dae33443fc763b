"""A prior in numpy alone: what Blender's sliders and every fit on a CPU use, without torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..core.arrays import Backend, numpy_backend
from ..core.arrays import numpy_namespace as xp
from ..core.flow import Decoder, Flow
from ..core.gaussian import Gaussian
from ..core.representations import to_matrix, to_vector
from ..core.rotations import axis_angle_to_matrix
from ..core.skeleton import NUM_BODY_JOINTS
from ..core.upright import NUM_JOINTS as UPRIGHT_JOINTS
from ..core.upright import Upright
from ..errors import AssetError, InvalidInputError
from ..records import PriorId
from .storage import PriorHeader, checksum, flow_of, read_prior_file
from .unusual import PARTS, PERCENTS, Calibration, Unusual

ASSETS = Path(__file__).parent.parent / "assets"
SHIPPED = ("light", "light-aa", "light-rotmat", "light-paper", "realnvp")
_SIZE = 3 * NUM_BODY_JOINTS
_SHAPES = {
    "gaussian.mean": (_SIZE,),
    "gaussian.factor": (_SIZE, _SIZE),
    "unusual.body": (len(PERCENTS),),
    "unusual.parts": (len(PARTS), len(PERCENTS)),
    "upright.weight0": (-1, 6 * UPRIGHT_JOINTS),
    "upright.weight1": (4, -1),
    "upright.bias0": (-1,),
    "upright.bias1": (4,),
    "upright.loose": (1,),
}


class PosePrior(Protocol):
    """What a fit asks of a prior: `PriorArrays`, or a rival's in a benchmark."""

    @property
    def id(self) -> PriorId: ...

    @property
    def dim(self) -> int: ...

    def decoder(self, backend: Backend) -> Decoder:
        """The way from latent to pose, where a computation runs."""
        ...

    def encode(self, pose: np.ndarray) -> np.ndarray:
        """Rotations (B, 23, 3, 3) -> codes (B, D)."""
        ...

    def log_prob(self, pose: np.ndarray) -> np.ndarray:
        """(B, 23, 3, 3) -> (B,) nats; NaN where a prior has no density."""
        ...


@dataclass(frozen=True, eq=False)
class PriorArrays:
    """Normalizing-flow pose prior over SMPL's 23 body joints, float32.

    tensors: the flow's arrays by name; extras: further arrays of the checkpoint, what is learned
    of the training poses beside the flow.
    """

    tensors: dict[str, np.ndarray]
    header: PriorHeader
    extras: dict[str, np.ndarray] = field(default_factory=dict)
    name: str = ""

    @property
    def arrays(self) -> PriorArrays:
        """Itself; a `Prior` of torch has them too."""
        return self

    @cached_property
    def checksum(self) -> str:
        """Tells this flow's latent from every other's."""
        return checksum(self.tensors, self.header)

    @property
    def id(self) -> PriorId:
        """What a latent code of this prior is marked with."""
        return PriorId(self.name, self.checksum)

    @cached_property
    def flow(self) -> Flow:
        return flow_of(self.tensors, self.header)

    @cached_property
    def _precise(self) -> Flow:
        # inverses in single precision lose what decode(encode(pose)) promises
        return numpy_backend(np.float64).record(self.flow).with_inverses(xp)

    @property
    def dim(self) -> int:
        return self.flow.dim

    @property
    def axes(self) -> np.ndarray:
        """Orthonormal latent directions (D, D), most moving first."""
        return self.extras.get("axes", np.eye(self.dim, dtype=np.float32))

    @property
    def axis_shares(self) -> np.ndarray:
        """Share of the body's motion that each axis explains, (D,)."""
        return self.extras.get("axis_shares", np.full(self.dim, 1 / self.dim, np.float32))

    @property
    def gaussian(self) -> Gaussian:
        """Of the training poses: a search under it has few minima."""
        return Gaussian(self.extras["gaussian.mean"], self.extras["gaussian.factor"])

    @property
    def upright(self) -> Upright:
        """Which way is up, given the pose."""
        more = self.extras
        weights = (more["upright.weight0"], more["upright.weight1"])
        biases = (more["upright.bias0"], more["upright.bias1"])
        return Upright(weights, biases, float(more["upright.loose"][0]))

    def unusual(self, pose: np.ndarray) -> Unusual:
        """Percentiles of poses, as `checked_pose` takes them, among captured ones. Hands count as
        at rest.
        """
        pose = checked_pose(pose).copy()
        pose[:, -2:] = np.eye(3)
        table = Calibration(self.extras["unusual.body"], self.extras["unusual.parts"])
        return table.percentiles(pose, self.log_prob, self._precise_gaussian)

    @cached_property
    def _precise_gaussian(self) -> Gaussian:
        return numpy_backend(np.float64).record(self.gaussian)

    def decoder(self, backend: Backend) -> Flow:
        """The flow where a computation runs."""
        return _decoder(self, backend)

    def decode(self, z: np.ndarray) -> np.ndarray:
        """Latent codes (B, D) -> rotation matrices (B, 23, 3, 3). Raises InvalidInputError."""
        z = np.asarray(z, np.float32)
        if z.ndim != 2 or z.shape[1] != self.dim or not np.isfinite(z).all():
            raise InvalidInputError(f"z should be finite, of shape (B, {self.dim}).")
        return to_matrix(xp, self.header.representation, self.flow.to_pose(xp, z)[0])

    def encode(self, pose: np.ndarray) -> np.ndarray:
        """Poses, as `checked_pose` takes them -> codes of their canonical lift (B, D)."""
        vector = to_vector(xp, self.header.representation, checked_pose(pose))
        return self._precise.to_latent(xp, vector)[0].astype(np.float32)

    def log_prob(self, pose: np.ndarray) -> np.ndarray:
        """Log-density of the canonical lift, in nats. -> (B,). Compare only within one prior."""
        vector = to_vector(xp, self.header.representation, checked_pose(pose))
        return self._precise.log_density(xp, vector)


@lru_cache(maxsize=16)
def _decoder(prior: PriorArrays, backend: Backend) -> Flow:
    return backend.record(prior.flow)


def checked_pose(pose: Any) -> np.ndarray:
    """(B, 23, 3, 3), or axis-angle (B, 23, 3) or (B, 69) -> finite rotations (B, 23, 3, 3),
    float64.

    Raises InvalidInputError for other shapes, NaN, and matrices that are no rotations.
    """
    pose = np.asarray(pose, np.float64)
    if pose.ndim == 2 and pose.shape[1] == 3 * NUM_BODY_JOINTS:
        pose = pose.reshape(-1, NUM_BODY_JOINTS, 3)
    if not np.isfinite(pose).all():
        raise InvalidInputError("The pose holds NaN or infinity.")
    if pose.shape[1:] == (NUM_BODY_JOINTS, 3):
        return axis_angle_to_matrix(xp, pose)
    if pose.shape[1:] != (NUM_BODY_JOINTS, 3, 3):
        raise InvalidInputError(
            f"A pose should have shape (B, 23, 3, 3) or (B, 23, 3), not {pose.shape}."
        )
    error = np.abs(pose @ pose.swapaxes(-1, -2) - np.eye(3)).max((-1, -2))
    bad = np.argwhere((error > 1e-2) | (np.linalg.det(pose) < 0))
    if len(bad):
        raise InvalidInputError(
            f"Pose {bad[0, 0]}, body joint {bad[0, 1]}: the matrix is no rotation.",
            "Orthonormalise it.",
        )
    return pose


def load_prior_arrays(name: str | Path = "light") -> PriorArrays:
    """A shipped prior by name ("light", "light-paper", "realnvp", ...: SHIPPED) or a checkpoint's
    path.

    Raises AssetError where it is missing, damaged, or of a later format.
    """
    if str(name) in SHIPPED:
        return _shipped(str(name))
    if not Path(name).exists():
        raise AssetError(
            f"There is no prior '{name}'.",
            f"Use one of {', '.join(SHIPPED)}, or a checkpoint's path.",
        )
    return _read(Path(name), str(name))


@lru_cache(maxsize=8)
def _shipped(name: str) -> PriorArrays:
    return _read(ASSETS / f"prior-{name}.safetensors", name)


def _read(path: Path, name: str) -> PriorArrays:
    tensors, rest, header = read_prior_file(path)
    dim = len(tensors["dense.0.bias"])
    hidden = rest.get("upright.bias0", np.zeros(0)).shape
    for field_name, wanted in {"axes": (dim, dim), "axis_shares": (dim,), **_SHAPES}.items():
        shape = tuple(hidden[0] if hidden and n < 0 else n for n in wanted)
        if field_name not in rest or rest[field_name].shape != shape:
            raise AssetError(
                f"{path}: field '{field_name}' is missing or does not fit.",
                "Train or export the prior again.",
            )
    more = {key: np.array(value, np.float32) for key, value in rest.items()}
    return PriorArrays(tensors, header, more, name)


def prior_of(prior: Any) -> PosePrior:
    """A prior's arrays: of its name or path, of a `Prior` of torch, or itself; None is "light"."""
    if prior is None or isinstance(prior, (str, Path)):
        return load_prior_arrays(prior or "light")
    arrays: PosePrior = getattr(prior, "arrays", prior)
    return arrays

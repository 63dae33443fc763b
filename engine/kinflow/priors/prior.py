"""The pose prior on torch: a flow, its representation, and poses in and out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import array_api_compat.torch as xp
import numpy as np
import torch
from torch import Tensor

from ..core.representations import to_matrix, to_vector
from ..core.rotations import axis_angle_to_matrix
from ..errors import InvalidInputError
from ..records import PriorId
from .arrays import SHIPPED, PriorArrays, checked_pose, load_prior_arrays
from .modules import Flow
from .storage import PriorHeader

CPU = torch.device("cpu")
__all__ = ["SHIPPED", "Prior", "load_prior"]


@dataclass(frozen=True, eq=False)
class Prior:
    """Normalizing-flow pose prior over SMPL's 23 body joints.

    `flow` maps z ~ N(0, I) to the representation's own space. `axes` (D, D): orthonormal latent
    directions, most moving first; `axis_shares` (D,): share of the body's motion that each
    explains.
    """

    arrays: PriorArrays
    device: torch.device = CPU
    dtype: torch.dtype = torch.float32

    @cached_property
    def flow(self) -> Flow:
        flow = Flow(self.header)
        flow.load_state_dict({k: torch.from_numpy(v) for k, v in self.arrays.tensors.items()})
        return flow.to(device=self.device, dtype=self.dtype).requires_grad_(False)

    @cached_property
    def axes(self) -> Tensor:
        return torch.from_numpy(self.arrays.axes).to(self.device, self.dtype)

    @cached_property
    def axis_shares(self) -> Tensor:
        return torch.from_numpy(self.arrays.axis_shares).to(self.device, self.dtype)

    @property
    def header(self) -> PriorHeader:
        return self.arrays.header

    @property
    def name(self) -> str:
        return self.arrays.name

    @property
    def checksum(self) -> str:
        """Tells this flow's latent from every other's."""
        return self.arrays.checksum

    @property
    def id(self) -> PriorId:
        """What a latent code of this prior is marked with."""
        return self.arrays.id

    @property
    def dim(self) -> int:
        return self.arrays.dim

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> Prior:
        """The same prior elsewhere or in another precision; itself where nothing changes."""
        device, dtype = torch.device(device or self.device), dtype or self.dtype
        if (device, dtype) == (self.device, self.dtype):
            return self
        return Prior(self.arrays, device, dtype)

    def sample(self, n: int, temperature: float = 1.0, seed: int | None = None) -> Tensor:
        """Random poses (n, 23, 3, 3); temperature scales the latent's deviation. Same seed, same
        poses.
        """
        if n < 0 or not np.isfinite(temperature) or temperature < 0:
            raise InvalidInputError("sample needs n >= 0 and a finite temperature >= 0.")
        generator = torch.Generator()
        if seed is None:
            generator.seed()
        else:
            generator.manual_seed(seed)
        z = torch.randn(n, self.dim, generator=generator)
        return self.decode(temperature * z)

    def decode(self, z: Tensor) -> Tensor:
        """Latent codes (B, D) -> rotations (B, 23, 3, 3), differentiable. Raises
        InvalidInputError.
        """
        z = torch.as_tensor(z).to(self.device, self.dtype)
        if z.ndim != 2 or z.shape[1] != self.dim:
            raise InvalidInputError(f"z should have shape (B, {self.dim}), not {tuple(z.shape)}.")
        if not torch.isfinite(z).all():
            raise InvalidInputError("z holds NaN or infinity.")
        return to_matrix(xp, self.header.representation, self.flow.to_pose(z))

    def vector(self, pose: Tensor) -> Tensor:
        """Canonical lift of a pose: (B, 23, 3, 3), or axis-angle (B, 23, 3) or (B, 69) -> x (B, D).

        Differentiable. Raises InvalidInputError for what is no pose.
        """
        pose = torch.as_tensor(pose)
        checked_pose(pose.detach().cpu().numpy())
        pose = pose.to(self.device, self.dtype)
        if pose.ndim < 4:
            pose = axis_angle_to_matrix(xp, pose.reshape(len(pose), -1, 3))
        return to_vector(xp, self.header.representation, pose)

    def encode(self, pose: Tensor) -> Tensor:
        """Latent code of the canonical lift. (B, 23, 3, 3) or axis-angle (B, 23, 3) -> (B, D).

        decode(encode(pose)) is the pose (1e-4); encode(decode(z)) is z only for axis-angle, since
        rotations keep 69 numbers of a longer code. Raises InvalidInputError for what is no pose.
        """
        return self.flow.to_latent(self.vector(pose))

    def log_prob(self, pose: Tensor) -> Tensor:
        """Log-density of the canonical lift, in nats. -> (B,). Compare only within one prior."""
        return self.flow.log_prob(self.vector(pose))


def load_prior(name: str | Path = "light") -> Prior:
    """A shipped prior by name ("light", "light-paper", "realnvp", ...: SHIPPED) or a checkpoint's
    path.

    Raises AssetError where it is missing, damaged, or of a later format.
    """
    return Prior(load_prior_arrays(name))

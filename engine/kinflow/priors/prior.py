"""The pose prior: a flow, its representation, and poses in and out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import AssetError, InvalidInputError
from ..rotations import axis_angle_to_matrix
from ..core.skeleton import NUM_BODY_JOINTS
from .architectures import Flow
from .pullback import forward_with_trace, pull_back, rotation_rows_to_vector
from .representations import REPRESENTATIONS, Representation
from .storage import PriorHeader, load_flow

ASSETS = Path(__file__).parent.parent / "assets"
SHIPPED = ("light", "light-aa", "light-rotmat", "realnvp")


@dataclass(frozen=True)
class Prior:
    """Normalizing-flow pose prior over SMPL's 23 body joints.

    `flow` maps z ~ N(0, I) to the representation's own space. `axes` (D, D): orthonormal latent directions, most
    moving first; `axis_shares` (D,): share of the body's motion that each explains.
    """

    flow: Flow
    representation: Representation
    header: PriorHeader
    axes: Tensor
    axis_shares: Tensor
    name: str = ""

    @property
    def dim(self) -> int:
        return self.flow.dim

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> Prior:
        """A copy elsewhere or in another precision; itself where nothing changes."""
        if dtype in (None, self.axes.dtype) and (
            device is None or torch.device(device) == self.axes.device
        ):
            return self
        flow = Flow(self.flow.architecture, self.flow.dim)
        flow.load_state_dict(self.flow.state_dict())
        flow = flow.to(device=device, dtype=dtype).requires_grad_(False)
        axes, shares = (
            self.axes.to(device=device, dtype=dtype),
            self.axis_shares.to(device=device, dtype=dtype),
        )
        return Prior(flow, self.representation, self.header, axes, shares, self.name)

    def sample(self, n: int, temperature: float = 1.0, seed: int | None = None) -> Tensor:
        """Random poses (n, 23, 3, 3); temperature scales the latent's deviation. Same seed, same poses."""
        if n < 0 or not np.isfinite(temperature) or temperature < 0:
            raise InvalidInputError("sample needs n >= 0 and a finite temperature >= 0.")
        generator = torch.Generator()
        if seed is None:
            generator.seed()
        else:
            generator.manual_seed(seed)
        z = torch.randn(n, self.dim, generator=generator)
        return self.decode(temperature * z.to(self.axes))

    def decode(self, z: Tensor) -> Tensor:
        """Latent codes (B, D) -> rotations (B, 23, 3, 3), differentiable."""
        z = torch.as_tensor(z).to(self.axes)
        if z.ndim != 2 or z.shape[1] != self.dim:
            raise InvalidInputError(f"z should have shape (B, {self.dim}), not {tuple(z.shape)}.")
        if not torch.isfinite(z).all():
            raise InvalidInputError("z holds NaN or infinity.")
        return self.representation.to_matrix(self.flow.to_pose(z))

    def decode_with_trace(self, z: Tensor) -> tuple[Tensor, tuple]:
        """`decode` without checks, and what `pull_back` needs. (B, D) -> (B, 23, 3, 3), trace."""
        x, flow_trace = forward_with_trace(self.flow, z)
        rotations = self.representation.to_matrix(x)
        return rotations, (x, rotations, flow_trace)

    def pull_back(self, trace: tuple, rows: Tensor) -> Tensor:
        """Rows by local left perturbations of the joints -> rows by the latent. (B, M, 23, 3) -> (B, M, D)."""
        x, rotations, flow_trace = trace
        return pull_back(
            self.flow, flow_trace, rotation_rows_to_vector(self.representation, x, rotations, rows)
        )

    def vector(self, pose: Tensor) -> Tensor:
        """Canonical lift of a pose, checked: (B, 23, 3, 3) or axis-angle (B, 23, 3) or (B, 69) -> x (B, D)."""
        pose = torch.as_tensor(pose).to(self.axes)
        if pose.ndim == 2 and pose.shape[1] == 3 * NUM_BODY_JOINTS:
            pose = pose.unflatten(-1, (NUM_BODY_JOINTS, 3))
        if not torch.isfinite(pose).all():
            raise InvalidInputError("The pose holds NaN or infinity.")
        if pose.ndim == 3 and pose.shape[1:] == (NUM_BODY_JOINTS, 3):
            pose = axis_angle_to_matrix(pose)
        if pose.ndim != 4 or pose.shape[1:] != (NUM_BODY_JOINTS, 3, 3):
            raise InvalidInputError(
                f"A pose should have shape (B, 23, 3, 3) or (B, 23, 3), not {tuple(pose.shape)}."
            )
        eye = torch.eye(3, dtype=pose.dtype, device=pose.device)
        error = (pose @ pose.transpose(-1, -2) - eye).abs().amax((-1, -2))
        bad = (error > 1e-2) | (torch.linalg.det(pose) < 0)
        if bad.any():
            row, joint = (int(i) for i in bad.nonzero()[0])
            raise InvalidInputError(
                f"Pose {row}, body joint {joint}: the matrix is no rotation.", "Orthonormalise it."
            )
        return self.representation.to_vector(pose)

    def encode(self, pose: Tensor) -> Tensor:
        """Latent code of the canonical lift. (B, 23, 3, 3) or axis-angle (B, 23, 3) -> (B, D).

        decode(encode(pose)) is the pose (1e-4); encode(decode(z)) is z only for axis-angle, since rotations keep
        69 numbers of a longer code.
        """
        return self.flow.to_latent(self.vector(pose))

    def log_prob(self, pose: Tensor) -> Tensor:
        """Log-density of the canonical lift, in nats. -> (B,). Compare only within one prior."""
        return self.flow.log_prob(self.vector(pose))


def load_prior(name: str | Path = "light") -> Prior:
    """A shipped prior by name ("light", "light-aa", "light-rotmat", "realnvp") or a checkpoint's path.

    Raises AssetError where it is missing, damaged, or of a later format.
    """
    shipped = ASSETS / f"prior-{name}.safetensors"
    path = shipped if str(name) in SHIPPED else Path(name)
    if not path.exists():
        raise AssetError(
            f"There is no prior '{name}'.",
            f"Use one of {', '.join(SHIPPED)}, or a checkpoint's path.",
        )
    flow, header, rest = load_flow(path)
    dim = flow.dim
    axes = torch.from_numpy(np.array(rest.get("axes", np.eye(dim)), np.float32))
    shares = torch.from_numpy(np.array(rest.get("axis_shares", np.full(dim, 1 / dim)), np.float32))
    if axes.shape != (dim, dim) or shares.shape != (dim,):
        raise AssetError(
            f"{path}: fields 'axes' and 'axis_shares' do not fit the flow.",
            "Export the prior again.",
        )
    return Prior(flow, REPRESENTATIONS[header.representation], header, axes, shares, str(name))

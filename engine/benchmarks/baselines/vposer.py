"""A variational pose prior of VPoser's published size, written from its description (Pavlakos et al. 2019, SMPL-X).

Encoder and decoder of two hidden layers of 512; 32 latent numbers; decoder 32-512-512-126 = 344,190 parameters, 6D
rotations of SMPL's 21 joints without the hands. Losses: KL to N(0, I), geodesic rotation error, joint distance.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from kinflow import rotations_np
from kinflow.fitting.lean.flow import LeanFlow
from kinflow.priors.pullback import _sixd_rows
from kinflow.rotations import sixd_to_matrix

NUM_JOINTS = 21
LATENT, HIDDEN = 32, 512
SLOPE = 0.2


class VPoser(nn.Module):
    """Encoder and decoder; hands stay at rest."""

    def __init__(self) -> None:
        super().__init__()
        size = NUM_JOINTS * 6
        self.encoder = nn.ModuleList(
            (nn.Linear(size, HIDDEN), nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, 2 * LATENT))
        )
        self.decoder = nn.ModuleList(
            (nn.Linear(LATENT, HIDDEN), nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, size))
        )

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """6D of 21 joints (B, 126) -> mean and log-deviation (B, 32)."""
        h = nn.functional.leaky_relu(self.encoder[0](x), SLOPE)
        h = nn.functional.leaky_relu(self.encoder[1](h), SLOPE)
        return self.encoder[2](h).chunk(2, -1)

    def decode(self, z: Tensor) -> Tensor:
        """(B, 32) -> 6D (B, 126)."""
        h = nn.functional.leaky_relu(self.decoder[0](z), SLOPE)
        return self.decoder[2](nn.functional.leaky_relu(self.decoder[1](h), SLOPE))


class VPoserPrior:
    """The decoder as `fitting` sees a prior."""

    name, dim = "vposer", LATENT

    def __init__(self, net: VPoser) -> None:
        self.layers = [(layer.weight.detach(), layer.bias.detach()) for layer in net.decoder]

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> VPoserPrior:
        moved = VPoserPrior.__new__(VPoserPrior)
        moved.layers = [
            (w.to(device=device, dtype=dtype), b.to(device=device, dtype=dtype))
            for w, b in self.layers
        ]
        return moved

    def decode_with_trace(self, z: Tensor) -> tuple[Tensor, tuple]:
        slopes, h = [], z
        for i, (weight, bias) in enumerate(self.layers):
            h = nn.functional.linear(h, weight, bias)
            if i < 2:
                slopes.append(torch.where(h > 0, 1.0, SLOPE).to(h))
                h = h * slopes[-1]
        rotations = sixd_to_matrix(h.unflatten(-1, (NUM_JOINTS, 6)))
        hands = torch.eye(3, dtype=z.dtype, device=z.device).expand(len(z), 2, 3, 3)
        return torch.cat((rotations, hands), 1), (h, rotations, slopes)

    def pull_back(self, trace: tuple, rows: Tensor) -> Tensor:
        x, rotations, slopes = trace
        out = _sixd_rows(x, rotations, rows[:, :, :NUM_JOINTS]).flatten(-2)
        for i in (2, 1, 0):
            out = out @ self.layers[i][0]
            if i:
                out = out * slopes[i - 1][:, None]
        return out

    def decode(self, z: Tensor) -> Tensor:
        return self.decode_with_trace(z)[0]

    def lean_flow(self) -> LeanVPoser:
        return LeanVPoser([(w.numpy(), b.numpy()) for w, b in self.layers])

    def log_prob(self, pose: Tensor) -> Tensor:
        """A variational bound is no likelihood: not given."""
        return pose.new_full((len(pose),), torch.nan)


class LeanVPoser:
    """The decoder for the solver's numpy form."""

    def __init__(self, layers: list[tuple[np.ndarray, np.ndarray]]) -> None:
        self.layers = layers

    def decode(self, z: np.ndarray) -> tuple[np.ndarray, tuple]:
        slopes, h = [], z
        for i, (weight, bias) in enumerate(self.layers):
            h = h @ weight.T + bias
            if i < 2:
                slopes.append(np.where(h > 0, 1, SLOPE).astype(h.dtype))
                h = h * slopes[-1]
        x = h.reshape(len(z), NUM_JOINTS, 6)
        hands = np.broadcast_to(np.eye(3, dtype=z.dtype), (len(z), 2, 3, 3))
        return np.concatenate((rotations_np.sixd_to_matrix(x), hands), 1), (x, slopes)

    def pull_back(
        self, trace: tuple, rotations: np.ndarray, world: np.ndarray, rows: np.ndarray
    ) -> np.ndarray:
        x, slopes = trace
        table = LeanFlow._by_6d(x, rotations[:, 1 : 1 + NUM_JOINTS], world[:, : 1 + NUM_JOINTS])
        turns = rows.reshape(*rows.shape[:2], -1, 3)[:, :, 1 : 1 + NUM_JOINTS]
        out = np.einsum("smjc,sjcd->smjd", turns, table).reshape(*rows.shape[:2], -1)
        for i in (2, 1, 0):
            out = out @ self.layers[i][0]
            if i:
                out = out * slopes[i - 1][:, None]
        return out

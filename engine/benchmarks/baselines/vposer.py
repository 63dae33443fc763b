"""A variational pose prior of VPoser's published size, written from its description.

Pavlakos et al., SMPL-X, CVPR 2019. Encoder and decoder of two hidden layers of 512; 32 latent
numbers; decoder 32-512-512-126 = 344,190 parameters, 6D rotations of SMPL's 21 joints without the
hands. Losses: KL to N(0, I), geodesic rotation error, joint distance.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn

from kinflow.core.arrays import Array, Backend, Namespace
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.flow import turned_rows
from kinflow.core.representations import to_matrix, to_vector, turns_by_vector
from kinflow.records import PriorId

from .linear import NUM_JOINTS, with_hands

LATENT, HIDDEN = 32, 512
SLOPE = 0.2
KIND = "6d"


class VPoser(nn.Module):
    """Encoder and decoder, for training; hands stay at rest."""

    def __init__(self) -> None:
        super().__init__()
        size = NUM_JOINTS * 6
        self.encoder = _layers((size, HIDDEN, HIDDEN, 2 * LATENT))
        self.decoder = _layers((LATENT, HIDDEN, HIDDEN, size))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """6D of 21 joints (B, 126) -> mean and log-deviation (B, 32)."""
        return _forward(self.encoder, x).chunk(2, -1)

    def decode(self, z: Tensor) -> Tensor:
        """(B, 32) -> 6D (B, 126)."""
        return _forward(self.decoder, z)


def _layers(sizes: tuple[int, ...]) -> nn.ModuleList:
    return nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))


def _forward(layers: nn.ModuleList, h: Tensor) -> Tensor:
    for layer in layers[:-1]:
        h = nn.functional.leaky_relu(layer(h), SLOPE)
    return layers[-1](h)


@dataclass(frozen=True)
class VPoserDecoder:
    """Weights and biases of the decoder's three layers, where a computation runs."""

    layers: tuple[tuple[Array, Array], ...]

    @property
    def dim(self) -> int:
        return LATENT

    def decode(self, xp: Namespace, z: Array) -> tuple[Array, Any]:
        """(B, 32) -> rotations (B, 23, 3, 3), trace."""
        slopes, h = [], z
        for weight, bias in self.layers[:-1]:
            h = h @ weight.T + bias
            slopes.append(xp.where(h > 0, xp.ones_like(h), SLOPE))
            h = h * slopes[-1]
        weight, bias = self.layers[-1]
        x = h @ weight.T + bias
        pose = to_matrix(xp, KIND, x)
        return with_hands(xp, pose), (x, pose, slopes)

    def pull_back(self, xp: Namespace, trace: Any, world: Array, rows: Array) -> Array:
        """Rows by turns in the world -> rows by z. (B, M, 23, 3) -> (B, M, 32)."""
        x, pose, slopes = trace
        table = turns_by_vector(xp, KIND, x, pose, world)
        out = turned_rows(rows[:, :, :NUM_JOINTS], table).reshape((*rows.shape[:2], -1))
        out = out @ self.layers[-1][0]
        for (weight, _), slope in zip(self.layers[-2::-1], slopes[::-1], strict=True):
            out = (out * slope[:, None]) @ weight
        return out

    def volume(self, xp: Namespace, trace: Any) -> tuple[Array, Array]:
        """None is defined: the pose has more dimensions. -> zeros (B,), (B, 32)."""
        none = xp.zeros_like(trace[0][:, :LATENT])
        return none[:, 0], none


@dataclass(frozen=True, eq=False)
class VPoserPrior:
    """The decoder as a fit sees a prior, and the encoder for its starts: three pairs each."""

    layers: tuple[tuple[np.ndarray, np.ndarray], ...]
    encoder: tuple[tuple[np.ndarray, np.ndarray], ...] = ()

    @property
    def id(self) -> PriorId:
        return PriorId("vposer", "vposer")

    @property
    def dim(self) -> int:
        return LATENT

    def decoder(self, backend: Backend) -> VPoserDecoder:
        return backend.record(VPoserDecoder(self.layers))

    def encode(self, pose: np.ndarray) -> np.ndarray:
        """The posterior's mean, of an encoder that is there; else the latent's. -> (B, 32)."""
        if not self.encoder:
            return np.zeros((len(pose), LATENT))
        h = to_vector(xp, KIND, pose[:, :NUM_JOINTS])
        for weight, bias in self.encoder[:-1]:
            h = h @ weight.T + bias
            h = np.where(h > 0, h, SLOPE * h)
        weight, bias = self.encoder[-1]
        return (h @ weight.T + bias)[:, :LATENT]

    def log_prob(self, pose: np.ndarray) -> np.ndarray:
        """A variational bound is no likelihood: NaN. -> (B,)."""
        return np.full(len(pose), np.nan)

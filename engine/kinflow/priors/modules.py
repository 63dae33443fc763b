"""The flows as torch modules: parameters to train, under the names that checkpoints have."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import array_api_compat.torch as xp
import torch
from torch import Tensor, nn

from ..core import flow as core
from ..core.representations import dimension
from .storage import HIDDEN, PriorHeader, flow_of


class Dense(nn.Module):
    """Square unconstrained matrix with bias."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(dim))
        self.bias = nn.Parameter(torch.zeros(dim))


class Kink(nn.Module):
    """One positive slope for the whole layer."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.ones(1))


class Coupling(nn.Module):
    """Affine coupling with a scale and a shift network FC128-Tanh-FC128-Tanh-FC69."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        if dim % 2:
            raise ValueError("couplings need an even dimension")
        sizes = (dim // 2, HIDDEN, HIDDEN, dim // 2)
        for net in ("scale", "shift"):
            for layer, (fan_in, fan_out) in enumerate(pairwise(sizes)):
                gain = 0.0 if layer == 2 else 1 / math.sqrt(fan_in)
                weight = nn.Parameter(gain * torch.randn(fan_out, fan_in))
                self.register_parameter(f"{net}_weight{layer}", weight)
                self.register_parameter(f"{net}_bias{layer}", nn.Parameter(torch.zeros(fan_out)))


class Flow(nn.Module):
    """FC - step - FC - step - FC - step - FC - step - FC, exactly invertible.

    `to_pose` maps z ~ N(0, I) to the representation's own space x (B, D); `to_latent` is its exact
    inverse.
    """

    # torch types the members of a ModuleList as bare modules
    dense: Any
    steps: Any

    def __init__(self, header: PriorHeader) -> None:
        super().__init__()
        self.header, self.dim = header, dimension(header.representation)
        step = Kink if header.architecture == "light" else Coupling
        self.dense = nn.ModuleList(Dense(self.dim) for _ in range(core.NUM_DENSE))
        self.steps = nn.ModuleList(step(self.dim) for _ in range(core.NUM_DENSE - 1))

    def core(self) -> core.Flow:
        """The parameters as the flow of `core.flow`."""
        return flow_of(dict(self.named_parameters()), self.header)

    def to_pose(self, z: Tensor) -> Tensor:
        """Latent to pose, without any inversion. z (B, D) -> x (B, D)."""
        return self.core().to_pose(xp, z)[0]

    def to_latent(self, x: Tensor) -> Tensor:
        """Pose to latent. x (B, D) -> z (B, D)."""
        return self.core().to_latent(xp, x)[0]

    def log_prob(self, x: Tensor) -> Tensor:
        """log N(z; 0, I) + log|det dz/dx| (change of variables), in nats. x (B, D) -> (B,)."""
        return self.core().log_density(xp, x)

    forward = to_pose

"""The two flows of the paper as small modules. Weights are stored from latent to pose."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from . import layers

NUM_DENSE = 5
HIDDEN = 128


class Dense(nn.Module):
    """Square unconstrained matrix with bias."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(dim))
        self.bias = nn.Parameter(torch.zeros(dim))


class PReLU(nn.Module):
    """One positive slope for the whole layer."""

    def __init__(self, dim: int, index: int) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.ones(1))

    def to_pose(self, h: Tensor) -> Tensor:
        return layers.prelu_to_pose(h, self.slope)

    def to_latent(self, h: Tensor) -> tuple[Tensor, Tensor]:
        return layers.prelu_to_latent(h, self.slope)


class Coupling(nn.Module):
    """Affine coupling with a scale and a shift network FC128-Tanh-FC128-Tanh-FC69."""

    def __init__(self, dim: int, index: int) -> None:
        super().__init__()
        if dim % 2:
            raise ValueError("couplings need an even dimension")
        self.first_half = index % 2 == 0
        sizes = (dim // 2, HIDDEN, HIDDEN, dim // 2)
        for net in ("scale", "shift"):
            for layer, (fan_in, fan_out) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
                gain = 0.0 if layer == 2 else 1 / math.sqrt(fan_in)
                self.register_parameter(
                    f"{net}_weight{layer}", nn.Parameter(gain * torch.randn(fan_out, fan_in))
                )
                self.register_parameter(f"{net}_bias{layer}", nn.Parameter(torch.zeros(fan_out)))

    def _net(self, name: str, a: Tensor) -> Tensor:
        weights = [getattr(self, f"{name}_weight{i}") for i in range(3)]
        return layers.mlp(a, weights, [getattr(self, f"{name}_bias{i}") for i in range(3)])

    def _scale_shift(self, h: Tensor) -> tuple[Tensor, Tensor]:
        a, _ = layers.split_halves(h, self.first_half)
        return layers.bound_scale(self._net("scale", a)), self._net("shift", a)

    def to_pose(self, h: Tensor) -> Tensor:
        return layers.coupling_to_pose(h, *self._scale_shift(h), self.first_half)

    def to_latent(self, h: Tensor) -> tuple[Tensor, Tensor]:
        return layers.coupling_to_latent(h, *self._scale_shift(h), self.first_half)


class Flow(nn.Module):
    """FC - step - FC - step - FC - step - FC - step - FC, exactly invertible.

    `to_pose` maps z ~ N(0, I) to the representation's own space x (B, D); `to_latent` is its exact inverse.
    """

    # torch types the members of a ModuleList as bare modules
    dense: Any
    steps: Any

    def __init__(self, architecture: str, dim: int) -> None:
        super().__init__()
        step = STEPS[architecture]
        self.architecture, self.dim = architecture, dim
        self.dense = nn.ModuleList(Dense(dim) for _ in range(NUM_DENSE))
        self.steps = nn.ModuleList(step(dim, index) for index in range(NUM_DENSE - 1))

    def to_pose(self, z: Tensor) -> Tensor:
        """Latent to pose, without any inversion. z (B, D) -> x (B, D)."""
        x = layers.dense_to_pose(z, self.dense[0].weight, self.dense[0].bias)
        for step, dense in zip(self.steps, list(self.dense)[1:], strict=True):
            x = layers.dense_to_pose(step.to_pose(x), dense.weight, dense.bias)
        return x

    def to_latent_with_logdet(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Pose to latent and log|det dz/dx|. x (B, D) -> z (B, D), (B,)."""
        h, total = layers.dense_to_latent(x, self.dense[-1].weight, self.dense[-1].bias)
        for step, dense in zip(reversed(self.steps), list(self.dense)[-2::-1], strict=True):
            h, first = step.to_latent(h)
            h, second = layers.dense_to_latent(h, dense.weight, dense.bias)
            total = total + first + second
        return h, total

    def to_latent(self, x: Tensor) -> Tensor:
        """Pose to latent. x (B, D) -> z (B, D)."""
        return self.to_latent_with_logdet(x)[0]

    def log_prob(self, x: Tensor) -> Tensor:
        """log N(z; 0, I) + log|det dz/dx| (change of variables), in nats. x (B, D) -> (B,)."""
        z, logdet = self.to_latent_with_logdet(x)
        return -0.5 * (z * z).sum(-1) - 0.5 * self.dim * math.log(2 * math.pi) + logdet

    forward = to_pose


STEPS: dict[str, type[nn.Module]] = {"light": PReLU, "realnvp": Coupling}

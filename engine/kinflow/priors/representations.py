"""The three ways in which a flow sees 23 joint rotations: 6D (138), axis-angle (69), matrices (207)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .. import rotations
from ..core.skeleton import NUM_BODY_JOINTS


@dataclass(frozen=True)
class Representation:
    """`to_vector` (B, 23, 3, 3) -> (B, 23 * per_joint) is the canonical lift; `to_matrix` goes back."""

    name: str
    per_joint: int
    to_vector: Callable[[Tensor], Tensor]
    to_matrix: Callable[[Tensor], Tensor]

    @property
    def dim(self) -> int:
        return self.per_joint * NUM_BODY_JOINTS


def _joints(vector: Tensor, size: int) -> Tensor:
    return vector.unflatten(-1, (NUM_BODY_JOINTS, size))


REPRESENTATIONS = {
    "6d": Representation(
        "6d",
        6,
        lambda m: rotations.matrix_to_sixd(m).flatten(-2),
        lambda x: rotations.sixd_to_matrix(_joints(x, 6)),
    ),
    "axis_angle": Representation(
        "axis_angle",
        3,
        lambda m: rotations.matrix_to_axis_angle(m).flatten(-2),
        lambda x: rotations.axis_angle_to_matrix(_joints(x, 3)),
    ),
    "matrix": Representation(
        "matrix",
        9,
        lambda m: m.flatten(-3),
        lambda x: rotations.project_to_rotation(_joints(x, 9).unflatten(-1, (3, 3))),
    ),
}


def lift(vector: Tensor, sigma: float, generator: torch.Generator | None = None) -> Tensor:
    """Takes data off their manifold with isotropic Gaussian noise, x = lift(pose) + sigma * e.

    6D codes and matrices of rotations fill a thinner manifold than their space, on which the likelihood of any
    flow runs away to infinity. The noise gives the data the thickness `sigma` in every direction, so likelihoods
    are bounded and comparable within one representation and one sigma. Along the manifold the same noise acts
    as a rotation jitter of about sigma / sqrt(2) radians (6D). vector (B, D) -> (B, D).
    """
    noise = torch.randn(vector.shape, generator=generator, dtype=vector.dtype, device=vector.device)
    return vector + sigma * noise

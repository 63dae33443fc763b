"""What the solver works on: people as one batch of tensors, and the state of every start."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..bodies.jacobians import PointSet
from ..bodies.model import Body
from ..priors.prior import Prior

if TYPE_CHECKING:
    from .residuals.parts import PartField


@dataclass(frozen=True)
class Weights:
    """How the terms weigh against each other.

    keypoint_metres: Laplace scale of a detector's error at the body (m); the prior and the shape
    have unit weight as negative log-likelihoods times `latent` and `betas`. hint_metres: Laplace
    scale of 3D hints' depth.
    """

    keypoint_metres: float = 0.02
    softness: float = 0.15
    latent: float = 1.0
    betas: float = 1.0
    hint_metres: float = 0.10
    part: float = 1.0


@dataclass(frozen=True)
class Problem:
    """S = people x starts in one batch.

    keypoints (S, K, 2) px, confidence (S, K) with 0 for missing, focal (S, 2), centre (S, 2), scale
    (S, 1) px: one Laplace scale of the keypoints. Depth hints: index (H,) into the keypoints, depth
    (S, H) m behind the hips' centre (whose keypoints are `hip_index`), weight (S, H) with 0 for
    none.
    """

    body: Body
    prior: Prior
    points: PointSet
    weights: Weights
    keypoints: Tensor
    confidence: Tensor
    focal: Tensor
    centre: Tensor
    scale: Tensor
    hip_index: tuple[int, int]
    hint_index: Tensor | None = None
    hint_depth: Tensor | None = None
    hint_weight: Tensor | None = None
    parts: PartField | None = None

    def pick(self, rows: Tensor) -> Problem:
        """The same problem for some of the starts."""
        changed = {
            name: getattr(self, name)[rows]
            for name in (
                "keypoints",
                "confidence",
                "focal",
                "centre",
                "scale",
                "hint_depth",
                "hint_weight",
            )
            if getattr(self, name) is not None
        }
        if self.parts is not None:
            changed["parts"] = self.parts.pick(rows)
        return replace(self, **changed)


@dataclass(frozen=True)
class State:
    """Unknowns: z (S, D), root (S, 3, 3), betas (S, 10), transl (S, 3)."""

    z: Tensor
    root: Tensor
    betas: Tensor
    transl: Tensor

    def pick(self, rows: Tensor) -> State:
        return State(self.z[rows], self.root[rows], self.betas[rows], self.transl[rows])

    def where(self, choose: Tensor, other: State) -> State:
        """This state where `choose` (S,), the other elsewhere."""
        return State(
            torch.where(choose[:, None], self.z, other.z),
            torch.where(choose[:, None, None], self.root, other.root),
            torch.where(choose[:, None], self.betas, other.betas),
            torch.where(choose[:, None], self.transl, other.transl),
        )

    @staticmethod
    def cat(states: list[State]) -> State:
        return State(
            *(torch.cat([getattr(s, n) for s in states]) for n in ("z", "root", "betas", "transl"))
        )

"""Latent axes: directions of the isotropic latent, ordered by how far they move the body."""

from __future__ import annotations

import torch
from torch import Tensor

from ..bodies.kinematics import global_transforms
from ..bodies.model import Body
from ..core.skeleton import METRIC_JOINTS
from .prior import Prior


def latent_axes(
    prior: Prior, body: Body, samples: int = 256, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """SVD of the decoder's Jacobian to joint places, averaged over samples.

    With J(z) = d joints / d z in metres, the eigenvectors of E[J^T J] over z ~ N(0, I) are the directions along
    which a step of one sigma moves the joints most in mean square. Signs are chosen so that most axes raise the
    hands. Returns axes (D, D), rows ordered, and the share of motion that each explains (D,).
    """
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(samples, prior.dim, generator=generator, dtype=prior.axes.dtype)

    def joints(code: Tensor) -> Tensor:
        rotations = prior.representation.to_matrix(prior.flow.to_pose(code[None]))
        root = torch.eye(3, dtype=code.dtype).expand(1, 1, 3, 3)
        place = global_transforms(torch.cat((root, rotations), 1), body.J_template[None].to(code))[
            1
        ]
        return place[0, list(METRIC_JOINTS)].flatten()

    total = torch.zeros(prior.dim, prior.dim, dtype=torch.float64)
    for row in z:
        jacobian = torch.func.jacrev(joints)(row).double()
        total += jacobian.T @ jacobian
    values, vectors = torch.linalg.eigh(total)
    axes = vectors.flip(-1).T
    values = values.flip(-1).clamp_min(0)
    up = (
        torch.stack([joints((2 * a).to(z)) - joints((-2 * a).to(z)) for a in axes])
        .unflatten(-1, (-1, 3))[..., 1]
        .sum(-1)
    )
    axes = axes * torch.where(up < 0, -1.0, 1.0).double()[:, None]
    return axes.to(prior.axes), (values / values.sum()).to(prior.axes)

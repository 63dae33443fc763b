"""What keeps a flow's samples where people are: likelihood alone forgives a flow what it spreads
beside the data.
"""

import array_api_compat.torch as xp
import torch
from torch import Tensor

from ..core.joint_limits import joint_excess
from ..core.representations import to_matrix

ENERGY_WEIGHT, LIMIT_WEIGHT = 200.0, 100.0


def sample_loss(samples: Tensor, data: Tensor, representation: str) -> Tensor:
    """Energy distance of samples and data (B, D) (Szekely and Rizzo 2013, without the data's own
    part), and by how much samples bend joints beyond their ranges. -> (), nats by weight.
    """
    half = len(samples) // 2
    across = torch.cdist(samples, data).mean()
    within = torch.cdist(samples[:half], samples[half:]).mean()
    beyond = joint_excess(xp, to_matrix(xp, representation, samples)).clamp_min(0).sum(-1).mean()
    return ENERGY_WEIGHT * (2 * across - within) + LIMIT_WEIGHT * beyond

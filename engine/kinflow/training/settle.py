"""What likelihood alone does not ask of a flow: samples where people are, and an even volume.

It forgives what a flow spreads beside the data; and it never looks near the middle of the latent,
where no sample of so many dimensions lies, but where a search for likely poses ends.
"""

import array_api_compat.torch as xp
import torch
from torch import Tensor

from ..core.joint_limits import joint_excess
from ..core.representations import to_matrix
from .density import DensityFlow

ENERGY_WEIGHT, LIMIT_WEIGHT = 200.0, 100.0
VOLUME_WEIGHT, VOLUME_EVERY, VOLUME_BATCH = 0.2, 4, 64


def sample_loss(samples: Tensor, data: Tensor, representation: str) -> Tensor:
    """Energy distance of samples and data (B, D) (Szekely and Rizzo 2013, without the data's own
    part), and by how much samples bend joints beyond their ranges. -> (), nats by weight.
    """
    half = len(samples) // 2
    across = torch.cdist(samples, data).mean()
    within = torch.cdist(samples[:half], samples[half:]).mean()
    beyond = joint_excess(xp, to_matrix(xp, representation, samples)).clamp_min(0).sum(-1).mean()
    return ENERGY_WEIGHT * (2 * across - within) + LIMIT_WEIGHT * beyond


def volume_loss(net: DensityFlow) -> Tensor:
    """How far log|det dx/dz| at shrunk samples is from its mean at samples, squared. -> (), nats^2.

    Where it is even, the most likely pose is the one of the smallest code.
    """
    z = torch.randn(2 * VOLUME_BATCH, len(net.mean))
    shrunk = torch.cat((torch.rand(VOLUME_BATCH, 1), torch.ones(VOLUME_BATCH, 1))) * z
    volume = net.volume(shrunk)
    return (volume[:VOLUME_BATCH] - volume[VOLUME_BATCH:].mean()).square().mean()

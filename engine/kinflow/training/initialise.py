"""Starting points of the training."""

import math

import torch
from torch import Tensor

from ..core.flow import NUM_DENSE
from .gradient import DensityNet


def random_orthogonal(dim: int, generator: torch.Generator) -> Tensor:
    """Haar-distributed orthogonal matrix (D, D)."""
    q, r = torch.linalg.qr(torch.randn(dim, dim, generator=generator, dtype=torch.float64))
    return (q * r.diagonal().sign()).float()


def whitening_start(
    net: DensityNet, mean: Tensor, covariance: Tensor, slope: float, generator: torch.Generator
) -> None:
    """First matrix whitens the data, the others turn at random, steps are near the identity.

    mean (D,), covariance (D, D) of the lifted data. The training then starts at the likelihood of
    one full-covariance Gaussian instead of working its way there. `slope` is the PReLUs' first
    slope in the density direction, alternating with its reciprocal so that the volume starts right.
    """
    values, vectors = torch.linalg.eigh(covariance.double())
    whiten = (vectors / values.sqrt()).T.float()
    for i in range(NUM_DENSE):
        net.p["V"][i] = random_orthogonal(net.dim, generator)
    net.p["V"][0] = net.p["V"][0] @ whiten
    net.p["c"].zero_()
    net.p["c"][0] = -net.p["V"][0] @ mean
    if net.architecture == "light":
        signs = torch.tensor([1.0, -1.0, 1.0, -1.0])
        net.p["log_slope"].copy_(math.log(slope) * signs)
        return
    for layer in range(3):
        fan_in = net.p[f"w{layer}"].shape[-1]
        gain = 0.0 if layer == 2 else 1 / math.sqrt(fan_in)
        net.p[f"w{layer}"].copy_(gain * torch.randn(net.p[f"w{layer}"].shape, generator=generator))
        net.p[f"b{layer}"].zero_()

"""A start for the `light` flow at which its non-linearity pays.

From an orthogonal start with slopes of 1 the flow is a linear map: behind a random rotation every
coordinate of whitened data looks Gaussian, so no kink helps anywhere, and training stays at the
likelihood of one Gaussian. Here each PReLU layer is built by projection pursuit (Friedman 1987;
Chen and Gopinath, Gaussianization, 2000): rotate whitened data onto their least Gaussian directions
(FastICA), then give the layer one slope and every coordinate the bias - the place of its kink -
that raises the likelihood most, or push the kink out of the data where none helps; whiten again for
the next layer. Adam starts from there.
"""

import numpy as np
import torch
from torch import Tensor

from ..core.flow import NUM_DENSE
from .gradient import DensityNet

FAR = 4.0
SLOPES = np.exp(np.linspace(-1.2, 1.2, 17))
KINKS = np.linspace(-2.0, 2.0, 17)


def independent_directions(y: Tensor, generator: torch.Generator, rounds: int = 60) -> Tensor:
    """Symmetric FastICA on whitened data with g(u) = u exp(-u^2/2).

    y (N, D) -> orthogonal rows (D, D).
    """
    dim = y.shape[1]
    rotation = torch.linalg.qr(torch.randn(dim, dim, generator=generator, dtype=y.dtype))[0]
    for _ in range(rounds):
        u = y @ rotation.T
        gauss = (-0.5 * u * u).exp()
        update = (u * gauss).T @ y / len(y) - ((1 - u * u) * gauss).mean(0)[:, None] * rotation
        left, _, right = torch.linalg.svd(update)
        rotation = left @ right
    return rotation


def kink_gains(u: np.ndarray, slope: float) -> np.ndarray:
    """Log-likelihood gain a sample of a kink at each of KINKS over a plain Gaussian.

    u (N,) standardised -> (K,).
    """
    gains = np.zeros(len(KINKS))
    for k, kink in enumerate(KINKS):
        below = u < kink
        bent = np.where(below, kink + slope * (u - kink), u)
        gains[k] = np.log(slope) * below.mean() - np.log(bent.std())
    return gains


def choose_layer(u: np.ndarray) -> tuple[float, np.ndarray]:
    """One slope for the layer and a kink for each coordinate (-FAR where none helps).

    u (N, D) -> slope, (D,).
    """
    thinned = u[:: max(1, len(u) // 4000)]
    best = (0.0, 1.0, np.full(u.shape[1], -FAR))
    for slope in SLOPES:
        if slope == 1.0:
            continue
        table = np.stack([kink_gains(thinned[:, d], slope) for d in range(u.shape[1])])
        gain = table.max(1)
        kinks = np.where(gain > 0.002, KINKS[table.argmax(1)], -FAR)
        total = gain[gain > 0.002].sum()
        if total > best[0]:
            best = (total, float(slope), kinks)
    return best[1], best[2]


def pursuit_start(net: DensityNet, sample: Tensor, generator: torch.Generator) -> None:
    """Fills a `light` net. sample (N, D) of lifted training data."""
    h = sample.double()
    for i in range(NUM_DENSE):
        mean = h.mean(0)
        covariance = (h - mean).T @ (h - mean) / len(h)
        values, vectors = torch.linalg.eigh(covariance)
        whiten = (vectors / values.clamp_min(1e-9).sqrt()).T
        y = (h - mean) @ whiten.T
        if i == NUM_DENSE - 1:
            matrix, shift = whiten, -whiten @ mean
        else:
            rotation = independent_directions(y, generator)
            # each direction turned so that its longer tail points down, where the slope acts
            u = y @ rotation.T
            rotation = rotation * torch.where((u**3).mean(0) > 0, -1.0, 1.0).double()[:, None]
            slope, kinks = choose_layer((y @ rotation.T).numpy())
            matrix = rotation @ whiten
            shift = -matrix @ mean - torch.from_numpy(kinks)
            net.p["log_slope"][i] = float(np.log(slope))
        net.p["V"][i] = matrix.float()
        net.p["c"][i] = shift.float()
        h = h @ matrix.T + shift
        if i < NUM_DENSE - 1:
            h = torch.where(h < 0, h * slope, h)

"""The last stage of a training: samples are kept inside the ranges of motion.

A flow of five matrices has Gaussian tails along which elbows and knees bend backwards more often than people's do.
This stage goes on maximising the likelihood and adds the mean excess beyond the joint limits of the flow's own samples,

    L = -E_data[log p(x)] + weight * E_z[ sum_j [excess_j(to_pose(z)) + margin]_+ ]      (radians).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..core.joint_limits import joint_excess
from ..priors import layers
from ..priors.architectures import NUM_DENSE, Flow
from ..priors.representations import Representation, lift
from .gradient import DensityNet

BATCH = 256
MARGIN = 0.1
LR = 1e-4


def settle(
    flow: Flow,
    representation: Representation,
    pool: Tensor,
    weights: Tensor,
    sigma: float,
    steps: int,
    weight: float,
    seed: int,
    report: Callable[[str], None],
) -> Flow:
    """Trains on for `steps` with the joint-limit term. pool (N, D) with weights (N,), as in training. -> a new flow.

    Only for `light`: couplings bound their tails by themselves.
    """
    net = DensityNet.from_flow(flow)
    parameter = torch.nn.Parameter(net.flat)
    parameter.grad = net.grad
    optimiser = torch.optim.Adam([parameter], lr=LR)
    generator = torch.Generator().manual_seed(seed)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = LR * min(1.0, (step + 1) / 100) * (1 - step / steps)
        rows = torch.multinomial(weights, BATCH, True, generator=generator)
        loss = net.loss_and_grad(lift(pool[rows], sigma, generator))
        z = torch.randn(BATCH, net.dim, generator=generator)
        penalty = _add_limit_gradient(net, representation, z, weight)
        net.grad.mul_((50.0 / (net.grad.norm() + 1e-6)).clamp(max=1.0))
        optimiser.step()
        if step % 500 == 499:
            report(
                f"{step + 1:>7}/{steps}  negative log-likelihood {loss:.3f}, joint-limit term {penalty:.4f}"
            )
    return net.to_flow()


def _add_limit_gradient(
    net: DensityNet, representation: Representation, z: Tensor, weight: float
) -> float:
    views = {name: net.p[name].detach().requires_grad_(True) for name in ("V", "c", "log_slope")}
    to_pose = torch.linalg.inv(views["V"])
    h = z
    for i in range(NUM_DENSE - 1, -1, -1):
        h = (h - views["c"][i]) @ to_pose[i].T
        if i:
            h = layers.prelu_to_pose(h, (-views["log_slope"][i - 1]).exp())
    excess = joint_excess(_to_rotations(representation, h))
    term = (excess + MARGIN).clamp_min(0).sum(-1).mean()
    (weight * term).backward()
    for name, view in views.items():
        assert view.grad is not None
        net.g[name].add_(view.grad)
    return float(term.detach())


def _to_rotations(representation: Representation, x: Tensor) -> Tensor:
    if representation.name != "matrix":
        return representation.to_matrix(x)
    # the SVD's gradient fails where singular values meet, which is where rotations are
    # (and Newton-Schulz converges for singular values below sqrt 3)
    m = x.unflatten(-1, (-1, 3, 3))
    m = m * (1.5 / m.norm(dim=(-2, -1), keepdim=True).clamp_min(1e-6))
    for _ in range(8):
        m = 1.5 * m - 0.5 * m @ m.transpose(-1, -2) @ m
    return m

"""The last stage of a training: samples are kept inside the ranges of motion.

A flow of five matrices has Gaussian tails along which elbows and knees bend backwards more often
than people's do. This stage goes on maximising the likelihood and adds the mean excess beyond the
joint limits of the flow's own samples,

    L = -E_data[log p(x)] + weight * E_z[ sum_j [excess_j(to_pose(z)) + margin]_+ ]      (radians).
"""

from collections.abc import Callable
from dataclasses import dataclass

import array_api_compat.torch as xp
import torch
from torch import Tensor

from ..core.joint_limits import joint_excess
from ..core.representations import to_matrix
from ..priors.storage import PriorHeader, flow_of
from .data import Pool
from .gradient import DensityNet

BATCH = 256
MARGIN = 0.1
LR = 1e-4


@dataclass(frozen=True)
class Settling:
    """How many steps, what the joint limits weigh, and the seed."""

    steps: int
    weight: float
    seed: int = 0


def settle(
    tensors: dict[str, Tensor],
    header: PriorHeader,
    pool: Pool,
    plan: Settling,
    report: Callable[[str], None],
) -> dict[str, Tensor]:
    """Trains a flow's arrays on with the joint-limit term. -> new ones.

    Only for `light`: couplings bound their tails by themselves.
    """
    net = DensityNet.of_light(tensors)
    parameter = torch.nn.Parameter(net.flat)
    parameter.grad = net.grad
    optimiser = torch.optim.Adam([parameter], lr=LR)
    generator = torch.Generator().manual_seed(plan.seed)
    for step in range(plan.steps):
        optimiser.param_groups[0]["lr"] = LR * min(1.0, (step + 1) / 100) * (1 - step / plan.steps)
        loss = net.loss_and_grad(pool.draw(BATCH, header.lift_sigma, generator))
        z = torch.randn(BATCH, net.dim, generator=generator)
        penalty = _add_limit_gradient(net, header, z, plan.weight)
        net.grad.mul_((50.0 / (net.grad.norm() + 1e-6)).clamp(max=1.0))
        optimiser.step()
        if step % 500 == 499:
            report(
                f"{step + 1:>7}/{plan.steps}  negative log-likelihood {loss:.3f}, joint-limit term "
                f"{penalty:.4f}"
            )
    return net.tensors()


def _add_limit_gradient(net: DensityNet, header: PriorHeader, z: Tensor, weight: float) -> float:
    views = {name: view.detach().requires_grad_(True) for name, view in net.p.items()}
    x, _ = flow_of(net.stored(views), header).to_pose(xp, z)
    excess = joint_excess(xp, _to_rotations(header.representation, x))
    term = (excess + MARGIN).clamp_min(0).sum(-1).mean()
    (weight * term).backward()
    for name, view in views.items():
        assert view.grad is not None
        net.g[name].add_(view.grad)
    return float(term.detach())


def _to_rotations(representation: str, x: Tensor) -> Tensor:
    if representation != "matrix":
        return to_matrix(xp, representation, x)
    # the SVD's gradient fails where singular values meet, which is where rotations are
    # (and Newton-Schulz converges for singular values below sqrt 3)
    m = x.unflatten(-1, (-1, 3, 3))
    m = m * (1.5 / m.norm(dim=(-2, -1), keepdim=True).clamp_min(1e-6))
    for _ in range(8):
        m = 1.5 * m - 0.5 * m @ m.mT @ m
    return m

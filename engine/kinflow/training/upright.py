"""Learning which way is up from the pose."""

import array_api_compat.torch as xp
import numpy as np
import torch

from ..core.arrays import numpy_backend
from ..core.rotations import axis_angle_to_matrix
from ..core.upright import NUM_JOINTS, Upright
from ..mocap.dataset import PosePool
from .schedule import warm_cosine

HIDDEN, STEPS, BATCH, LR = 32, 1500, 256, 2e-3
JITTER = 0.1  # radians at every joint; performers differ by more than one performer shows
DECAY = 1e-2


def train_upright(pool: PosePool, seed: int) -> Upright:
    """On a pool's poses and up directions."""
    torch.manual_seed(seed)
    first, second = torch.nn.Linear(6 * NUM_JOINTS, HIDDEN), torch.nn.Linear(HIDDEN, 4)
    loose = torch.nn.Parameter(torch.tensor(-4.0))
    with torch.no_grad():
        second.bias.copy_(torch.tensor([0.0, 1.0, 0.0, 3.0]))
    parameters = [*first.parameters(), *second.parameters(), loose]
    optimiser = torch.optim.AdamW(parameters, lr=LR, weight_decay=DECAY)
    poses, up = torch.from_numpy(pool.poses), torch.from_numpy(pool.up).float()
    steps, random = np.cumsum(pool.weights), np.random.default_rng(seed)
    for step in range(STEPS):
        optimiser.param_groups[0]["lr"] = LR * warm_cosine(step, STEPS, 100)
        rows = torch.from_numpy(np.searchsorted(steps, random.random(BATCH) * steps[-1]))
        jitter = axis_angle_to_matrix(xp, JITTER * torch.randn(BATCH, 23, 3))
        weights, biases = (first.weight, second.weight), (first.bias, second.bias)
        net = Upright(weights, biases, torch.sigmoid(loose))
        loss = -net.log_density(xp, poses[rows] @ jitter, up[rows]).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    arrays = [p.detach().numpy() for p in (first.weight, second.weight, first.bias, second.bias)]
    net = Upright(
        (arrays[0], arrays[1]), (arrays[2], arrays[3]), float(torch.sigmoid(loose).detach())
    )
    return numpy_backend().record(net)

"""Of every frame's hypotheses the chain that moves least for its energy (Viterbi)."""

from collections.abc import Sequence

import numpy as np

from ...core.skeleton import METRIC_JOINTS

STEP_METRES = 0.03  # a joint's usual way from frame to frame, about the pelvis
MOST = 60.0  # nats that one step costs at most: cuts happen


def best_path(
    joints: Sequence[np.ndarray], energies: Sequence[np.ndarray], gaps: Sequence[int]
) -> list[int]:
    """joints: (H_t, 24, 3) m a frame; energies (H_t,) nats; gaps: frames from each to the next (T -
    1). -> an index a frame.
    """
    chosen = list(METRIC_JOINTS)
    poses = [(j - j[:, :1])[:, chosen] for j in joints]
    cost = np.asarray(energies[0], float)
    back: list[np.ndarray] = []
    for t in range(1, len(poses)):
        apart = poses[t - 1][:, None] - poses[t][None]
        moved = 0.5 * (apart**2).sum(-1).mean(-1) / (STEP_METRES**2 * gaps[t - 1]) * 3
        total = cost[:, None] + np.minimum(moved, MOST)
        back.append(total.argmin(0))
        cost = total.min(0) + np.asarray(energies[t], float)
    path = [int(cost.argmin())]
    for row in reversed(back):
        path.append(int(row[path[-1]]))
    return path[::-1]

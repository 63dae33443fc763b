"""Other minima: limbs flipped in depth, and which solutions are distinct."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..core.skeleton import METRIC_JOINTS
from .backend import levenberg_marquardt
from .evaluate import posed_joints
from .problem import Problem, State
from .solver import Solution, SolverConfig

DISTINCT_METRES = 0.060
FLIP_DEPTH = 0.08
MAX_HYPOTHESES = 6
LEAD_ITERATIONS = 12
_LIMBS = (
    ("left_shoulder", "left_elbow", "left_wrist"),
    ("right_shoulder", "right_elbow", "right_wrist"),
    ("left_hip", "left_knee", "left_ankle"),
    ("right_hip", "right_knee", "right_ankle"),
)


def flipped_starts(
    problem: Problem, solution: Solution, owner: Tensor, names: tuple[str, ...]
) -> tuple[State, Tensor]:
    """Starts in which one limb of each person's best solution is reflected in depth.

    On a photo a bone that comes forward looks like one that goes back by as much. For every limb whose bones leave
    the image plane by more than FLIP_DEPTH, a few steps with strong depth hints at the reflected places lead into the
    other basin. Returns states and the owner of each (maybe none).
    """
    order = torch.argsort(solution.energy)
    seen: set[int] = set()
    best = []
    for row in order.tolist():
        if int(owner[row]) not in seen:
            seen.add(int(owner[row]))
            best.append(row)
    rows = torch.tensor(sorted(best), device=owner.device)
    state = solution.state.pick(rows)
    base = problem.pick(rows)
    _, posed = posed_joints(base, state)
    depth = posed.points[..., 2]
    hips = depth[:, list(base.hip_index)].mean(1, keepdim=True)
    starts, owners, targets, weights = [], [], [], []
    limb_names = [n for limb in _LIMBS for n in limb]
    index = torch.tensor([names.index(n) for n in limb_names], device=owner.device)
    relative = depth[:, index] - hips
    for number in range(len(_LIMBS)):
        a, b, c = (3 * number + k for k in range(3))
        first, second = relative[:, b] - relative[:, a], relative[:, c] - relative[:, b]
        bent = torch.maximum(first.abs(), second.abs()) > FLIP_DEPTH
        known = base.confidence[:, index[a : c + 1]].amin(1) > 0
        chosen = torch.nonzero(bent & known)[:, 0]
        if not len(chosen):
            continue
        target = relative.clone()
        target[:, b] = relative[:, a] - first
        target[:, c] = target[:, b] - second
        starts.append(chosen)
        owners.append(owner[rows][chosen])
        targets.append(target[chosen])
        weights.append(torch.ones_like(target[chosen]))
    if not starts:
        return state.pick(rows[:0]), owner[:0]
    picked = torch.cat(starts)
    hinted = replace(
        base.pick(picked),
        hint_index=index,
        hint_depth=torch.cat(targets),
        hint_weight=torch.cat(weights),
        weights=replace(base.weights, hint_metres=0.01),
        parts=None,
    )
    led = levenberg_marquardt(
        hinted, state.pick(picked), SolverConfig(max_iterations=LEAD_ITERATIONS, first_damping=1.0)
    )
    return led.state, torch.cat(owners)


def distinct(problem: Problem, solution: Solution, owner: Tensor, count: int) -> list[list[int]]:
    """Rows of each person's distinct minima, lowest energy first: at least DISTINCT_METRES apart, pelvis-aligned."""
    joints, _ = posed_joints(problem.pick(owner), solution.state)
    joints = joints[:, list(METRIC_JOINTS)] - joints[:, :1]
    result: list[list[int]] = [[] for _ in range(count)]
    for row in torch.argsort(solution.energy).tolist():
        kept = result[int(owner[row])]
        far = all((joints[row] - joints[k]).norm(dim=-1).mean() > DISTINCT_METRES for k in kept)
        limb_far = all(
            (joints[row] - joints[k]).norm(dim=-1).amax() > 3 * DISTINCT_METRES for k in kept
        )
        if not kept or (
            (far or limb_far)
            and torch.isfinite(solution.energy[row])
            and len(kept) < MAX_HYPOTHESES
        ):
            kept.append(row)
    return result

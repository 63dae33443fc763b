"""Batched Levenberg-Marquardt over people x starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import CancelledError
from ..rotations import axis_angle_to_matrix
from .evaluate import NUM_BETAS, NUM_GLOBAL, Linearisation, energy, linearise
from .problem import Problem, State

Progress = Callable[[int, int], bool | None]


@dataclass(frozen=True)
class SolverConfig:
    """max_iterations; a start has converged when its energy falls by less than `tolerance` nats in three steps."""

    max_iterations: int = 60
    tolerance: float = 5e-2
    first_damping: float = 1.0


@dataclass(frozen=True)
class Solution:
    """state, energy (S,), converged (S,) bool, iterations run."""

    state: State
    energy: Tensor
    converged: Tensor
    iterations: int


def step(
    lin: Linearisation, state: State, damping: Tensor, latent: float, betas: float
) -> tuple[Tensor, Tensor]:
    """One damped Gauss-Newton step. damping (S,) -> dz (S, D), d_global (S, 16).

    Minimises |r + A dz + G dg|^2 + latent |z + dz|^2 + betas |b + db|^2 + damping |dz|^2 + damping |dg|^2_diag(G'G).
    The prior's Hessian is a multiple of the identity, so z is eliminated through the rows: with mu = latent + damping,
    C = I + A A' / mu and r' = r - A z latent / mu, the 16 global unknowns solve (G' C^-1 G + P) dg = -(G' C^-1 r' + p).
    Where there are more rows than latents, the same C^-1 is applied by Woodbury's identity through (mu I + A'A).
    """
    a, g, r = lin.by_z, lin.by_global, lin.residual
    mu = (latent + damping)[:, None]
    shifted = r - (a @ (state.z * (latent / mu))[..., None])[..., 0]
    right = torch.cat((g, shifted[..., None]), -1)
    rows, dim = a.shape[1:]
    if rows <= dim:
        c = a @ a.transpose(-1, -2) / mu[..., None]
        c.diagonal(dim1=-2, dim2=-1).add_(1)
        factor = torch.linalg.cholesky_ex(c)[0]
        solved = torch.cholesky_solve(right, factor)
    else:
        inner = a.transpose(-1, -2) @ a
        inner.diagonal(dim1=-2, dim2=-1).add_(mu)
        factor = torch.linalg.cholesky_ex(inner)[0]
        solved = right - a @ torch.cholesky_solve(a.transpose(-1, -2) @ right, factor)
    system = g.transpose(-1, -2) @ solved
    normal, gradient = system[..., :NUM_GLOBAL], system[..., NUM_GLOBAL]
    gradient = gradient.clone()
    gradient[:, 3 : 3 + NUM_BETAS] += betas * state.betas
    diagonal = (g * g).sum(1) * damping[:, None] * 0.1 + 1e-4
    diagonal[:, 3 : 3 + NUM_BETAS] += betas
    normal = normal + torch.diag_embed(diagonal)
    factor = torch.linalg.cholesky_ex(normal)[0]
    d_global = -torch.cholesky_solve(gradient[..., None], factor)
    weighted = solved[..., NUM_GLOBAL:] + solved[..., :NUM_GLOBAL] @ d_global
    dz = -state.z * (latent / mu) - (a.transpose(-1, -2) @ weighted)[..., 0] / mu
    return dz, d_global[..., 0]


def apply(state: State, dz: Tensor, d_global: Tensor) -> State:
    """State after a step; the root turns on the left, in the camera frame."""
    turn = axis_angle_to_matrix(d_global[:, :3])
    return State(
        state.z + dz,
        turn @ state.root,
        state.betas + d_global[:, 3 : 3 + NUM_BETAS],
        state.transl + d_global[:, -3:],
    )


def levenberg_marquardt(
    problem: Problem, state: State, config: SolverConfig, progress: Progress | None = None
) -> Solution:
    """Minimises the energy of every start on its own: damping and acceptance are per start, finished ones leave.

    progress(iteration, max_iterations) is called between iterations; returning False cancels (CancelledError).
    """
    total = len(state.z)
    device = state.z.device
    final_state, final_energy = (
        state,
        torch.full((total,), torch.inf, dtype=state.z.dtype, device=device),
    )
    converged = torch.zeros(total, dtype=torch.bool, device=device)
    rows = torch.arange(total, device=device)
    damping = torch.full((total,), config.first_damping, dtype=state.z.dtype, device=device)
    quiet = torch.zeros(total, device=device)
    lin = linearise(problem, state)
    current = lin.energy
    iteration = 0
    for iteration in range(1, config.max_iterations + 1):
        if progress is not None and progress(iteration, config.max_iterations) is False:
            raise CancelledError("The fit was cancelled.")
        dz, d_global = step(lin, state, damping, problem.weights.latent, problem.weights.betas)
        trial = apply(state, dz, d_global)
        trial_energy = energy(problem, trial)
        if progress is not None and progress(iteration, config.max_iterations) is False:
            raise CancelledError("The fit was cancelled.")
        better = (trial_energy < current) & torch.isfinite(trial_energy)
        gain = torch.where(better, current - trial_energy, torch.zeros_like(current))
        state = trial.where(better, state)
        current = torch.where(better, trial_energy, current)
        # a rejected step at high damping is as quiet as an accepted one that gains nothing
        stuck = (gain < config.tolerance) & (better | (damping > 10))
        quiet = torch.where(stuck, quiet + 1, torch.where(better, torch.zeros_like(quiet), quiet))
        damping = torch.where(better, damping * 0.3, damping * 5).clamp(1e-4, 1e5)
        done = (quiet >= 2) | (damping >= 1e5)
        if bool(done.any()) or iteration == config.max_iterations:
            leave = done if iteration < config.max_iterations else torch.ones_like(done)
            final_state, final_energy = _store(
                final_state, final_energy, rows[leave], state.pick(leave), current[leave]
            )
            converged[rows[done]] = True
            stay = ~leave
            if not bool(stay.any()):
                break
            rows, state, current = rows[stay], state.pick(stay), current[stay]
            damping, quiet, problem = damping[stay], quiet[stay], problem.pick(stay)
        lin = linearise(problem, state)
    return Solution(final_state, final_energy, converged, iteration)


def replace_rows(solution: Solution, rows: Tensor, new: Solution) -> Solution:
    """A solution with some of its starts replaced by others."""
    state, energies = _store(solution.state, solution.energy, rows, new.state, new.energy)
    converged = solution.converged.clone()
    converged[rows] = new.converged
    return Solution(state, energies, converged, max(solution.iterations, new.iterations))


def _store(
    state: State, values: Tensor, rows: Tensor, new: State, new_values: Tensor
) -> tuple[State, Tensor]:
    parts = []
    for name in ("z", "root", "betas", "transl"):
        target = getattr(state, name).clone()
        target[rows] = getattr(new, name)
        parts.append(target)
    values = values.clone()
    values[rows] = new_values
    return State(*parts), values

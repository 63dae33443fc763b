"""Levenberg-Marquardt as in `fitting.solver`, in numpy.

One difference in the order of work, none in the steps: a trial is linearised at once instead of first asking for its
energy, since most trials are taken.
"""

from __future__ import annotations

import contextlib

import numpy as np
import torch

from ...errors import CancelledError
from ..evaluate import NUM_BETAS, NUM_GLOBAL
from ..problem import Problem, State
from ..solver import Progress, Solution, SolverConfig
from .evaluate import LeanLinearisation, LeanProblem, LeanState, linearise
from .threads import one_thread

FEW_STARTS = 16


def step(
    lin: LeanLinearisation, state: LeanState, damping: np.ndarray, latent: float, betas: float
) -> tuple[np.ndarray, np.ndarray]:
    """One damped step, by the equations of `fitting.solver.step`. -> dz (S, D), d_global (S, 16)."""
    a, g, r = lin.by_z, lin.by_global, lin.residual
    mu = (latent + damping)[:, None]
    shrink = state.z * (latent / mu)
    shifted = r - (a @ shrink[..., None])[..., 0]
    inner: np.ndarray = a @ a.transpose(0, 2, 1) / mu[..., None]
    diagonal = np.arange(a.shape[1])
    inner[:, diagonal, diagonal] += 1
    solved = np.linalg.solve(inner, np.concatenate((g, shifted[..., None]), -1))
    system = g.transpose(0, 2, 1) @ solved
    normal = system[..., :NUM_GLOBAL]
    gradient: np.ndarray = system[..., NUM_GLOBAL].copy()
    gradient[:, 3 : 3 + NUM_BETAS] += betas * state.betas
    added = (g * g).sum(1) * damping[:, None] * 0.1 + 1e-4
    added[:, 3 : 3 + NUM_BETAS] += betas
    diagonal = np.arange(NUM_GLOBAL)
    normal[:, diagonal, diagonal] += added
    d_global = -np.linalg.solve(normal, gradient[..., None])
    weighted = solved[..., NUM_GLOBAL:] + solved[..., :NUM_GLOBAL] @ d_global
    return -shrink - (a.transpose(0, 2, 1) @ weighted)[..., 0] / mu, d_global[..., 0]


def _turn(vector: np.ndarray) -> np.ndarray:
    """Rodrigues' formula by quaternions. (S, 3) -> (S, 3, 3)."""
    half = 0.5 * np.sqrt((vector * vector).sum(-1) + 1e-30)
    w = np.cos(half)
    x, y, z = (vector * (0.5 * np.sin(half) / half)[:, None]).T
    rows = (
        1 - 2 * (y * y + z * z),
        2 * (x * y - z * w),
        2 * (x * z + y * w),
        2 * (x * y + z * w),
        1 - 2 * (x * x + z * z),
        2 * (y * z - x * w),
        2 * (x * z - y * w),
        2 * (y * z + x * w),
        1 - 2 * (x * x + y * y),
    )
    return np.stack(rows, -1).reshape(-1, 3, 3)


def apply(state: LeanState, dz: np.ndarray, d_global: np.ndarray) -> LeanState:
    """State after a step."""
    turn = _turn(d_global[:, :3])
    return LeanState(
        state.z + dz,
        turn @ state.root,
        state.betas + d_global[:, 3 : 3 + NUM_BETAS],
        state.transl + d_global[:, -3:],
    )


def levenberg_marquardt(
    problem: Problem, state: State, config: SolverConfig, progress: Progress | None = None
) -> Solution:
    """As `fitting.solver.levenberg_marquardt`, for tensors on the CPU."""
    # for a few starts the products are too small to be shared between threads
    threads = one_thread() if len(state.z) <= FEW_STARTS else contextlib.nullcontext()
    with (
        threads,
        np.errstate(all="ignore"),
    ):  # a start may run away; its energy is then not finite and the trial refused
        return _minimise(
            LeanProblem(problem),
            LeanState(*(getattr(state, n).numpy() for n in ("z", "root", "betas", "transl"))),
            config,
            progress,
        )


def _safe_linearise(problem: LeanProblem, state: LeanState) -> LeanLinearisation | None:
    try:
        return linearise(problem, state)
    except np.linalg.LinAlgError:
        return None


def _safe_step(
    lin: LeanLinearisation, state: LeanState, damping: np.ndarray, problem: LeanProblem
) -> tuple[np.ndarray, np.ndarray]:
    try:
        return step(lin, state, damping, problem.weights.latent, problem.weights.betas)
    except np.linalg.LinAlgError:
        return np.full_like(state.z, np.nan), np.full(
            (len(state.z), NUM_GLOBAL), np.nan, state.z.dtype
        )


def _minimise(
    problem: LeanProblem, state: LeanState, config: SolverConfig, progress: Progress | None
) -> Solution:
    total = len(state.z)
    final = LeanState(*(getattr(state, n).copy() for n in ("z", "root", "betas", "transl")))
    energy = np.full(total, np.inf, state.z.dtype)
    converged = np.zeros(total, bool)
    rows = np.arange(total)
    damping, quiet = np.full(total, config.first_damping, state.z.dtype), np.zeros(total, int)
    lin = linearise(problem, state)
    iteration = 0
    for iteration in range(1, config.max_iterations + 1):
        if progress is not None and progress(iteration, config.max_iterations) is False:
            raise CancelledError("The fit was cancelled.")
        trial = apply(state, *_safe_step(lin, state, damping, problem))
        trial_lin = _safe_linearise(problem, trial)
        current = lin.energy
        better = (
            np.zeros(len(rows), bool)
            if trial_lin is None
            else (trial_lin.energy < current) & np.isfinite(trial_lin.energy)
        )
        gain = (
            np.zeros_like(current)
            if trial_lin is None
            else np.where(better, current - trial_lin.energy, 0)
        )
        if trial_lin is not None and better.all():
            state, lin = trial, trial_lin
        elif trial_lin is not None and better.any():
            state, lin = trial.where(better, state), trial_lin.where(better, lin)
        stuck = (gain < config.tolerance) & (better | (damping > 10))
        quiet = np.where(stuck, quiet + 1, np.where(better, 0, quiet))
        damping = np.clip(np.where(better, damping * 0.3, damping * 5), 1e-4, 1e5).astype(
            state.z.dtype
        )
        done = (quiet >= 2) | (damping >= 1e5)
        if done.any() or iteration == config.max_iterations:
            leave = done if iteration < config.max_iterations else np.ones_like(done)
            for name in ("z", "root", "betas", "transl"):
                getattr(final, name)[rows[leave]] = getattr(state, name)[leave]
            energy[rows[leave]] = lin.energy[leave]
            converged[rows[done]] = True
            stay = ~leave
            if not stay.any():
                break
            rows, state, lin = rows[stay], state.pick(stay), lin.pick(stay)
            damping, quiet, problem = damping[stay], quiet[stay], problem.pick(stay)
    tensors = (torch.from_numpy(getattr(final, n)) for n in ("z", "root", "betas", "transl"))
    return Solution(
        State(*tensors), torch.from_numpy(energy), torch.from_numpy(converged), iteration
    )

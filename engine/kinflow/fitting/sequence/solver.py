"""Levenberg-Marquardt over all frames of a window at once: their own residuals, shared shape, and smoothness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...errors import CancelledError
from ..evaluate import NUM_BETAS, linearise
from ..evaluate import energy as frame_energy
from ..problem import Problem, State
from .banded import solve_arrow
from .smoothness import (
    SmoothWeights,
    coefficients,
    energy,
    perturbed,
    translation_deviation,
    turn_acceleration,
    vector_acceleration,
)

CHUNK = 32  # frames linearised at once: bounds memory


@dataclass(frozen=True)
class Window:
    """frames (T,) numbers; held: how many of the first stay where they are (they overlap with the window before);
    hold_betas: the shape too."""

    frames: Tensor
    weights: SmoothWeights
    held: int = 0
    hold_betas: bool = False


def solve_window(
    problem: Problem,
    state: State,
    window: Window,
    iterations: int,
    progress: Callable[[int, int], bool | None] | None = None,
) -> tuple[State, Tensor]:
    """State with one shape for all frames, and the energy of each frame (T,). problem: one row a frame."""
    betas = state.betas.mean(0, keepdim=True) if not window.hold_betas else state.betas[:1]
    state = replace(state, betas=betas.expand(len(state.z), -1))
    damping, current = 0.1, total_energy(problem, state, window)
    for iteration in range(iterations):
        if progress is not None and progress(iteration, iterations) is False:
            raise CancelledError("The fit was cancelled.")
        system = _system(problem, state, window)
        for _ in range(6):
            trial = _try(system, state, window, damping)
            found = (
                torch.full_like(current, torch.inf)
                if trial is None
                else total_energy(problem, trial, window)
            )
            if trial is not None and bool(found < current):
                break
            damping *= 6
        else:
            break
        gain = float(current - found)
        state, current, damping = trial, found, max(1e-4, damping * 0.3)
        if gain < 1e-3 * len(state.z):
            break
    return state, torch.cat(
        [frame_energy(problem.pick(rows), state.pick(rows)) for rows in _chunks(state)]
    )


def total_energy(problem: Problem, state: State, window: Window) -> Tensor:
    """All frames' energies and the smoothness. -> ().

    Every frame brings its own prior of the shape. Counted once only, it would be nothing beside hundreds of keypoints, and
    the shape would make up for whatever the poses' prior holds back in all frames alike (measured: betas of 4 and 5 sigmas).
    """
    own = (
        torch.cat([frame_energy(problem.pick(rows), state.pick(rows)) for rows in _chunks(state)])
        .double()
        .sum()
    )
    smooth = energy(
        state.z.double(),
        state.root.double(),
        state.transl.double(),
        window.frames.double(),
        window.weights,
    )
    return own + smooth


def _chunks(state: State) -> tuple[Tensor, ...]:
    return torch.arange(len(state.z), device=state.z.device).split(CHUNK)


def _system(problem: Problem, state: State, window: Window) -> tuple[Tensor, ...]:
    """Normal equations: blocks of [z, root, transl] a frame (T, n, n), couplings to the next two, the shape's border."""
    weights, dim, count = problem.weights, state.z.shape[1], len(state.z)
    blocks, borders, right = [], [], []
    corner = torch.zeros(NUM_BETAS, NUM_BETAS, dtype=torch.float64, device=state.z.device)
    shared = torch.zeros(NUM_BETAS, dtype=torch.float64, device=state.z.device)
    for rows in _chunks(state):
        lin = linearise(problem.pick(rows), state.pick(rows))
        turn, shape, place = (
            lin.by_global[..., :3],
            lin.by_global[..., 3 : 3 + NUM_BETAS],
            lin.by_global[..., -3:],
        )
        own = torch.cat((lin.by_z, turn, place), -1).double()
        shape, residual = shape.double(), lin.residual.double()
        blocks.append(own.transpose(1, 2) @ own)
        borders.append(own.transpose(1, 2) @ shape)
        right.append(-(own.transpose(1, 2) @ residual[..., None])[..., 0])
        corner = corner + torch.einsum("srm,srk->mk", shape, shape)
        shared = shared - torch.einsum("srm,sr->m", shape, residual)
    diagonal, border, gradient = torch.cat(blocks), torch.cat(borders), torch.cat(right)
    index = torch.arange(dim, device=diagonal.device)
    diagonal[:, index, index] += weights.latent
    gradient[:, :dim] -= weights.latent * state.z.double()
    eye = torch.eye(NUM_BETAS, dtype=torch.float64, device=diagonal.device)
    corner = corner + count * weights.betas * eye
    shared = shared - count * weights.betas * state.betas[0].double()
    first, second = (
        diagonal.new_zeros(max(0, count - 1), *diagonal.shape[1:]),
        diagonal.new_zeros(max(0, count - 2), *diagonal.shape[1:]),
    )
    if count >= 3:
        _add_smoothness(state, window, diagonal, first, second, gradient)
    return diagonal, first, second, border, corner, gradient, shared


def _add_smoothness(
    state: State, window: Window, diagonal: Tensor, first: Tensor, second: Tensor, gradient: Tensor
) -> None:
    frames, weights, dim = window.frames.double(), window.weights, state.z.shape[1]
    c = coefficients(frames)
    deviation = torch.cat(
        (torch.full((dim,), weights.latent).to(gradient), translation_deviation(weights, gradient))
    )
    columns = torch.cat((torch.arange(dim), torch.arange(dim + 3, dim + 6))).to(diagonal.device)
    x = torch.cat((state.z, state.transl), 1).double()
    a = vector_acceleration(x, frames) / deviation**2
    turn, slopes = turn_acceleration(state.root.double(), frames)
    turned = slice(dim, dim + 3)
    count = len(c)
    for i in range(3):
        gradient[i : i + count][:, columns] -= c[:, i, None] * a
        gradient[i : i + count, turned] -= (
            torch.einsum("txy,tx->ty", slopes[:, i], turn) / weights.root**2
        )
        for j in range(i + 1):
            target = (diagonal, first, second)[i - j]
            where = target[j : j + count]
            where[:, columns, columns] += (c[:, i] * c[:, j])[:, None] / deviation**2
            where[:, turned, turned] += (
                slopes[:, i].transpose(1, 2) @ slopes[:, j] / weights.root**2
            )


def _try(system: tuple[Tensor, ...], state: State, window: Window, damping: float) -> State | None:
    diagonal, first, second, border, corner, gradient, shared = system
    size = diagonal.shape[1]
    index = torch.arange(size, device=diagonal.device)
    damped = diagonal.clone()
    damped[:, index, index] += damping * (1 + 0.1 * diagonal[:, index, index])
    border, gradient = border.clone(), gradient.clone()
    if window.held:
        # a huge weight keeps what is held where it is
        damped[: window.held, index, index] += 1e12
        gradient[: window.held], border[: window.held] = 0, 0
    corner = corner + torch.diag(damping * (1 + 0.1 * corner.diagonal()))
    if window.hold_betas:
        corner, shared = (
            corner + 1e12 * torch.eye(NUM_BETAS, dtype=corner.dtype, device=corner.device),
            torch.zeros_like(shared),
        )
        border = torch.zeros_like(border)
    try:
        step, by_shape = solve_arrow(damped, first, second, border, corner, gradient, shared)
    except torch.linalg.LinAlgError:
        return None
    if not bool(torch.isfinite(step).all()):
        return None
    step, dim = step.to(state.z.dtype), state.z.shape[1]
    return State(
        state.z + step[:, :dim],
        perturbed(state.root, step[:, dim : dim + 3]),
        state.betas + by_shape.to(state.betas.dtype),
        state.transl + step[:, dim + 3 :],
    )

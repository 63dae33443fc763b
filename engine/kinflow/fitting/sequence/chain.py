"""All frames of a window at once: their residuals, one shape, smoothness between neighbours."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from scipy.linalg import LinAlgError, solveh_banded

from ...core.arrays import Array, Namespace, asarray_like, per_person, pick, put_beside, to_numpy
from ...core.body import NUM_BETAS
from ...core.posterior import Problem, State
from ...core.step import Linearisation
from ...core.terms.smoothness import Smoothness

CHUNK = 32  # frames linearised at once: bounds memory
HELD = 1e12  # weight that keeps a frame where it is


@dataclass(frozen=True)
class ChainLinearisation:
    """energy (T,) nats; normal equations of the frames' own n unknowns [latent, root, transl]:
    blocks (T, n, n), border (T, n, 10) to the shape, corner (T, 10, 10); gradients (T, n), (T,
    10)."""

    energy: Array = per_person()
    blocks: Array = per_person()
    border: Array = per_person()
    corner: Array = per_person()
    gradient: Array = per_person()
    shape_gradient: Array = per_person()


@dataclass(frozen=True)
class Chain:
    """The frames of a window (a `core.solver.Model`).

    problem: one row a frame, its unknowns ROOT, TRANSL and SHARED_BETAS; held (T,): frames that
    stay where they are, since they overlap with the window before; hold_shape: the shape stays too.
    """

    problem: Problem
    smoothness: Smoothness
    held: np.ndarray
    hold_shape: bool = False

    @property
    def xp(self) -> Namespace:
        return self.problem.xp

    @property
    def group(self) -> Array:
        """All frames are taken or refused together."""
        return self.problem.group

    def pick(self, rows: Array) -> Chain:
        """All frames, or none that are asked for."""
        return self

    def energy(self, state: State) -> Array:
        """Of the frames, and of how they follow each other. -> (T,) nats."""
        parts = [self.problem.pick(c).energy(pick(state, c)) for c in _chunks(state)]
        return self.xp.concat(parts) + self.smoothness.energy(self.xp, state)

    def linearise(self, state: State) -> ChainLinearisation:
        """Frame by frame, in chunks; the smoothness is added where a step is solved."""
        chunks = _chunks(state)
        parts = [_normal(self.problem.pick(c).linearise(pick(state, c))) for c in chunks]
        energy, *tables = (np.concatenate(column) for column in zip(*parts, strict=True))
        energy = energy + to_numpy(self.smoothness.energy(self.xp, state))
        total = asarray_like(self.xp, energy, state.z)
        # beside the state, so that the solver can choose between two linearisations
        return ChainLinearisation(total, *(put_beside(self.xp, t, state.z) for t in tables))

    def step(self, linear: ChainLinearisation, state: State, damping: Array) -> State:
        """A damped step of all frames and the shape; nowhere where the system is not definite."""
        blocks, below, below2, gradient = self._joined(linear, state)
        border, count = to_numpy(linear.border).copy(), len(blocks)
        stiff, size = float(damping[0]), blocks.shape[-1]
        diagonal = blocks.diagonal(axis1=1, axis2=2)
        blocks = blocks + (stiff * (1 + 0.1 * diagonal))[..., None] * np.eye(size)
        blocks[self.held] += HELD * np.eye(size)
        border[self.held], gradient[self.held] = 0, 0
        corner, pull = (to_numpy(a).sum(0) for a in (linear.corner, linear.shape_gradient))
        corner += np.diag(stiff * (1 + 0.1 * corner.diagonal()))
        if self.hold_shape:
            border, pull, corner = np.zeros_like(border), np.zeros_like(pull), np.eye(len(pull))
        right = np.concatenate((gradient[..., None], border), -1).reshape(count * size, -1)
        try:
            solved = solveh_banded(_banded(blocks, below, below2), right, lower=True)
        except (LinAlgError, ValueError):  # it is not definite, or not finite
            solved = np.full_like(right, np.nan)
        solved = solved.reshape(count, size, -1)
        schur = corner - np.einsum("tnm,tnk->mk", border, solved[..., 1:])
        shape = -np.linalg.lstsq(
            np.nan_to_num(schur), pull - np.einsum("tnm,tn->m", border, solved[..., 0]), rcond=None
        )[0]
        own = -(solved[..., 0] + solved[..., 1:] @ shape)
        rest = np.concatenate((own[:, -6:], np.broadcast_to(shape, (count, NUM_BETAS))), 1)
        moves = (asarray_like(self.xp, a, state.z) for a in (own[:, :-6], rest))
        return self.problem.moved(state, *moves)

    def _joined(self, linear: ChainLinearisation, state: State) -> tuple[np.ndarray, ...]:
        """Blocks (T, n, n) with the smoothness in them, those of neighbours (T - 1, n, n) and of
        neighbours' neighbours (T - 2, n, n), and the gradient (T, n)."""
        blocks, gradient = (to_numpy(a).copy() for a in (linear.blocks, linear.gradient))
        count, size = gradient.shape
        neighbours = [np.zeros((max(count - k, 0), size, size)) for k in (1, 2)]
        tables = (blocks, *neighbours)
        if count < 3:
            return *tables, gradient
        links = self.smoothness.rows(self.xp, state)
        linear_, c, deviation, turn, slopes = (
            to_numpy(getattr(links, f.name)).astype(np.float64) for f in fields(links)
        )
        dim = size - 6
        columns = np.concatenate((np.arange(dim), np.arange(dim + 3, size)))
        turned = slice(dim, dim + 3)
        for i in range(3):
            here = gradient[i : i + count - 2]
            here[:, columns] += c[:, i, None] * linear_ / deviation
            here[:, turned] += (slopes[:, i].swapaxes(1, 2) @ turn[..., None])[..., 0]
            for j in range(i + 1):
                block = tables[i - j][j : j + count - 2]
                block[:, columns, columns] += (c[:, i] * c[:, j])[:, None] / deviation**2
                block[:, turned, turned] += slopes[:, i].swapaxes(1, 2) @ slopes[:, j]
        return *tables, gradient


def _chunks(state: State) -> list[slice]:
    return [slice(i, i + CHUNK) for i in range(0, len(state.z), CHUNK)]


def _normal(linear: Linearisation) -> tuple[np.ndarray, ...]:
    """Energy and normal equations of some frames, in double precision."""
    energy, residual, latent, rest, weight, pull, rest_weight, rest_pull = (
        to_numpy(array).astype(np.float64)
        for f in fields(linear)
        if (array := getattr(linear, f.name)) is not None
    )
    own = np.concatenate((latent, rest[..., :-NUM_BETAS]), -1)
    shape, residual = rest[..., -NUM_BETAS:], residual[..., None]
    blocks = own.swapaxes(1, 2) @ own
    dim = np.arange(latent.shape[-1])
    blocks[:, dim, dim] += weight
    gradient = (own.swapaxes(1, 2) @ residual)[..., 0]
    gradient[:, dim] += pull
    corner = shape.swapaxes(1, 2) @ shape
    corner += rest_weight[:, -NUM_BETAS:, None] * np.eye(NUM_BETAS)
    shape_gradient = (shape.swapaxes(1, 2) @ residual)[..., 0] + rest_pull[:, -NUM_BETAS:]
    return energy, blocks, own.swapaxes(1, 2) @ shape, corner, gradient, shape_gradient


def _banded(blocks: np.ndarray, below: np.ndarray, below2: np.ndarray) -> np.ndarray:
    """A block-pentadiagonal matrix as the lower bands that LAPACK takes. -> (3 n, T n)."""
    count, size = blocks.shape[:2]
    bands = np.zeros((3 * size, count * size))
    row, column = np.meshgrid(np.arange(size), np.arange(size), indexing="ij")
    for distance, table in enumerate((blocks, below, below2)):
        offset = distance * size + row - column
        lower = offset >= 0
        places = np.arange(len(table))[:, None] * size + column[lower]
        bands[offset[lower], places] = table[:, row[lower], column[lower]]
    return bands

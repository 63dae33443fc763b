"""All frames of a window at once: their own residuals, and those that tie them to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np

from ...core.arrays import Array, Namespace, asarray_like, per_person, pick, put_beside, to_numpy
from ...core.links import Links
from ...core.points import NUM_TURNS
from ...core.posterior import PosedState, Problem, State
from ...core.skeleton import NUM_JOINTS
from ...core.step import Linearisation
from ...core.terms.contacts import Contacts
from ...core.terms.smoothness import Smoothness
from .band import solve_blocks

CHUNK = 32  # frames linearised at once: bounds memory
OWN = 6  # of a frame beside its latent: the root's turn and place
SPAN = 2  # frames that a residual reaches ahead


@dataclass(frozen=True)
class ChainLinearisation:
    """energy (T,) nats; normal equations of the frames' own n unknowns [latent, root, transl] and
    the s that all share: blocks (3, T, n, n) by how many frames apart, border (T, n, s), corner
    (T, s, s); gradients (T, n), (T, s)."""

    energy: Array = per_person()
    own: Array = per_person()
    next: Array = per_person()
    second: Array = per_person()
    border: Array = per_person()
    corner: Array = per_person()
    gradient: Array = per_person()
    shared_gradient: Array = per_person()


@dataclass(frozen=True)
class Chain:
    """The frames of a window (a `core.solver.Model`).

    problem: one row a frame; its unknowns are ROOT, TRANSL and what all frames share. ties: the
    terms whose residuals reach over frames. held (T,): frames that stay where they are, before and
    behind those that move; shares: whether what is shared moves.
    """

    problem: Problem
    ties: tuple[Smoothness | Contacts, ...]
    held: np.ndarray
    shares: bool = True

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
        total = self.xp.concat(parts)
        posed = self.problem.posed(state)
        for tie in self.ties:
            total = total + tie.value(self.xp, posed)
        return total

    def linearise(self, state: State) -> ChainLinearisation:
        """The frames in chunks, then what ties them."""
        xp, size, shared = self.xp, state.z.shape[-1] + OWN, self._num_shared
        parts = [
            _normal(self.problem.pick(c).linearise(pick(state, c)), shared) for c in _chunks(state)
        ]
        energy, own, border, corner, gradient, pull = (
            np.concatenate(column) for column in zip(*parts, strict=True)
        )
        blocks = [own, *(np.zeros((len(own), size, size), own.dtype) for _ in range(SPAN))]
        sums = _Sums(blocks, border, corner, gradient, pull)
        posed = self.problem.posed(state)
        for tie in self.ties:
            energy = energy + to_numpy(tie.value(xp, posed))
            if len(own) > SPAN:
                links = tie.links(xp, posed)
                sums.add(links, self._pulled(posed, links.rows))
            if isinstance(tie, Contacts):
                sums.add_rows(*self._of_heights(posed, tie))
        tables = (*sums.blocks, sums.border, sums.corner, sums.gradient, sums.shared_gradient)
        total = asarray_like(xp, energy, state.z)
        # beside the state, so that the solver can choose between two linearisations
        return ChainLinearisation(total, *(put_beside(xp, t, state.z) for t in tables))

    @property
    def _num_shared(self) -> int:
        return sum(block.size for block in self.problem.unknowns if block.shared)

    def _of_heights(self, posed: PosedState, tie: Contacts) -> tuple[np.ndarray, np.ndarray]:
        rows = tie.rows(self.xp, posed)
        return to_numpy(rows.residual), self._pulled(posed, rows.rows, rows.more)

    def _pulled(
        self, posed: PosedState, rows: Array, more: Mapping[str, Array] | None = None
    ) -> Array:
        """Rows (T, R, WIDTH) -> by own and shared unknowns (T, R, n + s)."""
        xp, problem = self.xp, self.problem
        turns = rows[..., :NUM_TURNS].reshape((*rows.shape[:2], NUM_JOINTS, 3))
        world = posed.skeleton.world
        by_latent = problem.decoder.pull_back(xp, posed.trace, world, turns[:, :, 1:])
        return to_numpy(xp.concat((by_latent, problem.rest_of(rows, more or {})), axis=-1))

    def step(self, linear: ChainLinearisation, state: State, damping: Array) -> State:
        """A damped step of all frames and what they share; none where it is not definite."""
        blocks, below, below2, border, corner, gradient, pull = (
            to_numpy(getattr(linear, f.name)).astype(np.float64) for f in fields(linear)[1:]
        )
        free = np.flatnonzero(~self.held)
        first, last = int(free[0]), int(free[-1]) + 1
        stiff = float(damping[0])
        blocks, below, below2, border, gradient = (
            a[first:last] for a in (blocks, below, below2, border, gradient)
        )
        size = blocks.shape[-1]
        diagonal = np.einsum("tnn->tn", blocks)
        diagonal += stiff * (1 + 0.1 * diagonal)
        corner, pull = corner.sum(0), pull.sum(0)
        corner[np.diag_indices(len(corner))] += stiff * (1 + 0.1 * corner.diagonal()) + 1e-6
        if not self.shares:
            border, pull, corner = np.zeros_like(border), 0 * pull, np.eye(len(pull))
        right = np.concatenate((gradient[..., None], border), -1)
        solved = solve_blocks(blocks, below, below2, right)
        schur = corner - np.einsum("tnm,tnk->mk", border, solved[..., 1:])
        reduced = pull - np.einsum("tnm,tn->m", border, solved[..., 0])
        shared = -np.linalg.lstsq(np.nan_to_num(schur), np.nan_to_num(reduced), rcond=None)[0]
        own = np.zeros((len(self.held), size))
        own[first:last] = -(solved[..., 0] + solved[..., 1:] @ shared)
        rest = np.concatenate((own[:, -OWN:], np.tile(shared, (len(own), 1))), 1)
        moves = (asarray_like(self.xp, a, state.z) for a in (own[:, :-OWN], rest))
        return self.problem.moved(state, *moves)


@dataclass
class _Sums:
    """Normal equations that are added up; see `ChainLinearisation`."""

    blocks: list[np.ndarray]
    border: np.ndarray
    corner: np.ndarray
    gradient: np.ndarray
    shared_gradient: np.ndarray

    def add(self, links: Links, rows: np.ndarray) -> None:
        """Residuals over some frames; rows (T, R, n + s) of their features."""
        residual, weight, c = (
            to_numpy(a) for a in (links.residual, links.weight, links.coefficients)
        )
        size, count, reach = self.gradient.shape[1], len(residual), c.shape[1]
        own, shared = rows[..., :size], rows[..., size:]
        pull = (weight * residual)[..., None]
        windows = [slice(i, i + count) for i in range(reach)]
        by_shared = sum(c[:, i, None, None] * shared[w] for i, w in enumerate(windows))
        firm = weight[..., None]
        for i, here in enumerate(windows):
            scaled = c[:, i, None, None] * own[here]
            turned = scaled.swapaxes(1, 2)
            self.gradient[here] += (turned @ pull)[..., 0]
            self.border[here] += turned @ (firm * by_shared)
            for j in range(i + 1):
                other = firm * c[:, j, None, None] * own[windows[j]]
                self.blocks[i - j][windows[j]] += turned @ other
        turned = by_shared.swapaxes(1, 2)
        self.corner[:count] += turned @ (firm * by_shared)
        self.shared_gradient[:count] += (turned @ pull)[..., 0]

    def add_rows(self, residual: np.ndarray, rows: np.ndarray) -> None:
        """Residuals (T, R) of a frame each, with rows (T, R, n + s)."""
        size = self.gradient.shape[1]
        own, shared, pull = rows[..., :size], rows[..., size:], residual[..., None]
        self.blocks[0] += own.swapaxes(1, 2) @ own
        self.border += own.swapaxes(1, 2) @ shared
        self.corner += shared.swapaxes(1, 2) @ shared
        self.gradient += (own.swapaxes(1, 2) @ pull)[..., 0]
        self.shared_gradient += (shared.swapaxes(1, 2) @ pull)[..., 0]


def _chunks(state: State) -> list[slice]:
    return [slice(i, i + CHUNK) for i in range(0, len(state.z), CHUNK)]


def _normal(linear: Linearisation, shared: int) -> tuple[np.ndarray, ...]:
    """Energy and normal equations of some frames, in double precision."""
    energy, residual, latent, rest, weight, pull, rest_weight, rest_pull = (
        to_numpy(array).astype(np.float64)
        for f in fields(linear)
        if (array := getattr(replace(linear, rest_damping=None), f.name)) is not None
    )
    own = np.concatenate((latent, rest[..., :-shared]), -1)
    common, residual = rest[..., -shared:], residual[..., None]
    blocks = own.swapaxes(1, 2) @ own
    dim = np.arange(latent.shape[-1])
    blocks[:, dim, dim] += weight
    gradient = (own.swapaxes(1, 2) @ residual)[..., 0]
    gradient[:, dim] += pull
    corner = common.swapaxes(1, 2) @ common
    corner += rest_weight[:, -shared:, None] * np.eye(shared)
    shared_gradient = (common.swapaxes(1, 2) @ residual)[..., 0] + rest_pull[:, -shared:]
    return energy, blocks, own.swapaxes(1, 2) @ common, corner, gradient, shared_gradient

"""The negative log-posterior of posed people: unknowns in blocks, a list of terms, its
linearisation.

A term is one residual in one file of `core.terms`. It knows posed people; neither it nor what
stands here knows how a step is solved (`core.solver`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from .arrays import Array, Namespace, per_person, pick, zeros_like
from .body import NUM_BETAS, BodyTable, pose_skeleton
from .camera import Lens
from .flow import Decoder
from .points import NUM_TURNS, WIDTH, Levers, PointTable, Posed, compress, levers, pose_points
from .rotations import axis_angle_to_matrix
from .skeleton import NUM_JOINTS
from .step import Linearisation, damped_step


@dataclass(frozen=True)
class Block:
    """Unknowns that move together, beside the latent: `size` numbers a person, or a group where
    `shared`.

    A `turn` is a rotation matrix that moves by perturbations on the left. damping: of a step, for
    all blocks of a problem or none; 0: in proportion to the rows, which stiff ones would rule.
    """

    name: str
    size: int
    shared: bool = False
    turn: bool = False
    damping: float = 0.0


ROOT, TRANSL = Block("root", 3, turn=True), Block("transl", 3)
BETAS, SHARED_BETAS = Block("betas", NUM_BETAS), Block("betas", NUM_BETAS, shared=True)
ONE_PERSON = (ROOT, BETAS, TRANSL)
_COLUMNS = {
    "root": slice(0, 3),
    "betas": slice(NUM_TURNS, NUM_TURNS + NUM_BETAS),
    "transl": slice(WIDTH - 3, WIDTH),
}


@dataclass(frozen=True)
class State:
    """z (S, D), root (S, 3, 3), betas (S, 10), transl (S, 3) m; `more`: blocks of further terms.

    What a group shares stands there for each of its people.
    """

    z: Array = per_person()
    root: Array = per_person()
    betas: Array = per_person()
    transl: Array = per_person()
    more: Mapping[str, Array] = per_person(default_factory=dict)

    def block(self, name: str) -> Array:
        """A block by its name."""
        return self.more[name] if name in self.more else getattr(self, name)

    def with_blocks(self, values: Mapping[str, Array]) -> State:
        """The same state with these blocks."""
        main = {n: values.get(n, getattr(self, n)) for n in ("z", "root", "betas", "transl")}
        return State(**main, more={n: values.get(n, v) for n, v in self.more.items()})


class PosedState:
    """A state, posed once; what terms share of it is made when it is first asked for."""

    def __init__(self, xp: Namespace, problem: Problem, state: State) -> None:
        self.xp, self.body, self.lens, self.state = xp, problem.body, problem.lens, state
        self.decoder = problem.decoder
        pose, self.trace = problem.decoder.decode(xp, state.z)
        rotations = xp.concat((state.root[:, None], pose), axis=1)
        self.skeleton = pose_skeleton(xp, problem.body, rotations, state.betas)
        self._points: dict[int, Posed] = {}
        self._levers: dict[int, Levers] = {}
        self._volume: tuple[Array, Array] | None = None

    def points(self, table: PointTable) -> Posed:
        """A table's points, before translation."""
        if id(table) not in self._points:
            self._points[id(table)] = pose_points(self.xp, table, self.skeleton)
        return self._points[id(table)]

    def places(self, table: PointTable) -> Array:
        """A table's points in the camera's frame. -> (S, P, 3) m."""
        return self.points(table).places + self.state.transl[:, None]

    def levers(self, table: PointTable) -> Levers:
        """The Jacobian of a table's points."""
        if id(table) not in self._levers:
            self._levers[id(table)] = levers(self.xp, self.body, self.points(table))
        return self._levers[id(table)]

    def volume(self) -> tuple[Array, Array]:
        """The decoder's log|det dx/dz| (S,), and its gradient by the latent (S, D)."""
        if self._volume is None:
            self._volume = self.decoder.volume(self.xp, self.trace)
        return self._volume

    def joints(self) -> Array:
        """SMPL's joints in the camera's frame. -> (S, 24, 3) m."""
        return self.skeleton.place + self.state.transl[:, None]


@dataclass(frozen=True)
class Rows:
    """value (S,) nats, residual (S, M), rows (S, M, WIDTH) as of `core.points`, both times the root
    of the reweighted form's weights; `more`: rows (S, M, n) by blocks of the term's own."""

    value: Array
    residual: Array
    rows: Array
    more: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Quadratic:
    """value (S,) nats, about 0.5 weight |offset|^2 of one block, with gradient weight offset.

    offset (S, n): its rows are sparse.
    """

    value: Array
    block: str
    weight: float
    offset: Array


class Term(Protocol):
    """One residual: a frozen dataclass whose fields that count people are `per_person`."""

    def value(self, xp: Namespace, posed: PosedState) -> Array:
        """Energy. -> (S,) nats; differentiable."""
        ...

    def rows(self, xp: Namespace, posed: PosedState) -> Rows | Quadratic:
        """Energy and its Gauss-Newton form, whose gradient is the energy's."""
        ...


@dataclass(frozen=True)
class Problem:
    """S people (or starts): what they are posed by and what is known of them.

    unknowns: the blocks that move beside the latent, shared ones last; what is not listed stays as
    it is. group (S,) numbers from 0: who shares. known: a state that is posed already.
    """

    xp: Namespace
    body: BodyTable
    decoder: Decoder
    unknowns: tuple[Block, ...]
    lens: Lens = per_person()
    terms: tuple[Term, ...] = per_person()
    group: Array | None = per_person(default=None)
    known: PosedState | None = None

    def pick(self, rows: Array) -> Problem:
        """The same for some of the people."""
        return pick(self, rows)

    def posed(self, state: State) -> PosedState:
        """A state as terms see it."""
        if self.known is not None and self.known.state is state:
            return self.known
        return PosedState(self.xp, self, state)

    def energy(self, state: State) -> Array:
        """Negative log-posterior up to a constant. -> (S,) nats; differentiable."""
        posed = self.posed(state)
        total = self.terms[0].value(self.xp, posed)
        for term in self.terms[1:]:
            total = total + term.value(self.xp, posed)
        return total

    def linearise(self, state: State) -> Linearisation:
        """Energy, reweighted rows and quadratics at a state."""
        xp, posed = self.xp, self.posed(state)
        parts = [term.rows(xp, posed) for term in self.terms]
        energy = parts[0].value
        for part in parts[1:]:
            energy = energy + part.value
        rows, residual = self._joined([p for p in parts if isinstance(p, Rows)])
        if rows.shape[1] > rows.shape[2] + 1:
            rows, residual = compress(xp, rows, residual)
        turns = rows[..., :NUM_TURNS].reshape((*rows.shape[:2], NUM_JOINTS, 3))
        by_latent = self.decoder.pull_back(xp, posed.trace, posed.skeleton.world, turns[:, :, 1:])
        by_rest = self._by_name(rows)
        quadratics = self._quadratics(state, [p for p in parts if isinstance(p, Quadratic)])
        damping = self._rest_damping(by_rest)
        return Linearisation(energy, residual, by_latent, by_rest, *quadratics, damping)

    def rest_of(self, rows: Array, more: Mapping[str, Array]) -> Array:
        """Rows (S, M, WIDTH), `more` of further blocks -> by all unknowns but the latent."""
        return self._by_name(self._widened(rows, more))

    def _by_name(self, rows: Array) -> Array:
        columns = self._columns()
        by_name = [rows[..., columns[b.name]] for b in self.unknowns]
        return self.xp.concat([rows[..., :0], *by_name], axis=-1)

    def _rest_damping(self, by_rest: Array) -> Array | None:
        if not any(block.damping for block in self.unknowns):
            return None
        like = by_rest[:, 0, :1]
        parts = [self.xp.full_like(like, b.damping) for b in self.unknowns for _ in range(b.size)]
        return self.xp.concat(parts, axis=-1)

    def _columns(self) -> dict[str, slice]:
        columns, end = dict(_COLUMNS), WIDTH
        for block in self.unknowns:
            if block.name not in columns:
                columns[block.name] = slice(end, end + block.size)
                end += block.size
        return columns

    def _joined(self, parts: list[Rows]) -> tuple[Array, Array]:
        """Rows of all terms below each other, with the columns of every further block."""
        xp, tables = self.xp, [self._widened(part.rows, part.more) for part in parts]
        if len(parts) == 1:
            return tables[0], parts[0].residual
        return xp.concat(tables, axis=1), xp.concat([p.residual for p in parts], axis=1)

    def _widened(self, rows: Array, more: Mapping[str, Array]) -> Array:
        """With the columns of every further block."""
        columns = [rows]
        for block in self.unknowns:
            if block.name not in _COLUMNS:
                blank = more.get(block.name)
                size = (*rows.shape[:2], block.size)
                columns.append(zeros_like(self.xp, size, rows) if blank is None else blank)
        return columns[0] if len(columns) == 1 else self.xp.concat(columns, axis=-1)

    def _quadratics(
        self, state: State, parts: list[Quadratic]
    ) -> tuple[Array, Array, Array, Array]:
        xp = self.xp
        names = [b.name for b in self.unknowns]
        weights = {b.name: zeros_like(xp, (len(state.z), b.size), state.z) for b in self.unknowns}
        gradients = dict(weights)
        latent_weight = zeros_like(xp, (len(state.z), 1), state.z)
        latent_gradient = xp.zeros_like(state.z)
        for part in parts:
            if part.block == "z":
                latent_weight = latent_weight + part.weight
                latent_gradient = latent_gradient + part.weight * part.offset
            elif part.block in weights:
                weights[part.block] = weights[part.block] + part.weight
                gradients[part.block] = gradients[part.block] + part.weight * part.offset
        none = state.z[:, :0]  # there may be no unknown but the latent
        weight, gradient = (
            xp.concat([none, *(t[n] for n in names)], axis=-1) for t in (weights, gradients)
        )
        return latent_weight, latent_gradient, weight, gradient

    def step(self, linear: Linearisation, state: State, damping: Array) -> State:
        """The state after one damped Gauss-Newton step. damping (S,)."""
        shared = sum(b.size for b in self.unknowns if b.shared)
        return self.moved(state, *damped_step(self.xp, linear, damping, shared, self.group))

    def moved(self, state: State, by_latent: Array, by_rest: Array) -> State:
        """The state after a step (S, D) of the latent and (S, R) of the rest."""
        blocks, start = {"z": state.z + by_latent}, 0
        for block in self.unknowns:
            step = by_rest[:, start : start + block.size]
            start += block.size
            value = state.block(block.name)
            if block.turn:
                blocks[block.name] = axis_angle_to_matrix(self.xp, step) @ value
            else:
                blocks[block.name] = value + step
        return state.with_blocks(blocks)

"""Batched Levenberg-Marquardt. It knows nothing of bodies: a model linearises and steps.

Damping and acceptance are per person, or per group where people share unknowns. Who is finished
leaves the batch.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import numpy as np

from ..errors import CancelledError
from .arrays import (
    Array,
    Namespace,
    arange_like,
    is_numpy,
    per_person,
    pick,
    put_beside,
    put_rows,
    quiet,
    spread_sum,
    to_numpy,
    where,
)

Progress = Callable[[int, int], bool | None]
LOOK_EVERY = 5  # iterations between looks at who is finished, where each look waits for a device
SMALLEST_DAMPING, LARGEST_DAMPING = 1e-4, 1e5
M = TypeVar("M", bound="Model")


@dataclass(frozen=True)
class SolverConfig:
    """A start has converged when its energy falls by less than `tolerance` nats in `patience`
    steps."""

    max_iterations: int = 60
    tolerance: float = 5e-2
    first_damping: float = 1.0
    patience: int = 2


@dataclass(frozen=True)
class Solution:
    """state (a record of people), energy (S,) nats, converged (S,) bool, iterations run."""

    state: Any = per_person()
    energy: Array = per_person()
    converged: Array = per_person()
    iterations: int = 0


class Model(Protocol):
    """What is minimised; states are records of people (`arrays.per_person`)."""

    @property
    def xp(self) -> Namespace: ...

    @property
    def group(self) -> Array | None:
        """(S,) who shares unknowns with whom; None: nobody."""
        ...

    def energy(self, state: Any) -> Array:
        """(S,) nats, as `linearise` has it."""
        ...

    def linearise(self, state: Any) -> Any:
        """A record of people with `energy` (S,)."""
        ...

    def step(self, linear: Any, state: Any, damping: Array) -> Any:
        """The state after one damped step. damping (S,)."""
        ...

    def pick(self: M, rows: Array) -> M:
        """The same for some of the people; all of a group or none."""
        ...


@dataclass(frozen=True)
class _Run:
    """People who are still at it: where they are, and their linearisation there."""

    rows: Array = per_person()
    state: Any = per_person()
    linear: Any = per_person()
    damping: Array = per_person()
    idle: Array = per_person()
    done: Array = per_person()


def levenberg_marquardt(
    model: Model, state: Any, config: SolverConfig, progress: Progress | None = None
) -> Solution:
    """Minimises the energy of every person (or start) on its own.

    progress(iteration, max_iterations) is called between iterations; returning False cancels
    (CancelledError). A trial whose energy is not finite is refused, so one person never harms
    another.
    """
    with quiet(model.xp):  # a start may run away
        return _minimise(model, state, config, progress)


def _minimise(
    model: Model, state: Any, config: SolverConfig, progress: Progress | None
) -> Solution:
    xp, linear = model.xp, model.linearise(state)
    energy = linear.energy
    never, ones = energy != energy, xp.ones_like(energy)
    final = Solution(state, energy, xp.zeros_like(never))
    rows, damping = arange_like(xp, len(energy), energy), config.first_damping * ones
    run = _Run(rows, state, linear, damping, xp.zeros_like(energy), xp.zeros_like(never))
    every = 1 if is_numpy(xp) else LOOK_EVERY
    for iteration in range(1, config.max_iterations + 1):
        if progress is not None and progress(iteration, config.max_iterations) is False:
            raise CancelledError("The fit was cancelled.")
        last = iteration == config.max_iterations
        run = _iterate(model, run, config, last)
        if last:
            return _stored(final, run, iteration)
        if iteration % every == 0:
            stay = np.flatnonzero(~to_numpy(run.done))
            if len(stay) < len(run.rows):
                final = _stored(final, run, iteration)
                if not len(stay):
                    return final
                rows = put_beside(xp, stay, run.rows)
                model, run = model.pick(rows), pick(run, rows)
    return final


def _iterate(model: Model, run: _Run, config: SolverConfig, last: bool) -> _Run:
    """One step of everybody. A trial is linearised at once, since most trials are taken; after the
    last step no rows are needed."""
    xp = model.xp
    trial = model.step(run.linear, run.state, run.damping)
    linear = replace(run.linear, energy=model.energy(trial)) if last else model.linearise(trial)
    before, after = run.linear.energy, linear.energy
    if model.group is not None:
        # who was lost before has no say; who would be lost now refuses for all of the group
        known, after = xp.isfinite(before), xp.where(xp.isfinite(after), after, 1e30)
        both = (xp.where(known, e, xp.zeros_like(e)) for e in (before, after))
        before, after = (spread_sum(xp, e, model.group) for e in both)
    better = (after < before) & xp.isfinite(after) & ~run.done
    gain = xp.where(better, before - after, xp.zeros_like(before))
    # a rejected step at high damping is as idle as an accepted one that gains nothing
    stuck = (gain < config.tolerance) & (better | (run.damping > 10))
    kept = xp.where(better, xp.zeros_like(run.idle), run.idle)
    idle = xp.where(stuck, run.idle + 1, kept)
    damping = xp.where(better, run.damping * 0.3, run.damping * 5)
    damping = xp.clip(damping, SMALLEST_DAMPING, LARGEST_DAMPING)
    done = run.done | (idle >= config.patience) | (damping >= LARGEST_DAMPING)
    state, linear = _taken(xp, better, (trial, linear), (run.state, run.linear))
    return replace(run, state=state, linear=linear, damping=damping, idle=idle, done=done)


def _taken(
    xp: Namespace, better: Array, trial: tuple[Any, Any], before: tuple[Any, Any]
) -> tuple[Any, Any]:
    if is_numpy(xp) and better.all():
        return trial
    if is_numpy(xp) and not better.any():
        return before
    state, linear = (where(xp, better, a, b) for a, b in zip(trial, before, strict=True))
    return state, linear


def _stored(final: Solution, run: _Run, iteration: int) -> Solution:
    """Everybody's latest; who leaves now is not in the batch the next time."""
    latest = Solution(run.state, run.linear.energy, run.done)
    return replace(put_rows(final, run.rows, latest), iterations=iteration)

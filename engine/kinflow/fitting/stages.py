"""The stages of a fit: each takes people and what is solved of them so far, and returns the same.

Coarse from all starts, fine from the best, limbs bent the other way in depth, scales of error, body
parts, one shape for all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..core.arrays import Array, Namespace, arange_like, concat, pick, put_rows, to_numpy
from ..core.camera import project
from ..core.posterior import ROOT, SHARED_BETAS, TRANSL
from ..core.solver import Progress, Solution, SolverConfig
from ..core.terms.keypoints import keypoint_alignment
from ..records import Parameters
from .backend import minimise
from .hypotheses import distinct, flipped_starts
from .part_fields import parts_term
from .people import People
from .readings import other_readings
from .scene_terms import photos_of
from .starts import Candidates, brought, rotated

SHARPEST = 0.2
NEAREST = 0.3  # m: no start is nearer
MINIMA = 3  # of each person are fitted to the mask too


@dataclass(frozen=True)
class Search:
    """People, the solutions that were found for them, and whose each is (S,)."""

    people: People
    solution: Solution
    owner: Array

    @property
    def xp(self) -> Namespace:
        return self.people.means.backend.xp

    def best(self, keep: int = 1) -> Array:
        """Rows of everybody's `keep` lowest energies, by person."""
        return best_rows(self.xp, self.solution.energy, self.owner, keep)

    def solved(self, rows: Array, config: SolverConfig, progress: Progress | None) -> Solution:
        """Some of the solutions, solved on."""
        problem = self.people.problem.pick(self.owner[rows])
        return minimise(problem, pick(self.solution.state, rows), config, progress)


def best_rows(xp: Namespace, energy: Array, owner: Array, keep: int) -> Array:
    """Rows of the `keep` lowest energies of each owner, ordered by owner; of equals the first."""
    order = xp.argsort(energy, stable=True)
    order = order[xp.argsort(owner[order], stable=True)]
    by_owner = owner[order]
    first = xp.searchsorted(by_owner, by_owner)
    return order[arange_like(xp, len(order), order) - first < keep]


def begin(people: People, starts: Sequence[Parameters | None] | None) -> tuple[People, Candidates]:
    """All starts, and the keypoints' scale: `keypoint_metres` at the nearest start's depth."""
    xp, config = people.means.backend.xp, people.means.config
    everybody = arange_like(xp, len(people), people.roll)
    more = None if starts is None else brought(people, starts)
    if more is None:
        candidates = rotated(people, everybody)
    elif config.rotated_starts:
        candidates = concat(xp, rotated(people, everybody), more)
    else:
        alone = [i for i, s in enumerate(starts or ()) if s is None]
        candidates = concat(xp, rotated(people, everybody[alone]), more) if alone else more
    depth = candidates.state.transl[:, 2]
    depth = xp.where(depth > NEAREST, depth, NEAREST)
    nearest = depth[best_rows(xp, depth, candidates.owner, 1)]
    scale = config.weights.keypoint_metres * people.focal() / nearest
    return people.scaled(scale[:, None]), candidates


def coarse(people: People, candidates: Candidates, progress: Progress) -> Candidates:
    """A few steps from every start, and who is best after them."""
    config = people.means.config
    if len(candidates.owner) == len(people):  # nothing to choose from
        return candidates
    problem = people.problem.pick(candidates.owner)
    brief = SolverConfig(max_iterations=config.coarse_iterations)
    solution = minimise(problem, candidates.state, brief, progress)
    xp = people.means.backend.xp
    rows = best_rows(xp, solution.energy, candidates.owner, config.keep_starts)
    return Candidates(candidates.owner[rows], pick(solution.state, rows))


def fine(people: People, candidates: Candidates, progress: Progress) -> Search:
    """To convergence."""
    problem = people.problem.pick(candidates.owner)
    solution = minimise(problem, candidates.state, _fine(people), progress)
    return Search(people, solution, candidates.owner)


def _fine(people: People) -> SolverConfig:
    return SolverConfig(people.means.config.fine_iterations, first_damping=0.1)


def other_depths(search: Search, progress: Progress) -> Search:
    """Limbs bent the other way in depth, sides read the other way, and the leader taken to
    convergence."""
    people, xp = search.people, search.xp
    leaders = pick(search.solution, search.best())
    starts = tuple(f(people, leaders, progress) for f in (flipped_starts, other_readings))
    known = [start for start in starts if start is not None]
    if not known:
        return search
    flips = known[0] if len(known) == 1 else concat(xp, *known)
    brief = SolverConfig(people.means.config.flip_iterations, first_damping=0.1)
    problem = people.problem.pick(flips.owner)
    flipped = minimise(problem, flips.state, brief, progress)
    solution = concat(xp, search.solution, flipped)
    search = Search(people, solution, xp.concat((search.owner, flips.owner)))
    best = search.best()
    rows = best[~solution.converged[best]]
    return _again(search, rows, progress) if len(rows) else search


def _again(search: Search, rows: Array, progress: Progress) -> Search:
    solved = search.solved(rows, _fine(search.people), progress)
    return replace(search, solution=put_rows(search.solution, rows, solved))


def sharpen(search: Search, progress: Progress) -> Search:
    """Keypoints that turn out better than a usual detector's are believed more.

    The Laplace scale's maximum-likelihood estimate is the mean distance that is left. Where that is
    less than half of the assumed scale, the scale falls to it (at most by SHARPEST) and the person
    is fitted on from there. Scales that an observation states stay.
    """
    xp, people, rows = search.xp, search.people, search.best()
    problem, state = people.problem, pick(search.solution.state, rows)
    term = people.keypoints()
    places = problem.posed(state).places(term.table)[:, term.which]
    pixels, _ = project(xp, places, problem.lens)
    left = keypoint_alignment(xp, pixels, term.keypoints, term.confidence)[:, None]
    assumed = xp.max(xp.where(xp.isfinite(people.sigma), 0.0, term.scale), axis=-1)[:, None]
    sharp = left < 0.5 * assumed
    if not bool(xp.any(sharp)):
        return search
    lowest = SHARPEST * assumed
    people = people.scaled(xp.where(sharp, xp.where(left > lowest, left, lowest), assumed))
    rows = xp.nonzero(sharp[search.owner, 0])[0]
    return _again(replace(search, people=people), rows, progress)


def body_parts(search: Search, seed: int, progress: Progress) -> Search:
    """Loss BA beside KA, from the best of everybody's distinct minima."""
    xp, people = search.xp, search.people
    depth = search.solution.state.transl[search.best(), 2]
    px_per_metre = people.focal() / xp.where(depth > NEAREST, depth, NEAREST)
    photo = photos_of(people.observations, people.cameras)
    term = parts_term(people.observations, people.means, px_per_metre, seed, photo)
    if term is None:
        return search
    search = replace(search, people=people.with_term(term))
    keep = _distinct(search, MINIMA)
    config = SolverConfig(people.means.config.part_iterations, first_damping=1.0)
    return Search(search.people, search.solved(keep, config, progress), search.owner[keep])


def _distinct(search: Search, keep: int) -> Array:
    """Rows of everybody's `keep` lowest minima that differ, by person."""
    problem = search.people.problem.pick(search.owner)
    joints = problem.posed(search.solution.state).joints()
    columns = (joints, search.solution.energy, search.owner)
    rows = [row for rows in distinct(*map(to_numpy, columns)) for row in rows[:keep]]
    return search.people.means.backend.asarray(np.array(rows))


def shared_shape(search: Search, progress: Progress) -> Search:
    """One shape for everybody: everybody's best solved together, then the others with it held."""
    xp, best = search.xp, search.best()
    people, solution = search.people, search.solution
    betas = solution.state.betas
    mean = xp.mean(betas[best], axis=0)[None] + xp.zeros_like(betas)
    state = replace(solution.state, betas=mean)
    together = replace(
        people.problem,
        unknowns=(ROOT, TRANSL, SHARED_BETAS),
        group=xp.zeros_like(search.owner[best]),
    )
    joint = minimise(together, pick(state, best), _fine(people), progress)
    shape = joint.state.betas[:1] + xp.zeros_like(betas)
    held = replace(people.problem, unknowns=(ROOT, TRANSL))
    rest = held.pick(search.owner)
    others = minimise(rest, replace(state, betas=shape), _fine(people), progress)
    return replace(search, solution=put_rows(others, best, joint))

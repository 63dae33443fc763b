"""How each photo's camera was held, and one floor for everybody in it.

People are fitted by themselves first. Then gravity, the floor and all unknowns of a photo's people
settle together: from a few guesses of the camera's pitch, under a contact term that grows sharp.
From there on camera and floor are held; other minima of each person are fitted before them, and
whichever does better takes the first one's place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..core.arrays import concat, pick, put_rows, to_numpy
from ..core.level import FLOOR, GRAVITY
from ..core.posterior import ONE_PERSON, Block, State
from ..core.solver import Progress, Solution, SolverConfig
from ..core.terms.depth import Depth
from ..core.terms.floor import Floor
from ..core.terms.gravity import Gravity
from ..gravity import gravity_of, pitch_and_roll
from .backend import minimise
from .people import People
from .scene_terms import scene_terms, seen_points
from .stages import Search

CLOSE = 40.0  # nats: minima that are further from a person's best by themselves are no rivals
# degrees of pitch about what people tell, and which share of them reaches no lower than the floor
ABOUT = ((0.0, 0.5), (0.0, 0.0), (0.0, 1.0), (-14.0, 0.5), (14.0, 0.5))


@dataclass(frozen=True)
class Stated:
    """What is known of the cameras beforehand: pitch and roll in degrees, and the floor, m."""

    pitch: float
    roll: float
    floor: float | None = None


@dataclass(frozen=True)
class Photos:
    """photo (N,): which each person is in, numbered from 0; what is stated of all of them."""

    photo: np.ndarray
    stated: Stated | None = None

    @property
    def count(self) -> int:
        return int(self.photo.max()) + 1

    def unknowns(self) -> tuple[Block, ...]:
        """What moves beside the latent: of camera and floor, what is not stated."""
        if self.stated is None:
            return (*ONE_PERSON, GRAVITY, FLOOR)
        return (*ONE_PERSON, FLOOR) if self.stated.floor is None else ONE_PERSON


def with_scene(people: People, state: State, photos: Photos, scale: float) -> People:
    """People with the terms of their photos, about a state of one row a person."""
    for term in scene_terms(people, state, photos.photo, scale):
        people = people.with_term(term)
    return people


def settle(search: Search, photos: Photos, progress: Progress) -> Search:
    """Everybody's solutions before their photo's camera, with gravity and floor in the state.

    Depths that a detector guesses have led to the right minima and are let go: they are half as
    deep as the truth, which would take every camera for nearly level.
    """
    config, best = search.people.means.config, search.best()
    scales = config.scene.scales
    state = pick(search.solution.state, best)
    people = with_scene(search.people.without(Depth), state, photos, scales[0])
    starts, shape = _starts(people, state, photos)
    owner = np.tile(np.arange(len(people)), shape)
    group = np.concatenate([photos.photo + k * photos.count for k in range(shape)])
    brief = SolverConfig(config.scene.iterations, first_damping=0.1)
    solution = _together(people, starts, (owner, group), photos, brief, progress)
    state = _cheapest(people, solution, photos)
    everybody = (np.arange(len(people)), photos.photo)
    for scale in scales[1:]:
        people = with_scene(people, state, photos, scale)
        solution = _together(people, state, everybody, photos, brief, progress)
        state = solution.state
    search = _others(replace(search, people=people), solution, progress)
    first = np.arange(len(people))
    same = (to_numpy(search.best()) == first).all()
    return search if same else polished(search, photos, progress)


def polished(search: Search, photos: Photos, progress: Progress) -> Search:
    """Everybody's best, and their photo's gravity and floor, solved on together."""
    people, best = search.people, search.best()
    everybody = (np.arange(len(people)), photos.photo)
    brief = SolverConfig(people.means.config.scene.iterations, first_damping=0.1)
    state = pick(search.solution.state, best)
    solution = _together(people, state, everybody, photos, brief, progress)
    return replace(search, solution=put_rows(search.solution, best, solution))


def _together(
    people: People,
    state: State,
    rows: tuple[np.ndarray, np.ndarray],
    photos: Photos,
    config: SolverConfig,
    progress: Progress,
) -> Solution:
    """Solves people with what they share. rows: whose each is, and who shares with whom."""
    place = people.means.backend.asarray
    problem = people.problem.pick(place(rows[0]))
    problem = replace(problem, unknowns=photos.unknowns(), group=place(rows[1]))
    return minimise(problem, state, config, progress)


def _starts(people: People, state: State, photos: Photos) -> tuple[State, int]:
    """The state before a few cameras. -> rows of all people, camera after camera; how many."""
    upward, places, sole = _evidence(people, state)
    config, place = people.means.config.scene, people.means.backend.asarray
    cameras = []
    for number in range(photos.count):
        rows = photos.photo == number
        pitch, roll = pitch_and_roll(-upward[rows].sum(0))
        guesses = [(pitch + more, roll, share) for more, share in ABOUT]
        guesses.append((*config.camera_mean[:2], 0.5))
        if photos.stated is not None:
            guesses = [(photos.stated.pitch, photos.stated.roll, share) for share in (0.5, 0, 1)]
        heights = [_floor(places[rows], sole[rows], guess) for guess in guesses]
        cameras.append(np.column_stack((np.radians([g[:2] for g in guesses]), heights)))
    count = len(cameras[0])
    mine = np.stack(cameras)[photos.photo].swapaxes(0, 1).reshape((-1, 3))
    if photos.stated is not None and photos.stated.floor is not None:
        mine[:, 2] = photos.stated.floor
    rows = place(np.tile(np.arange(len(people)), count))
    more = {"gravity": place(mine[:, :2].copy()), "floor": place(mine[:, 2:].copy())}
    return replace(pick(state, rows), more=more), count


def _floor(places: np.ndarray, seen: np.ndarray, guess: tuple[float, float, float]) -> float:
    """How far below such a camera so many of a photo's people reach no lower, m; 1.5 where nobody
    shows it. places (n, C, 3), seen (n, C)."""
    below = np.where(seen, places @ gravity_of(*guess[:2]), -np.inf).max(1)
    known = below[np.isfinite(below)]
    return float(np.quantile(known, guess[2])) if len(known) else 1.5


def _evidence(people: People, state: State) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What people tell by themselves: up in the camera's frame (N, 3), as long as it is sure; the
    contact points (N, C, 3) m and which of them are seen (N, C)."""
    posed = people.problem.posed(state)
    terms = people.problem.terms
    gravity = next(t for t in terms if isinstance(t, Gravity))
    floor = next(t for t in terms if isinstance(t, Floor))
    mean, kappa = gravity.upright.predict(posed.xp, posed.skeleton.rotations[:, 1:])
    upward = (state.root @ mean[..., None])[..., 0] * kappa[:, None]
    places = posed.places(floor.table)
    return to_numpy(upward), to_numpy(places), seen_points(people)


def _cheapest(people: People, solution: Solution, photos: Photos) -> State:
    """Of all starts each photo's of the lowest energy. -> one row a person."""
    energy = to_numpy(solution.energy).reshape(-1, len(people))
    energy = np.where(np.isfinite(energy), energy, 1e30)
    total = np.stack([np.bincount(photos.photo, row) for row in energy])
    start = total.argmin(0)[photos.photo]
    rows = start * len(people) + np.arange(len(people))
    return pick(solution.state, people.means.backend.asarray(rows))


def _others(search: Search, together: Solution, progress: Progress) -> Search:
    """All solutions that come close, before the camera and the floor that everybody's best agree
    on; the others are let go.

    Everybody's first is among them as it was: who was drawn to the floor while contacts were looked
    for from afar, and is better off in the air, is found there.
    """
    people, xp, owner, best = search.people, search.xp, search.owner, search.best()
    energy = search.solution.energy
    rows = xp.nonzero(energy <= energy[best][owner] + CLOSE)[0]
    if not len(rows):
        return Search(people, together, owner[best])
    more = {n: v[owner[rows]] for n, v in together.state.more.items()}
    state = replace(pick(search.solution.state, rows), more=more)
    brief = SolverConfig(people.means.config.scene.iterations, first_damping=0.1)
    others = minimise(people.problem.pick(owner[rows]), state, brief, progress)
    solution = concat(xp, together, others)
    return Search(people, solution, xp.concat((owner[best], owner[rows])))

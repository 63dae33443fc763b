"""Some frames of a clip, solved together: first led by the keyframes, then with their contacts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...bodies.contacts import contact_table, contacts
from ...core.arrays import to_numpy
from ...core.level import FLOOR, GRAVITY
from ...core.posterior import ROOT, SHARED_BETAS, TRANSL, State
from ...core.solver import Progress, Solution, SolverConfig
from ...core.terms.contacts import Contacts
from ...core.terms.floor import heights
from ...core.terms.gravity import Gravity
from ...core.terms.smoothness import Smoothness
from ...gravity import pitch_and_roll
from ..backend import minimise
from ..part_fields import parts_term
from ..people import Means, People, gather
from ..scene_terms import scene_terms
from ..stages import NEAREST
from ..views import View
from .captured import captured_scales
from .chain import Chain
from .clip import Clip
from .config import SequenceConfig, Stage
from .touching import Noise, Touching, touching

REACH, FAR = 5.0, 6.0  # m, times: heights of who is further off are known as much worse


@dataclass(frozen=True)
class Window:
    """Frames of a clip, how many of the first and the last are held, whether the shape and the
    camera are solved too, and the parts with a seed of their own; pins (T, C): contacts that are
    stated."""

    clip: Clip
    held: tuple[int, int]
    shares: bool
    parts: bool
    seed: int
    pins: np.ndarray | None = None


@dataclass(frozen=True)
class Solved:
    """Frames with their contacts (T, C), None where there is no floor; what they were solved as."""

    people: People
    solution: Solution
    contact: Touching | None


def solve(
    window: Window,
    start: State,
    view: View,
    means: Means,
    config: SequenceConfig,
    progress: Progress,
) -> Solved:
    """start: one row a frame, with the clip's shape."""
    people, state = _before(window, start, view, means)
    brief = SolverConfig(config.iterations, config.tolerance * len(people), first_damping=0.1)
    # without contacts nothing tells where the floor is
    first = replace(_chain(window, people, config, ()), shares=False)
    solution = minimise(first, state, brief, progress)
    contact = None
    if "floor" in state.more:
        for stage in config.stages:
            brief = replace(brief, max_iterations=stage.iterations)
            term, contact = _contacts(window, people, solution.state, stage)
            chain = _chain(window, people, config, (term,))
            solution = minimise(chain, solution.state, brief, progress)
        _, contact = _contacts(window, people, solution.state, config.stages[-1])
    bare = people.problem.energy(solution.state)
    return Solved(people, replace(solution, energy=bare), contact)


def _before(window: Window, start: State, view: View, means: Means) -> tuple[People, State]:
    """Frames before the clip's camera, with the keypoints' scale at their median depth."""
    clip, count = window.clip, len(window.clip.people)
    people = gather(list(clip.people), [clip.camera] * count, means, [clip.who] * count)
    depth = to_numpy(start.transl)[:, 2].clip(NEAREST, None)
    scale = means.config.weights.keypoint_metres * people.focal() / float(np.median(depth))
    people = people.scaled(scale[:, None])
    place, ones = means.backend.asarray, np.ones((count, 1))
    shared = [SHARED_BETAS]
    state = start
    if not view.camera_assumed and view.floor is not None:
        angles = np.radians(pitch_and_roll(view.gravity)) * ones
        state = replace(state, more={"gravity": place(angles), "floor": place(view.floor * ones)})
        terms = scene_terms(people, state, np.zeros(count, np.int64), means.config.scene.scales[-1])
        people = people.with_term(next(t for t in terms if isinstance(t, Gravity)))
        shared += [GRAVITY, FLOOR]
    if window.parts:
        parts = parts_term(people.observations, means, people.focal() / place(depth), window.seed)
        people = people if parts is None else people.with_term(parts)
    unknowns = (ROOT, TRANSL, *shared)
    group = means.backend.asarray(np.zeros(count, np.int64))
    return replace(people, problem=replace(people.problem, unknowns=unknowns, group=group)), state


def _chain(
    window: Window, people: People, config: SequenceConfig, more: tuple[Contacts, ...]
) -> Chain:
    place = people.means.backend.asarray
    scales, times = place(config.smooth * captured_scales()), place(window.clip.times)
    row, (before, after) = np.arange(len(people)), window.held
    held = (row < before) | (row >= len(people) - after)
    return Chain(people.problem, (Smoothness(scales, times), *more), held, window.shares)


def _contacts(
    window: Window, people: People, state: State, stage: Stage
) -> tuple[Contacts, Touching]:
    """The term, and what it is made of, as a state has them."""
    means, place = people.means, people.means.backend.asarray
    table = contact_table(means.body, means.backend)
    posed = people.problem.posed(state)
    nothing = place(np.zeros((len(people), len(contacts(means.body)))))
    bare = Contacts(table, stage.firmness, nothing, nothing)
    height = to_numpy(heights(posed.xp, posed, table)).astype(np.float64)
    places = to_numpy(posed.places(table)).astype(np.float64)
    soles = np.array(["foot" in contact.limb for contact in contacts(means.body)])
    far = float(np.clip(np.median(to_numpy(state.transl)[:, 2]) / REACH, 1, FAR))
    noise = Noise(stage.noise.step * far, stage.noise.height * far)
    known = touching(places, height, window.clip.times, soles, noise)
    known = known if window.pins is None else known.pinned(window.pins)
    return replace(bare, touch=place(known.touch), hold=place(known.hold)), known

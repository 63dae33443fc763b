"""A few people before a camera, as problems of the solver in numpy and torch alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kinflow import Observation
from kinflow.bodies.arrays import default_body_arrays
from kinflow.bodies.contacts import balance_table, contact_table, contacts, stature
from kinflow.bodies.keypoint_names import BLAZEPOSE33
from kinflow.bodies.tables import body_table, keypoint_table
from kinflow.core.arrays import Backend
from kinflow.core.arrays import numpy_namespace as np_
from kinflow.core.camera import Lens
from kinflow.core.level import FLOOR, GRAVITY
from kinflow.core.posterior import ONE_PERSON, Problem, State
from kinflow.core.rotations import axis_angle_to_matrix
from kinflow.core.terms.balance import Balance
from kinflow.core.terms.depth import Depth
from kinflow.core.terms.effectors import Places, Sights, Strength, Turns
from kinflow.core.terms.floor import Floor
from kinflow.core.terms.gravity import Gravity, Held
from kinflow.core.terms.half_space import HalfSpace
from kinflow.core.terms.keypoints import Keypoints
from kinflow.core.terms.latent import Latent
from kinflow.core.terms.nearness import Near
from kinflow.core.terms.parts import Parts
from kinflow.core.terms.shape import Shape
from kinflow.core.terms.stature import Stature
from kinflow.fitting.config import FitConfig
from kinflow.fitting.part_fields import parts_term
from kinflow.fitting.people import Means
from kinflow.priors.arrays import load_prior_arrays

COUNT = 3
OF_A_PHOTO = ("gravity", "floor", "balance", "stature")
OF_A_PULL = ("effectors", "half_space", "nearness")
TERMS = ("keypoints", "depth", "mask", "parts", "latent", "shape", *OF_A_PHOTO, *OF_A_PULL)


@dataclass(frozen=True)
class Scene:
    """A problem, and a state that is no minimum of it."""

    problem: Problem
    state: State

    def only(self, *names: str) -> Problem:
        """The problem with some of TERMS."""
        kinds: dict[str, Any] = {
            "keypoints": Keypoints,
            "depth": Depth,
            "latent": Latent,
            "shape": Shape,
        }
        kinds |= {"mask": Parts, "parts": Parts, "gravity": Gravity, "floor": Floor}
        kinds |= {"balance": Balance, "stature": Stature, "half_space": HalfSpace}
        kinds |= {"nearness": Near, "effectors": (Places, Turns, Sights)}
        wanted = tuple(kinds[n] for n in names)
        terms = tuple(t for t in self.problem.terms if isinstance(t, wanted))
        return replace(self.problem, terms=terms)


def scene(backend: Backend, prior: str = "light", parts: str = "parts") -> Scene:
    """COUNT people, the same in every namespace; parts: "parts" or "mask"."""
    random = np.random.default_rng(3)
    body, arrays = default_body_arrays(), load_prior_arrays(prior)
    table = keypoint_table(body, "blazepose33", backend)
    confidence = np.minimum(np.abs(random.normal(size=(COUNT, 33))) + 0.1, 1)
    confidence[:, 4], confidence[1, 7] = 0, 0
    which = np.flatnonzero((confidence > 0).any(0))
    keypoints = 240 + 80 * random.normal(size=(COUNT, 33, 2))
    index, hips = [BLAZEPOSE33.index(n) for n in _HINTED], [23, 24]
    means = Means(body, arrays, backend, FitConfig())
    people = [_labelled(parts)] * COUNT
    place = backend.asarray
    field = parts_term(people, means, place(np.full(COUNT, 120.0)), seed=0)
    assert field is not None
    terms: tuple[Any, ...] = (
        Keypoints(
            table,
            place(which),
            0.15,
            place(keypoints[:, which]),
            place(confidence[:, which]),
            place(random.uniform(3, 8, (COUNT, len(which)))),
            place(keypoints[:, which[::-1]]),
        ),
        Depth(
            table,
            place(np.array(index)),
            place(np.array(hips)),
            0.1,
            place(0.2 * random.normal(size=(COUNT, len(index)))),
            place(random.uniform(0.2, 1, (COUNT, len(index)))),
        ),
        field,
        Latent(0.7, 0.6),
        Shape(1.3),
    )
    lens = Lens(place(np.full((COUNT, 2), 600.0)), place(np.full((COUNT, 2), 240.0)))
    decoder, tree = arrays.decoder(backend), body_table(body, backend)
    problem = Problem(backend.xp, tree, decoder, ONE_PERSON, lens, terms)
    state = State(
        place(0.7 * random.normal(size=(COUNT, arrays.dim))),
        place(axis_angle_to_matrix(np_, random.normal(size=(COUNT, 3)))),
        place(0.5 * random.normal(size=(COUNT, 10))),
        place(np.tile([0.0, 0.1, 4.0], (COUNT, 1)) + 0.1 * random.normal(size=(COUNT, 3))),
    )
    return Scene(problem, state)


def on_a_floor(one: Scene, backend: Backend) -> Scene:
    """The same people with gravity, a floor near their feet and OF_A_PHOTO's terms; each before a
    camera of their own."""
    random = np.random.default_rng(4)
    body, upright = default_body_arrays(), load_prior_arrays("light").upright
    table, place = contact_table(body, backend), backend.asarray
    count, points = COUNT, len(contacts(body))
    held = Held(*(place(np.array(a)) for a in ([-0.1, 0.0, 1.2], [0.3, 0.1, 0.5])))
    mean, direction = stature(body)

    def some(*shape: int) -> Any:
        return place(random.uniform(0.2, 1, shape))

    population = (place(np.tile(v, (count, 1))) for v in ([0.9, 0.1], [1.7, 1.2], [0.1, 0.2]))
    masculine = place(np.eye(10)[2])
    terms = (
        Gravity(backend.record(upright), held, 20 * some(count), some(count), some(count)),
        Floor(table, some(points), 0.3 * some(count), some(count, points)),
        Balance(balance_table(body, backend), 0.7, 0.4, some(count)),
        Stature(mean, place(direction), masculine, *population, some(count), some(count)),
    )
    more = {"gravity": 0.2 * some(count, 2), "floor": 1 + some(count, 1)}
    unknowns = (*ONE_PERSON, GRAVITY, FLOOR)
    group = place(np.arange(count))
    problem = replace(
        one.problem, unknowns=unknowns, terms=(*one.problem.terms, *terms), group=group
    )
    return Scene(problem, replace(one.state, more=more))


def pulled(one: Scene, backend: Backend) -> Scene:
    """The same people with OF_A_PULL's terms."""
    random = np.random.default_rng(5)
    table, place = contact_table(default_body_arrays(), backend), backend.asarray
    which, front = place(np.array([4, 20])), place(np.array([[0.0, 0, 1], [1, 0, 0]]))

    def some(*shape: int) -> Any:
        return place(random.normal(size=(COUNT, *shape)))

    def strength() -> Strength:
        pull = np.random.default_rng(6).uniform(0.2, 1, (2, COUNT, 2))
        return Strength(*map(place, pull))

    turns = place(axis_angle_to_matrix(np_, random.normal(size=(COUNT, 3, 3))))
    terms = (
        Places(table, which, strength(), some(2, 3)),
        Turns(which, strength(), turns[:, :2]),
        Sights(table, which, front, strength(), some(2, 3)),
        HalfSpace(table, 0.3, some(3), 4 * some(len(table.total))),
        Near(0.7, some(one.problem.decoder.dim)),
        Near(0.4, turns[:, 2], "root"),
        Near(0.2, some(3), "transl"),
    )
    problem = replace(one.problem, terms=(*one.problem.terms, *terms))
    return Scene(problem, one.state)


_HINTED = ("left_shoulder", "left_elbow", "left_wrist", "left_knee", "left_ankle")


def _labelled(kind: str) -> Observation:
    plane = np.zeros((480, 480), np.uint8)
    plane[120:360, 180:300] = 2
    plane[100:150, 200:260] = 3
    plane[250:400, 190:230] = 10
    labels = {"parts": plane} if kind == "parts" else {"mask": plane > 0}
    return Observation(np.zeros((33, 2)), np.ones(33), "blazepose33", **labels)

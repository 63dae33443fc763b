"""What results say of a photo's camera: gravity, floor, and how sure the pitch is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..core.arrays import pick, to_numpy
from ..core.level import FLOOR, GRAVITY
from ..core.posterior import ONE_PERSON, PosedState, State
from ..core.step import shared_information
from ..core.terms.floor import Floor
from ..core.terms.gravity import Gravity
from ..gravity import gravity_of, level_gravity, pitch_and_roll
from ..records import FitResult
from .people import People
from .scene import Photos, with_scene
from .scene_terms import seen_limbs, seen_points
from .stages import Search

NINE_IN_TEN = 1.645  # deviations of a normal
STEEPEST, MOST_ROLLED = 60.0, 30.0  # degrees: what lies beyond is rather a mistake
# Of Laplace's deviation of the pitch: a detector's errors have much in common. The likeliest of 150
# renders of validation performers (`benchmarks.render_ground`), where 92 and 94 % lie within.
WIDER = 2.75


@dataclass(frozen=True)
class View:
    """Of a photo: gravity (3,) in the camera's frame, floor in m below the camera or None, whether
    the camera was assumed, and the pitch's range of nine in ten in degrees."""

    gravity: np.ndarray = field(default_factory=level_gravity)
    floor: float | None = None
    camera_assumed: bool = True
    pitch_range: tuple[float, float] | None = None

    @staticmethod
    def of(result: FitResult) -> View:
        """What a result says of it."""
        return View(result.gravity, result.floor, result.camera_assumed, result.pitch_range)


def agreed(views: Sequence[View]) -> View:
    """One camera that stands still, by the views of some frames: those who assumed have no say."""
    known = [v for v in views if not v.camera_assumed]
    if not known:
        return View()
    mean = np.mean([v.gravity for v in known], axis=0)
    floors = [v.floor for v in known if v.floor is not None]
    ranges = [v.pitch_range for v in known if v.pitch_range is not None]
    low, high = np.median(ranges, axis=0) if ranges else (0.0, 0.0)
    return View(
        (mean / np.linalg.norm(mean)).astype(np.float32),
        float(np.median(floors)) if floors else None,
        False,
        (float(low), float(high)) if ranges else None,
    )


def before_camera(people: People, state: State, view: View) -> tuple[People, State]:
    """People, and a state of one row each, before a known camera and on its floor; as they are
    where a view has none."""
    if view.camera_assumed or view.floor is None:
        return people, state
    place, ones = people.means.backend.asarray, np.ones((len(people), 1))
    angles = np.radians(pitch_and_roll(view.gravity)) * ones
    state = replace(state, more={"gravity": place(angles), "floor": place(view.floor * ones)})
    photos = Photos(np.zeros(len(people), np.int64))
    return with_scene(people, state, photos, people.means.config.scene.scales[-1]), state


def views_of(search: Search, photos: Photos) -> list[View]:
    """The view of everybody's photo, from `settle`.

    A camera was assumed, and is level, where nobody's feet are seen, nobody stands, sits or lies
    before it as captured people do, or where it came out as hardly anybody holds one.
    """
    people = search.people
    state = pick(search.solution.state, search.best())
    posed = people.problem.posed(state)
    telling, supported = _telling(people, posed), _supported(people, posed)
    angles = np.degrees(to_numpy(state.block("gravity")).astype(np.float64))
    floor = to_numpy(state.block("floor")).astype(np.float64)[:, 0]
    deviation = _deviation(people, state, photos)
    views = []
    for number in range(photos.count):
        rows = np.flatnonzero(photos.photo == number)
        pitch, roll = angles[rows[0]]
        level = float(floor[rows[0]]) if supported[rows].any() else None
        gravity = gravity_of(pitch, roll).astype(np.float32)
        usual = abs(pitch) < STEEPEST and abs(roll) < MOST_ROLLED and np.isfinite(level or 0.0)
        half = NINE_IN_TEN * WIDER * float(deviation[number])
        if photos.stated is not None:
            views.append(View(gravity, level, False))
        elif telling[rows].any() and usual:
            views.append(View(gravity, level, False, (pitch - half, pitch + half)))
        else:
            views.append(View())
    return [views[number] for number in photos.photo]


def _telling(people: People, posed: PosedState) -> np.ndarray:
    """Who shows feet, and is as upright as captured people in such poses. -> (N,) bool."""
    term = next(t for t in people.problem.terms if isinstance(t, Gravity))
    seen = seen_limbs(people)
    agrees = to_numpy(term.agreement(posed.xp, posed)) > 0.5
    return np.asarray(agrees & (seen["left_foot"] | seen["right_foot"]))


def _supported(people: People, posed: PosedState) -> np.ndarray:
    """Who rather touches the floor than not. -> (N,) bool."""
    term = next(t for t in people.problem.terms if isinstance(t, Floor))
    touching = to_numpy(term.contact(posed.xp, posed)) > 0.5
    return np.asarray((touching & seen_points(people)).any(1))


def _deviation(people: People, state: State, photos: Photos) -> np.ndarray:
    """Of each photo's pitch, degrees, by Laplace's approximation. -> (G,)."""
    unknowns = (*ONE_PERSON, GRAVITY, FLOOR)
    problem = replace(people.problem, unknowns=unknowns)
    own = to_numpy(shared_information(problem.xp, problem.linearise(state), 3)).astype(np.float64)
    deviations = []
    for number in range(photos.count):
        inverse = np.linalg.pinv(own[photos.photo == number].sum(0), hermitian=True)
        deviations.append(np.degrees(np.sqrt(max(inverse[0, 0], 0.0))))
    return np.array(deviations)

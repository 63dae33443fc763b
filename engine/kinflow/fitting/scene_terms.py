"""What is known of a photo: who is in it together, and the terms of gravity, floor and balance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..bodies.arrays import BodyArrays
from ..bodies.contacts import balance_table, contact_table, contacts
from ..core.arrays import to_numpy
from ..core.posterior import State, Term
from ..core.terms.balance import Balance
from ..core.terms.floor import Floor
from ..core.terms.gravity import Gravity, Held
from ..core.upright import Upright
from ..priors.arrays import PosePrior, PriorArrays, load_prior_arrays
from ..records import Camera, Observation
from .people import People

SEEN = 0.3  # of a keypoint's confidence
# How often a sole's heel, tip, outer and inner side are within 3 cm of the lowest point of captured
# people, rounded. Other points are so in one frame of a hundred, but who is photographed kneels,
# leans and lies more often.
SOLE_TOUCHES, OTHERS_TOUCH = (0.5, 0.65, 0.65, 0.65), 0.05
UNSEEN = 0.2  # of a floor's weight: what is hidden rests on it, too, but says less of it
# m: up to here a contact is looked for within a stage's scale; heights of who is further off are
# known as much worse as they are further, FAR times at most
NEAR, FAR = 5.0, 10.0
RIM = 0.03  # of the photo's larger side: soles just beyond its rim are as good as seen
_SIDED = {"foot": "ankle", "hand": "wrist", "knee": "knee", "elbow": "elbow"}
_MIDDLE = {"seat": "hip", "back": "shoulder", "chest": "shoulder", "head": "shoulder"}


def photos_of(people: Sequence[Observation], cameras: Sequence[Camera]) -> np.ndarray:
    """Numbers from 0 of the photo that each person is in; one photo has one camera. -> (N,)."""
    keys = [(p.photo, p.image_path, c) for p, c in zip(people, cameras, strict=True)]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([numbers[key] for key in keys], np.int64)


def upright_of(prior: PosePrior) -> Upright:
    """Which way is up, as a prior has learned it; of a rival, which has not, as the light one."""
    return (prior if isinstance(prior, PriorArrays) else load_prior_arrays()).upright


def seen_limbs(people: People) -> dict[str, np.ndarray]:
    """Whether each person's limbs are on the photo, by the names of `contacts`. -> (N,) bool."""
    names = people.names
    seen = np.stack(
        [_on_photo(o, c) for o, c in zip(people.observations, people.cameras, strict=True)]
    )
    result = {}
    for side in ("left", "right"):
        for limb, joint in _SIDED.items():
            result[f"{side}_{limb}"] = seen[:, names.index(f"{side}_{joint}")]
    for limb, joint in _MIDDLE.items():
        both = [names.index(f"{side}_{joint}") for side in ("left", "right")]
        result[limb] = seen[:, both].any(1)
    return result


def seen_points(people: People) -> np.ndarray:
    """Which of everybody's `contacts` are on the photo. -> (N, C) bool."""
    seen = seen_limbs(people)
    return np.stack([seen[contact.limb] for contact in contacts(people.means.body)], axis=1)


def _on_photo(person: Observation, camera: Camera) -> np.ndarray:
    """Which keypoints are sure enough, and not beyond the photo's rim. -> (K,) bool."""
    with np.errstate(invalid="ignore"):
        size = np.array((camera.width, camera.height))
        rim = RIM * size.max()
        inside = (person.keypoints >= -rim) & (person.keypoints < size + rim)
        return np.asarray(person.usable & (person.confidence > SEEN) & inside.all(1))


def scene_terms(people: People, state: State, photo: np.ndarray, scale: float) -> list[Term]:
    """Gravity, floor and balance of everybody. state: one row a person; photo (N,); scale: within
    which a contact is looked for, m."""
    means, weights = people.means, people.means.config.scene
    backend, body, place = means.backend, means.body, means.backend.asarray
    seen = seen_limbs(people)
    upright = backend.record(upright_of(means.prior))
    pose = people.problem.posed(state).skeleton.rotations[:, 1:]
    _, kappa = upright.predict(backend.xp, pose)
    camera = np.array((weights.camera_mean, weights.camera_scale))
    camera[:, :2] = np.radians(camera[:, :2])
    held = Held(place(camera[0]), place(camera[1]))
    alone = 1 / np.bincount(photo)[photo]
    stands = seen["left_foot"] & seen["right_foot"] & seen["seat"]
    ones = np.ones(len(people))
    reach = np.clip(to_numpy(state.transl)[:, 2] / NEAR, 1, FAR)
    return [
        Gravity(upright, held, kappa, place(weights.gravity * ones), place(alone)),
        Floor(
            contact_table(body, backend),
            place(_touching(body)),
            place(scale * reach),
            place(weights.floor * np.where(seen_points(people), 1.0, UNSEEN)),
        ),
        Balance(
            balance_table(body, backend),
            weights.stands,
            weights.sway,
            place(weights.balance * stands.astype(float)),
        ),
    ]


def _touching(body: BodyArrays) -> np.ndarray:
    """How likely each of `contacts` touches the floor. -> (C,)."""
    touch: list[float] = []
    soles = dict.fromkeys(("left_foot", "right_foot"), 0)
    for contact in contacts(body):
        if contact.limb in soles:
            touch.append(SOLE_TOUCHES[soles[contact.limb]])
            soles[contact.limb] += 1
        else:
            touch.append(OTHERS_TOUCH)
    return np.array(touch)

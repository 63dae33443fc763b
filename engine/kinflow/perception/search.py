"""Who is in a photo: proposals, a look at each, and views of those in which somebody is."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from .detector_files import needed
from .landmarks import Look, look
from .people import add_look, add_person, best_first, is_person
from .proposals import Source, find_boxes, propose, regions_of
from .regions import Pyramid, Region
from .ssd import FACE, POSE, overlap
from .tflite import each
from .views import Person, view_person

BODY_SHARES, FACE_SHARES = (1.4, 1.0, 0.6, 0.4), (1.0, 0.6, 0.4)
BODY_SCORE, FACE_SCORE = 0.3, 0.5
BOX_MARGIN = 1.25


def search_people(rgb: np.ndarray, thorough: bool = True) -> list[Person]:
    """Everybody in a photo (H, W, 3) uint8, best first. Raises DetectorError."""
    body, face, _ = needed()
    shares = (BODY_SHARES, FACE_SHARES) if thorough else (BODY_SHARES[:2], FACE_SHARES[:1])
    sources = (Source(body, POSE, BODY_SCORE, shares[0]), Source(face, FACE, FACE_SCORE, shares[1]))
    pyramid = Pyramid(rgb)
    return people_in(pyramid, [p.region for p in propose(pyramid, sources)])


def people_in(pyramid: Pyramid, regions: Sequence[Region]) -> list[Person]:
    """Who is seen in regions, each once."""
    network = needed()[2]

    candidates: list[Look] = []
    for candidate in each(partial(look, pyramid, network=network), regions):
        add_look(candidates, candidate, pyramid.size)
    people: list[Person] = []
    for candidate in candidates:
        person = view_person(pyramid, candidate.following, network)
        if is_person(person, pyramid.size):
            add_person(people, person, pyramid.size)
    return best_first(people)


def in_boxes(rgb: np.ndarray, boxes: np.ndarray) -> list[Person]:
    """The person in each box (N, 4) xyxy px that has one, best first. Raises DetectorError."""
    pyramid, (body, _, network) = Pyramid(rgb), needed()
    source = Source(body, POSE, BODY_SCORE, ())
    people: list[Person] = []
    for box in boxes.reshape(-1, 4):
        about = Region(0.5 * (box[:2] + box[2:]), BOX_MARGIN * float((box[2:] - box[:2]).max()))
        regions = [about, *regions_of(find_boxes(pyramid, about, source))]
        looks = each(partial(look, pyramid, network=network), regions)
        fits = [overlap(box, one.box[None])[0] * one.score for one in looks]
        person = view_person(pyramid, looks[int(np.argmax(fits))].following, network)
        if is_person(person, pyramid.size):
            people.append(person)
    return best_first(people)

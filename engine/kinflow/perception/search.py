"""Who is in a photo: proposals, a look at each, and views of those in which somebody is."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from .detector_files import needed
from .landmarks import Look, look
from .people import add_look, add_person, best_first, is_among, is_person, may_be_person
from .proposals import Source, find_boxes, propose, regions_of, same_region
from .regions import Pyramid, Region
from .ssd import FACE, POSE, overlap
from .tflite import each
from .views import Person, view

BODY_SHARES, FACE_SHARES = (1.4, 1.0, 0.6, 0.4), (1.0, 0.6, 0.4)
BODY_SCORE, FACE_SCORE = 0.3, 0.5
SMALL, CLOSER = 0.25, 0.2  # of the longer side: bodies so small ask for tiles so small
BOX_MARGIN = 1.25
MAX_PEOPLE = 24
AT_ONCE = 4  # regions: those that show what an earlier one showed are not looked at


def search_people(rgb: np.ndarray, thorough: bool = True) -> list[Person]:
    """Everybody in a photo (H, W, 3) uint8, best first. Raises DetectorError."""
    body, face, _ = needed()
    shares = (BODY_SHARES, FACE_SHARES) if thorough else (BODY_SHARES[:2], FACE_SHARES[:1])
    sources = (Source(body, POSE, BODY_SCORE, shares[0]), Source(face, FACE, FACE_SCORE, shares[1]))
    pyramid = Pyramid(rgb)
    people = people_in(pyramid, propose(pyramid, sources), [])
    longer = float(pyramid.size.max())
    # who is as far away as small people may be too small for the tiles, where closer ones show more
    sharp = CLOSER * longer >= POSE.side
    if thorough and sharp and people and np.median([p.size for p in people]) < SMALL * longer:
        closer = Source(body, POSE, BODY_SCORE, (CLOSER,))
        people = people_in(pyramid, propose(pyramid, [closer]), people)
    return best_first(people)


def people_in(
    pyramid: Pyramid, regions: Sequence[Region], people: Sequence[Person]
) -> list[Person]:
    """`people`, and who else is seen in regions, each once."""
    network, size = needed()[2], pyramid.size
    candidates: list[Look] = []
    left = list(regions)
    while left:
        for candidate in each(partial(look, pyramid, network=network), left[:AT_ONCE]):
            add_look(candidates, candidate, size)
        shown = [r for c in candidates for r in (c.region, c.following)]
        left = [r for r in left[AT_ONCE:] if not any(same_region(r, s) for s in shown)]
    result = list(people)
    for candidate in candidates:
        if len(result) < MAX_PEOPLE and not is_among(result, candidate, size):
            person = view(pyramid, candidate.following, network, partial(may_be_person, size=size))
            if is_person(person, size):
                add_person(result, person, size)
    return result


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
        region = looks[int(np.argmax(fits))].following
        person = view(pyramid, region, network, partial(may_be_person, size=pyramid.size))
        if is_person(person, pyramid.size):
            people.append(person)
    return best_first(people)

"""Photos -> people."""

from dataclasses import replace
from functools import partial
from typing import Any

from ..perception import observe
from ..perception.stopping import question, while_wanted
from ..records import Observation
from .models import Progress


def observe_photos(progress: Progress, photo: Any, **options: Any) -> list[Observation]:
    """`kinflow.observe` of one photo or a list, with progress from photo to photo."""
    photos = photo if isinstance(photo, list) else [photo]
    people: list[Observation] = []
    for index, item in enumerate(photos):
        goes_on = partial(progress, index / len(photos), "looking for people")
        with while_wanted(goes_on):
            question()()
            people += [replace(person, photo=index) for person in observe(item, **options)]
    return people

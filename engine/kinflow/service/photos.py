"""Photos -> people."""

from dataclasses import replace
from typing import Any

from ..errors import CancelledError
from ..perception import observe
from ..records import Observation
from .models import Progress


def observe_photos(progress: Progress, photo: Any, **options: Any) -> list[Observation]:
    """`kinflow.observe` of one photo or a list, with progress from photo to photo."""
    photos = photo if isinstance(photo, list) else [photo]
    people: list[Observation] = []
    for index, item in enumerate(photos):
        if progress(index / len(photos), "looking for people") is False:
            raise CancelledError("The search for people was cancelled.")
        people += [replace(person, photo=index) for person in observe(item, **options)]
    return people

"""Contacts of a clip as markers of the timeline.

Which ones are a person's own is kept with the person, since markers carry no data of ours: one that
the user has moved or renamed is the user's.
"""

import json
from collections.abc import Sequence

import bpy

from kinflow.records import FitResult

from . import touches
from .clip import Clip


def store(
    scene: bpy.types.Scene,
    person: bpy.types.PropertyGroup,
    clip: Clip,
    results: Sequence[FitResult | None],
) -> None:
    """Keeps when a person touches the floor; markers that show it follow."""
    marks = [[clip.frame_of(row), name] for row, name in touches.events(results)]
    shown = person.has_markers
    hide(scene, person)
    person.marks = json.dumps(marks)
    if shown:
        show(scene, person)


def show(scene: bpy.types.Scene, person: bpy.types.PropertyGroup) -> None:
    """Adds a person's markers."""
    if person.has_markers:
        return
    for frame, name in _marks(person):
        scene.timeline_markers.new(name, frame=frame)
    person.has_markers = True


def hide(scene: bpy.types.Scene, person: bpy.types.PropertyGroup) -> None:
    """Takes a person's markers away, and nobody else's."""
    if not person.has_markers:
        return
    found: dict[tuple[int, str], list[bpy.types.TimelineMarker]] = {}
    for marker in scene.timeline_markers:
        found.setdefault((marker.frame, marker.name), []).append(marker)
    for frame, name in _marks(person):
        if same := found.get((frame, name)):
            scene.timeline_markers.remove(same.pop())
    person.has_markers = False


def _marks(person: bpy.types.PropertyGroup) -> list[tuple[int, str]]:
    return [(int(frame), str(name)) for frame, name in json.loads(person.marks or "[]")]

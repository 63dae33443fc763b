"""Keypoints of a clip's person: those of the frame that the scene shows.

The properties hold one frame's; what was moved there is kept in the session when another frame is
shown.
"""

from dataclasses import replace

import bpy
import numpy as np
from bpy.app.handlers import persistent

from .. import session
from . import keypoints, photos
from .clip import Clip


def take(clip: Clip, person: bpy.types.PropertyGroup) -> None:
    """Keeps the keypoints that are shown, as they were moved."""
    row = person.shown_row
    seen = clip.observations[row] if 0 <= row < len(clip.observations) else None
    if seen is None or len(person.keypoints) != len(seen.keypoints):
        return
    points, confidence = keypoints.read(person)
    moved = (points != seen.keypoints).any(-1) & np.isfinite(seen.keypoints).all(-1)
    if moved.any() or (confidence != seen.confidence).any():
        clip.observations[row] = replace(seen, keypoints=points, confidence=confidence)


def show(clip: Clip, person: bpy.types.PropertyGroup, row: int | None) -> None:
    """Shows a row's keypoints; none where nobody is known."""
    seen = clip.observations[row] if row is not None else None
    if seen is not None:
        keypoints.write(person, seen)
        person.shown_row = row
    elif person.shown_row >= 0:
        person.keypoints.foreach_set("confidence", np.zeros(len(person.keypoints), np.float32))
        person.shown_row = -1


@persistent
def _after_frame(scene: bpy.types.Scene, *_: object) -> None:
    if not session.clips or bpy.app.is_job_running("RENDER"):
        return
    for key, (_, person) in photos.people_by_key(scene).items():
        clip = session.clips.get(key)
        if clip is None:
            continue
        row = clip.row_at(scene.frame_current)
        if row != person.shown_row:
            take(clip, person)
            show(clip, person, row)


def register() -> None:
    bpy.app.handlers.frame_change_post.append(_after_frame)


def unregister() -> None:
    bpy.app.handlers.frame_change_post.remove(_after_frame)

"""What operators on frames of a clip share: whose clip it is, which frames, and asking for them."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np

from kinflow.client import Job
from kinflow.errors import InvalidInputError
from kinflow.records import FitResult, Observation

from .. import preferences, session
from ..scene import choice, clip_keypoints, photos, touches
from ..scene.clip import AROUND, Clip, Refitted
from .common import EngineJob, needs

A_CLIP_FIRST = "Select a body that was keyed from a video or from numbered frames"
OF_CLIPS = "This is a clip: Refit Frames, under Animation and Export, fits its frames again"
FORGOTTEN = "What was seen in this clip is known no more, since its file was closed."
AGAIN = "Key it again with Photos to Keyframes."


def is_clips(current: choice.Choice) -> bool:
    """Whether somebody of a clip is chosen."""
    return current.person is not None and current.photo.kinflow.clip_length > 0


def clip_of(current: choice.Choice) -> Clip | None:
    """The chosen person's clip; None where nobody's, or where it is known no more."""
    return session.clips.get(key_of(current)) if is_clips(current) else None


def key_of(current: choice.Choice) -> str:
    """What the session knows the chosen person by."""
    return photos.key_of(current.photo, current.person)


def span_of(scene: bpy.types.Scene) -> tuple[int, int]:
    """First and last frame to work on: the preview range, else those around the current one."""
    if scene.use_preview_range:
        return scene.frame_preview_start, scene.frame_preview_end
    return scene.frame_current - AROUND, scene.frame_current + AROUND


class SpanJob(EngineJob):
    """Mixin: fits frames of the chosen person's clip again.

    A subclass has `first` and `last`, and gives `applied()`: what `apply_span` is called with.
    """

    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return needs(cls, is_clips(choice.chosen(context)), A_CLIP_FIRST) and super().poll(context)

    def span(self, context: bpy.types.Context) -> tuple[int, int]:
        """As asked for; where nobody asked, as the timeline says."""
        asked = self.properties.is_property_set("first") and self.properties.is_property_set("last")
        return (self.first, self.last) if asked else span_of(context.scene)

    def finish(self, context: bpy.types.Context, value: list[FitResult]) -> set[str]:
        session.refitted = replace(self._asked, results=value)
        done = bpy.ops.kinflow.apply_span("EXEC_DEFAULT", True, **self.applied())
        session.refitted = None
        return done

    def applied(self) -> dict[str, object]:
        """Nothing beside the frames."""
        return {}

    def submit(
        self, context: bpy.types.Context, span: tuple[int, int], more: list[tuple[str, int, int]]
    ) -> Job:
        """Asks for the frames span[0] to span[1] (both), with the pins that are there and more.

        Raises InvalidInputError where the clip is known no more or a frame was not fitted.
        """
        current = choice.chosen(context)
        clip, person = clip_of(current), current.person
        if clip is None:
            raise InvalidInputError(FORGOTTEN, AGAIN)
        clip_keypoints.take(clip, person)
        rows = clip.rows_in(*span)
        run = clip.run_around(person.version, rows)
        if run is None:
            raise InvalidInputError(
                f"Frames {span[0]} to {span[1]} have some in which nobody was found.",
                "Choose frames of the clip between two gaps.",
            )
        self._asked = Refitted(key_of(current), rows.start, [])
        pins = [(pin.contact, pin.first, pin.last) for pin in person.contacts] + more
        return session.engine().submit(
            "refit_span",
            observations=[_usable(clip.observations[row], person) for row in run],
            last=[clip.versions[person.version][row] for row in run],
            span=[rows.start - run.start, rows.stop - run.start],
            pins=[pin for named in pins for pin in _pins_in(clip, run, *named)],
            prior=preferences.get("prior"),
            device=preferences.get("device"),
        )


def _usable(seen: Observation, person: bpy.types.PropertyGroup) -> Observation:
    """Without the keypoints that are switched off."""
    on = np.array([point.enabled for point in person.keypoints], bool)
    if len(on) != len(seen.confidence):
        return seen
    return replace(seen, confidence=np.where(on, seen.confidence, 0))


def _pins_in(clip: Clip, run: range, name: str, first: int, last: int) -> list[list[object]]:
    """A pin's contacts with their first and last row, counted from the run's first."""
    rows = clip.rows_in(first, last)
    begin, end = max(rows.start, run.start), min(rows.stop, run.stop)
    if begin >= end:
        return []
    span = (begin - run.start, end - 1 - run.start)
    return [[contact, *span] for contact in touches.contacts_of(name)]

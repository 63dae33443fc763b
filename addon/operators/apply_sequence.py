"""Key the fits of a sequence: the one undo step of it."""

from pathlib import Path

import bpy
import numpy as np

from kinflow.records import FitResult

from .. import session
from ..scene import (
    camera,
    choice,
    clip_keypoints,
    clip_picture,
    contact_markers,
    hand_posed,
    keypoints,
    keys,
    photos,
    sparse,
)
from ..scene.clip import Clip, Fitted, keyed, said_of
from ..scene.frames import Viewpoint
from ..scene.motion import Motion
from ..scene.parameters import Parameters, apply_parameters
from .apply_fit import new_body, viewpoints_of

KEYS = [
    ("EVERY", "Every Frame", "A key in every frame of the clip"),
    ("SPARSE", "Sparse", "Only as many keys as the tolerance needs, easier to edit by hand"),
]


class KINFLOW_OT_apply_sequence(bpy.types.Operator):
    """Key the fits of a sequence on a new body"""

    bl_idname = "kinflow.apply_sequence"
    bl_label = "Apply Sequence"
    bl_options = {"UNDO", "INTERNAL"}

    motion: bpy.props.BoolProperty(options={"HIDDEN", "SKIP_SAVE"})
    step: bpy.props.IntProperty(default=1, min=1)
    keys: bpy.props.EnumProperty(items=KEYS)
    angle: bpy.props.FloatProperty(default=sparse.Tolerance.angle, subtype="ANGLE")
    distance: bpy.props.FloatProperty(default=sparse.Tolerance.distance, subtype="DISTANCE")
    markers: bpy.props.BoolProperty(default=True)

    def execute(self, context: bpy.types.Context) -> set[str]:
        fitted, state, scene = session.sequence, context.scene.kinflow, context.scene
        rows = keyed(fitted.results) if fitted is not None else []
        if not rows:
            state.message = "Nobody was found in these photos."
            self.report({"ERROR"}, state.message)
            return {"CANCELLED"}
        path = fitted.paths[0]
        others = [p for p in photos.all_photos(scene) if p.kinflow.path == path]
        photo = photos.open_photo(scene, Path(path))
        if self.motion:
            armature = self._clip(context, photo, fitted, others)
        else:
            armature = self._poses(context, photo, fitted)
        first = scene.frame_current
        scene.frame_start, scene.frame_end = (
            first + row * self.step for row in (rows[0], rows[-1])
        )
        choice.select_only(context, armature)
        scene.frame_set(scene.frame_start)
        hand_posed.note(armature)
        what = "frame" if self.motion else "pose"
        said = [f"{len(rows)} {what if len(rows) == 1 else what + 's'} keyed on a new body"]
        if others:
            said[0] += f", beside {others[0].name}"
        state.message = "; ".join(said + said_of(fitted.results, first, self.step))
        return {"FINISHED"}

    def _clip(
        self,
        context: bpy.types.Context,
        photo: bpy.types.Collection,
        fitted: Fitted,
        others: list[bpy.types.Collection],
    ) -> bpy.types.Object:
        """One motion in the world that its camera and floor make. -> its armature."""
        rows, scene = keyed(fitted.results), context.scene
        results = [fitted.results[row] for row in rows]
        level = results[0].floor
        view = Viewpoint.above_floor(results[0].gravity, level or 0.0).moved(photo.kinflow.place)
        if level is None:
            # nothing tells where the floor is: the lowest point of all frames is on it
            lowest = Motion.of(results, [view] * len(results), np.zeros(3)).lowest().min()
            view = Viewpoint(view.turn, view.place - np.array([0, 0, lowest]))
        views = [view] * len(results)
        armature, person = _rig(context, photo, results[0], view)
        origin = np.array(armature.location)
        tolerance = sparse.Tolerance(self.angle, self.distance) if self.keys == "SPARSE" else None
        seen = list(fitted.observations)
        first = scene.frame_current
        clip = Clip(first, self.step, view, origin, tolerance, seen, [list(fitted.results)])
        write_keys(armature, clip, Motion.of(results, views, origin), rows)
        photo.kinflow.clip_length = len(fitted.results)
        session.clips[photos.key_of(photo, person)] = clip
        clip_picture.show(camera.camera_of(photo), fitted.paths, clip)
        clip_keypoints.show(clip, person, rows[0])
        for other in (p for found in others for p in found.kinflow.people):
            contact_markers.hide(scene, other)
        contact_markers.store(scene, person, clip, fitted.results)
        if self.markers:
            contact_markers.show(scene, person)
        return armature

    def _poses(
        self, context: bpy.types.Context, photo: bpy.types.Collection, fitted: Fitted
    ) -> bpy.types.Object:
        """Single photos, each held by another camera: every pose stands. -> the armature."""
        rows = keyed(fitted.results)
        results = [fitted.results[row] for row in rows]
        views = [view.moved(photo.kinflow.place) for view in viewpoints_of(results)]
        armature, _ = _rig(context, photo, results[0], views[0])
        motion = Motion.of(results, views, np.array(armature.location))
        motion = motion.lifted(-motion.lowest()[:, None])
        numbers = context.scene.frame_current + np.array(rows) * self.step
        keys.write(armature, motion, numbers)
        return armature


def _rig(
    context: bpy.types.Context,
    photo: bpy.types.Collection,
    result: FitResult,
    view: Viewpoint,
) -> tuple[bpy.types.Object, bpy.types.PropertyGroup]:
    """A new body before the camera, posed as a result says; the person whose it is."""
    camera.match_camera(context.scene, photo, result.camera, view)
    person = keypoints.add_person(photo)
    armature = new_body(photo, person, result, view)
    apply_parameters(armature, Parameters.of(result, result.prior), view)
    armature.kinflow.error_px, armature.kinflow.status = result.keypoint_error_px, result.status
    return armature, person


def write_keys(
    armature: bpy.types.Object,
    clip: Clip,
    motion: Motion,
    rows: list[int],
    span: tuple[int, int] | None = None,
) -> None:
    """Keys of rows of a clip, as sparse as it wants them; in a span instead of those there."""
    numbers = np.array([clip.frame_of(row) for row in rows])
    if clip.tolerance is not None:
        kept = sparse.needed(motion.track(numbers), clip.tolerance)
        motion, numbers = motion.pick(kept), numbers[kept]
    if span is None:
        keys.write(armature, motion, numbers)
    else:
        keys.replace(armature, motion, numbers, span)

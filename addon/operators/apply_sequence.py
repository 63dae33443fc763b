"""Key the fits of a sequence: the one undo step of it."""

from pathlib import Path

import bpy

from kinflow.records import FITTED, FitResult

from .. import session
from ..scene import camera, choice, hand_posed, keypoints, photos, soles
from .apply_fit import new_body, show_result, viewpoints_of
from .key_pose import key_bones


class KINFLOW_OT_apply_sequence(bpy.types.Operator):
    """Key the fits of a sequence on a new body"""

    bl_idname = "kinflow.apply_sequence"
    bl_label = "Apply Sequence"
    bl_options = {"UNDO", "INTERNAL"}

    source: bpy.props.StringProperty(subtype="FILE_PATH", options={"HIDDEN", "SKIP_SAVE"})
    motion: bpy.props.BoolProperty(options={"HIDDEN", "SKIP_SAVE"})
    step: bpy.props.IntProperty(default=1, min=1)

    def execute(self, context: bpy.types.Context) -> set[str]:
        results, state, scene = session.sequence, context.scene.kinflow, context.scene
        good = [(i, r) for i, r in enumerate(results) if r is not None and r.status in FITTED]
        if not good:
            state.message = "Nobody was found in these photos."
            self.report({"ERROR"}, state.message)
            return {"CANCELLED"}
        path = Path(self.source)
        others = [p.name for p in photos.all_photos(scene) if p.kinflow.path == self.source]
        photo = photos.open_photo(scene, path)
        first = scene.frame_current
        frames = {first + index * self.step: result for index, result in good}
        armature = _key(context, photo, frames, self.motion)
        scene.frame_start, scene.frame_end = min(frames), max(frames)
        choice.select_only(context, armature)
        scene.frame_set(min(frames))
        what = "frame" if self.motion else "pose"
        state.message = f"{len(good)} {what}{'s'[: len(good) != 1]} keyed on a new body"
        if others:
            state.message += f", beside {others[0]}"
        if missing := len(results) - len(good):
            state.message += f"; nobody was found in {missing}"
        return {"FINISHED"}


def _key(
    context: bpy.types.Context,
    photo: bpy.types.Collection,
    frames: dict[int, FitResult],
    motion: bool,
) -> bpy.types.Object:
    """A new body with a pose a frame, on the floor. -> its armature."""
    results = list(frames.values())
    # a photo each: the camera may be held differently in every one
    views = [view.moved(photo.kinflow.place) for view in viewpoints_of(results)]
    camera.match_camera(context.scene, photo, results[0].camera, views[0])
    armature = new_body(photo, keypoints.add_person(photo), results[0], views[0])
    heights = []
    for result, view in zip(results, views, strict=True):
        show_result(armature, result, view)
        heights.append(soles.height(armature))
    lowest = min(heights)
    for (frame, result), view, height in zip(frames.items(), views, heights, strict=True):
        show_result(armature, result, view)
        # a motion keeps its jumps; of single photos each stands
        soles.lift(armature, -lowest if motion else -height)
        key_bones(armature, frame)
    hand_posed.note(armature)
    return armature

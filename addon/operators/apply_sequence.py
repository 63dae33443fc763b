"""Key the fits of a sequence: the one undo step of it."""

import bpy

from kinflow.records import FITTED

from .. import preferences, session
from ..scene import body, camera
from .apply_fit import show_result, stand_below, viewpoints_of
from .key_pose import key_bones


class KINFLOW_OT_apply_sequence(bpy.types.Operator):
    """Key the fits of a sequence"""

    bl_idname = "kinflow.apply_sequence"
    bl_label = "Apply Sequence"
    bl_options = {"UNDO", "INTERNAL"}

    step: bpy.props.IntProperty(default=1, min=1)

    def execute(self, context: bpy.types.Context) -> set[str]:
        results, state = session.sequence, context.scene.kinflow
        good = [(i, r) for i, r in enumerate(results) if r is not None and r.status in FITTED]
        if not good:
            state.message = "Nobody was found in these photos."
            self.report({"ERROR"}, state.message)
            return {"CANCELLED"}
        # a photo each: the camera may be held differently in every one
        views = viewpoints_of([r for _, r in good])
        camera.match_camera(context, good[0][1].camera, None, views[0])
        armature = body.create_body(context, "Sequence", preferences.get("prior"))
        stand_below(armature, good[0][1], views[0])
        first = context.scene.frame_current
        for (index, result), view in zip(good, views, strict=True):
            show_result(armature, result, view)
            key_bones(armature, first + index * self.step)
        context.scene.frame_end = max(context.scene.frame_end, first + good[-1][0] * self.step)
        context.view_layer.objects.active = armature
        state.message = f"{len(good)} photos keyed"
        if missing := len(results) - len(good):
            state.message += f"; nobody was found in {missing}"
        return {"FINISHED"}

"""Several photos to keyframes; a pose as an asset."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy_extras.io_utils import ImportHelper

from kinflow.batch.sources import PHOTO_SUFFIXES, VIDEO_SUFFIXES
from kinflow.client import Job
from kinflow.errors import KinflowError

from .. import preferences, session
from ..scene import body, camera
from .apply_fit import show_result
from .common import BodyOperator, EngineJob, active_body
from .key_pose import key_bones

SUFFIXES = PHOTO_SUFFIXES | VIDEO_SUFFIXES


class KINFLOW_OT_fit_sequence(EngineJob, bpy.types.Operator, ImportHelper):
    """Fit one person through several photos, or through a video, and key a body, a photo a frame"""

    bl_idname = "kinflow.fit_sequence"
    bl_label = "Photos to Keyframes"
    bl_options = {"REGISTER"}

    files: bpy.props.CollectionProperty(
        type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"}
    )
    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})
    filter_image: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    filter_movie: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    step: bpy.props.IntProperty(
        name="Frames a Photo", description="Frames from one photo to the next", default=1, min=1
    )
    smooth: bpy.props.BoolProperty(
        name="One Motion",
        description="The photos are frames of one clip: track the person and fit all frames together",
        default=True,
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if not self.files:
            context.window_manager.fileselect_add(self)
            return {"RUNNING_MODAL"}
        return EngineJob.invoke(self, context, event)

    def send(self, context: bpy.types.Context) -> Job:
        folder = Path(bpy.path.abspath(self.directory))
        paths = sorted(
            folder / f.name
            for f in self.files
            if f.name and Path(f.name).suffix.lower() in SUFFIXES
        )
        if not paths:
            raise KinflowError("No photo was chosen.", "Choose several photos of one person.")
        self._count = len(paths)
        return session.engine().submit(
            "fit_sequence",
            photos=[str(p) for p in paths],
            prior=preferences.get("prior"),
            device=preferences.get("device"),
            losses=["ka", "ba"] if context.scene.kinflow.use_parts else ["ka"],
            smooth=self.smooth,
        )

    def finish(self, context: bpy.types.Context, value: list) -> set[str]:
        session.sequence = value
        return bpy.ops.kinflow.apply_sequence("EXEC_DEFAULT", True, step=self.step)


class KINFLOW_OT_apply_sequence(bpy.types.Operator):
    """Key the fits of a sequence"""

    bl_idname = "kinflow.apply_sequence"
    bl_label = "Apply Sequence"
    bl_options = {"UNDO", "INTERNAL"}

    step: bpy.props.IntProperty(default=1, min=1)

    def execute(self, context: bpy.types.Context) -> set[str]:
        results = session.sequence
        good = [
            (i, r)
            for i, r in enumerate(results)
            if r is not None and r.status in ("converged", "max_iterations")
        ]
        state = context.scene.kinflow
        if not good:
            state.message = "Nobody was found in these photos."
            self.report({"ERROR"}, state.message)
            return {"CANCELLED"}
        height = max(float(result.vertices[:, 1].max()) for _, result in good)
        match = camera.match_camera(context, good[0][1].camera, None, height)
        armature = body.create_body(context, "Sequence", preferences.get("prior"))
        first = context.scene.frame_current
        for index, result in good:
            show_result(armature, result, float(match.matrix_world.translation.z))
            key_bones(armature, first + index * self.step)
        context.scene.frame_end = max(context.scene.frame_end, first + good[-1][0] * self.step)
        context.view_layer.objects.active = armature
        missing = len(results) - len(good)
        state.message = f"{len(good)} photos keyed" + (
            f"; nobody was found in {missing}" if missing else ""
        )
        return {"FINISHED"}


class KINFLOW_OT_pose_asset(BodyOperator, bpy.types.Operator):
    """Key the pose into an action of its own and mark it as a pose asset"""

    bl_idname = "kinflow.pose_asset"
    bl_label = "Mark as Pose Asset"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        armature = active_body(context)
        data = armature.animation_data_create()
        before = data.action
        action = bpy.data.actions.new(f"{armature.name} Pose")
        data.action = action
        key_bones(armature, 1)
        data.action = before
        action.use_fake_user = True
        action.asset_mark()
        action.asset_data.description = "Fitted or sampled with kinflow"
        self.report({"INFO"}, f"{action.name} is in the asset browser")
        return {"FINISHED"}

"""Put results of the engine into the scene: the one undo step of a fit."""

from __future__ import annotations

import json

import bpy
import numpy as np

from kinflow.records import FitResult, Hypothesis

from .. import preferences, session
from ..scene import body, camera, pose


class KINFLOW_OT_apply_fit(bpy.types.Operator):
    """Build or update the bodies of a finished fit"""

    bl_idname = "kinflow.apply_fit"
    bl_label = "Apply Fit"
    bl_options = {"UNDO", "INTERNAL"}

    uids: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        state = context.scene.kinflow
        pairs = [
            (uid, session.results[uid]) for uid in self.uids.split(",") if uid in session.results
        ]
        good = [(uid, r) for uid, r in pairs if r.status in ("converged", "max_iterations")]
        bad = [r for _, r in pairs if r.status not in ("converged", "max_iterations")]
        if not good:
            state.message = bad[0].message if bad else "There is nothing to apply."
            self.report({"ERROR"}, state.message)
            return {"CANCELLED"}
        # feet on the ground: y points down in the camera's frame
        height = max(float(result.vertices[:, 1].max()) for _, result in good)
        match = camera.match_camera(
            context, good[0][1].camera, bpy.path.abspath(state.photo_path) or None, height
        )
        for uid, result in good:
            armature = next((b for b in body.find_bodies() if b.kinflow.person_uid == uid), None)
            if armature is None:
                person = next((p.name for p in state.people if p.uid == uid), "Body")
                armature = body.create_body(context, person, preferences.get("prior"))
                armature.kinflow.person_uid = uid
            show_result(armature, result, float(match.matrix_world.translation.z))
        for obj in context.selected_objects:
            obj.select_set(False)
        armature.select_set(True)
        context.view_layer.objects.active = armature
        mean = float(np.mean([r.keypoint_error_px for _, r in good]))
        state.message = f"{len(good)} fitted, {mean:.1f} px" + (
            f"; {len(bad)} not: {bad[0].message}" if bad else ""
        )
        return {"FINISHED"}


def show_result(armature: bpy.types.Object, result: FitResult, camera_height: float) -> None:
    """Poses a body as a result says and keeps its hypotheses."""
    state = armature.kinflow
    state.prior = result.prior or state.prior
    apply_hypothesis(armature, result, camera_height)
    state.error_px, state.status = result.keypoint_error_px, result.status
    state.hypotheses.clear()
    state.active_hypothesis = 0
    for hypothesis in result.hypotheses:
        entry = state.hypotheses.add()
        entry.energy, entry.error_px = hypothesis.energy, hypothesis.keypoint_error_px
        entry.data = json.dumps(
            {
                n: np.asarray(getattr(hypothesis, n), float).tolist()
                for n in ("global_orient", "body_pose", "betas", "transl", "z")
            }
        )


def apply_hypothesis(
    armature: bpy.types.Object, source: FitResult | Hypothesis, camera_height: float
) -> None:
    pose.apply_parameters(
        armature,
        global_orient=source.global_orient,
        body_pose=source.body_pose,
        betas=source.betas,
        transl=source.transl,
        z=source.z,
        camera_height=camera_height,
    )

"""Put results of the engine into the scene: the one undo step of a fit."""

import bpy
import numpy as np

from kinflow.records import FITTED, FitResult

from .. import preferences, session
from ..scene import body, camera
from ..scene.latent import prior_of
from ..scene.parameters import Parameters, apply_parameters
from .common import select_only


class KINFLOW_OT_apply_fit(bpy.types.Operator):
    """Build or update the bodies of a finished fit"""

    bl_idname = "kinflow.apply_fit"
    bl_label = "Apply Fit"
    bl_options = {"UNDO", "INTERNAL"}

    uids: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        state, known = context.scene.kinflow, session.results
        pairs = [(uid, known[uid]) for uid in self.uids.split(",") if uid in known]
        good = [(uid, r) for uid, r in pairs if r.status in FITTED]
        bad = [r for _, r in pairs if r.status not in FITTED]
        if not good:
            state.message = bad[0].message if bad else "There is nothing to apply."
            self.report({"ERROR"}, state.message)
            return {"CANCELLED"}
        photo = bpy.path.abspath(state.photo_path) or None
        height = put_camera(context, [r for _, r in good], photo)
        for uid, result in good:
            armature = body_of_person(uid) or new_body(context, uid)
            show_result(armature, result, height)
        select_only(context, armature)
        mean = float(np.mean([r.keypoint_error_px for _, r in good]))
        state.message = f"{len(good)} fitted, {mean:.1f} px"
        prior = prior_of(armature)
        rarities = [prior.unusual(r.body_pose[None]).text() for _, r in good]
        if rare := [text for text in rarities if text != "usual"]:
            state.message += (
                f"; {len(rare)} unusual ({rare[0]})" if len(good) > 1 else f"; {rare[0]}"
            )
        if bad:
            state.message += f"; {len(bad)} not: {bad[0].message}"
        return {"FINISHED"}


def put_camera(context: bpy.types.Context, results: list[FitResult], photo: str | None) -> float:
    """The photo's camera, so high that the lowest foot is on the ground. -> its height, m."""
    # y points down in the camera's frame
    height = max(float(result.vertices[:, 1].max()) for result in results)
    camera.match_camera(context, results[0].camera, photo, height)
    return height


def body_of_person(uid: str) -> bpy.types.Object | None:
    """The body that a person of the photo was fitted to, by the person's uid."""
    return next((b for b in body.find_bodies() if b.kinflow.person_uid == uid), None)


def new_body(context: bpy.types.Context, uid: str) -> bpy.types.Object:
    """A body for a person of the photo."""
    people = context.scene.kinflow.people
    name = next((p.name for p in people if p.uid == uid), "Body")
    armature = body.create_body(context, name, preferences.get("prior"))
    armature.kinflow.person_uid = uid
    return armature


def show_result(armature: bpy.types.Object, result: FitResult, camera_height: float) -> None:
    """Poses a body as a result says and keeps its hypotheses."""
    state = armature.kinflow
    apply_parameters(armature, Parameters.of(result, result.prior), camera_height)
    state.error_px, state.status = result.keypoint_error_px, result.status
    state.hypotheses.clear()
    state.active_hypothesis = 0
    for hypothesis in result.hypotheses:
        entry = state.hypotheses.add()
        entry.energy, entry.error_px = hypothesis.energy, hypothesis.keypoint_error_px
        entry.data = Parameters.of(hypothesis, result.prior).to_json()

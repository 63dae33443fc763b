"""Put results of the engine into the scene: the one undo step of a fit."""

import bpy
import numpy as np

from kinflow.records import FITTED, FitResult

from .. import preferences, session
from ..scene import body, camera
from ..scene.frames import Viewpoint
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
        view = camera.viewpoint()
        # the others of the photo stand as the camera that is there saw them
        if not others_are_fitted(context, [uid for uid, _ in good]):
            view = viewpoints_of([r for _, r in good])[0]
            camera.match_camera(context, good[0][1].camera, photo, view)
        for uid, result in good:
            armature = body_of_person(uid) or new_body(context, uid, result, view)
            show_result(armature, result, view)
        select_only(context, armature)
        mean = float(np.mean([r.keypoint_error_px for _, r in good]))
        state.message = f"{len(good)} fitted, {mean:.1f} px"
        prior = prior_of(armature)
        rarities = [prior.unusual(r.body_pose[None]).text() for _, r in good]
        if rare := [text for text in rarities if text != "usual"]:
            state.message += (
                f"; {len(rare)} unusual ({rare[0]})" if len(good) > 1 else f"; {rare[0]}"
            )
        if good[0][1].camera_assumed:
            state.message += "; camera taken as level"
        if bad:
            state.message += f"; {len(bad)} not: {bad[0].message}"
        return {"FINISHED"}


def viewpoints_of(results: list[FitResult]) -> list[Viewpoint]:
    """Where the camera of each result is: over its floor. Where no floor was found the lowest point
    of all such bodies is on the ground, and who is higher stays in the air.
    """
    floorless = [r for r in results if r.floor is None]
    lowest = max((float((r.vertices @ r.gravity).max()) for r in floorless), default=0.0)
    heights = [lowest if r.floor is None else r.floor for r in results]
    return [Viewpoint.above_floor(r.gravity, h) for r, h in zip(results, heights, strict=True)]


def others_are_fitted(context: bpy.types.Context, uids: list[str]) -> bool:
    """Whether the photo's camera and somebody else's body are there already."""
    others = [p.uid for p in context.scene.kinflow.people if p.uid not in uids]
    return camera.find_camera() is not None and any(body_of_person(uid) for uid in others)


def body_of_person(uid: str) -> bpy.types.Object | None:
    """The body that a person of the photo was fitted to, by the person's uid."""
    return next((b for b in body.find_bodies() if b.kinflow.person_uid == uid), None)


def new_body(
    context: bpy.types.Context, uid: str, result: FitResult, view: Viewpoint
) -> bpy.types.Object:
    """A body for a person of the photo, its origin on the ground below where the fit has it."""
    people = context.scene.kinflow.people
    name = next((p.name for p in people if p.uid == uid), "Body")
    armature = body.create_body(context, name, preferences.get("prior"))
    armature.kinflow.person_uid = uid
    stand_below(armature, result, view)
    return armature


def stand_below(armature: bpy.types.Object, result: FitResult, view: Viewpoint) -> None:
    """Puts a rig's origin on the ground below the pelvis of a fit: there its rest pose stands."""
    x, y, _ = view.points(result.joints[0])
    armature.location = (x, y, 0)


def show_result(armature: bpy.types.Object, result: FitResult, view: Viewpoint) -> None:
    """Poses a body as a result says and keeps its hypotheses."""
    state = armature.kinflow
    apply_parameters(armature, Parameters.of(result, result.prior), view)
    state.error_px, state.status = result.keypoint_error_px, result.status
    state.hypotheses.clear()
    state.active_hypothesis = 0
    for hypothesis in result.hypotheses:
        entry = state.hypotheses.add()
        entry.energy, entry.error_px = hypothesis.energy, hypothesis.keypoint_error_px
        entry.data = Parameters.of(hypothesis, result.prior).to_json()

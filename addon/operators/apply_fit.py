"""Put results of the engine into the scene: the one undo step of a fit."""

import bpy

from kinflow.priors.arrays import PriorArrays
from kinflow.records import FITTED, FitResult

from .. import preferences, session
from ..scene import body, camera, choice, hand_posed, photos
from ..scene.frames import Viewpoint
from ..scene.latent import prior_of
from ..scene.parameters import Parameters, apply_parameters


class KINFLOW_OT_apply_fit(bpy.types.Operator):
    """Build or update the bodies of a finished fit"""

    bl_idname = "kinflow.apply_fit"
    bl_label = "Apply Fit"
    bl_options = {"UNDO", "INTERNAL"}

    keys: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        state, people = context.scene.kinflow, photos.people_by_key(context.scene)
        keys = [key for key in self.keys.split(",") if key in people and key in session.results]
        good = {key: r for key in keys if (r := session.results[key]).status in FITTED}
        bad = [session.results[key] for key in keys if key not in good]
        if not good:
            state.message = bad[0].message if bad else "There is nothing to apply."
            self.report({"ERROR"}, state.message)
            return {"CANCELLED"}
        photo = people[keys[0]][0]
        fitted = [people[key][1] for key in good]
        view = camera.viewpoint(photo)
        # the others of the photo stand as the camera that is there saw them
        if not others_are_fitted(photo, fitted):
            view = viewpoints_of(list(good.values()))[0].moved(photo.kinflow.place)
            camera.match_camera(context.scene, photo, next(iter(good.values())).camera, view)
        for person, result in zip(fitted, good.values(), strict=True):
            armature = photos.body_of_person(person) or new_body(photo, person, result, view)
            show_result(armature, result, view)
        bodies = [photos.body_of_person(person) for person in fitted]
        if body.body_of(context.active_object) not in bodies:
            choice.select_only(context, bodies[0])
        state.message = _message(list(good.values()), bad, prior_of(bodies[0]))
        return {"FINISHED"}


def _message(good: list[FitResult], bad: list[FitResult], prior: PriorArrays) -> str:
    """What a fit brought, for the panel."""
    count = len(good)
    parts = [f"{count} bodies fitted" if count > 1 else "Fitted"]
    rarities = [prior.unusual(result.body_pose[None]).text() for result in good]
    if rare := [text for text in rarities if text != "usual"]:
        parts.append(f"{len(rare)} unusual ({rare[0]})" if count > 1 else f"the pose: {rare[0]}")
    if good[0].camera_assumed:
        parts.append("the camera is taken as level")
    if bad:
        parts.append(f"{len(bad)} not: {bad[0].message}")
    return "; ".join(parts)


def viewpoints_of(results: list[FitResult]) -> list[Viewpoint]:
    """Where the camera of each result is: over its floor. Where no floor was found the lowest point
    of all such bodies is on the ground, and who is higher stays in the air.
    """
    floorless = [r for r in results if r.floor is None]
    lowest = max((float((r.vertices @ r.gravity).max()) for r in floorless), default=0.0)
    heights = [lowest if r.floor is None else r.floor for r in results]
    return [Viewpoint.above_floor(r.gravity, h) for r, h in zip(results, heights, strict=True)]


def others_are_fitted(photo: bpy.types.Collection, people: list[bpy.types.PropertyGroup]) -> bool:
    """Whether a photo's camera and the body of somebody else in it are there already."""
    others = [person for person in photo.kinflow.people if person not in people]
    return camera.camera_of(photo) is not None and any(map(photos.body_of_person, others))


def new_body(
    photo: bpy.types.Collection,
    person: bpy.types.PropertyGroup,
    result: FitResult,
    view: Viewpoint,
) -> bpy.types.Object:
    """A body for a person of a photo, its origin on the ground below where the fit has it."""
    armature = body.create_body(photo, person.name, preferences.get("prior"))
    person.body, armature.kinflow.photo = armature, photo
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
    hand_posed.note(armature)

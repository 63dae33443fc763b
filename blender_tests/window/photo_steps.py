"""From a photo to a body, and what one does with both."""

from __future__ import annotations

from .places import accept, browse, over_view, show_panels
from .steps import SLOW, Trip, steps

_LATENT = "list(chosen().body.kinflow.latent_0)"
_APART = "math.dist(handle('right_wrist'), keypoint('right_wrist'))"  # px


def open_photo(trip: Trip) -> None:
    """*Open Photo*; the folder and the name are typed in the file browser."""
    window = trip.window
    show_panels(window, "Photo", "Fit", "Pose")
    window.press("kinflow.import_photo")
    browse(window, trip.photo)


def photo_opened(trip: Trip) -> None:
    accept(trip.window)
    trip.window.wait_until("bool(chosen().photo)", SLOW)


def find_people(trip: Trip) -> None:
    trip.window.press("kinflow.detect")
    trip.window.wait_until("idle() and len(chosen().photo.kinflow.people) > 0", SLOW)


def fit(trip: Trip) -> None:
    """One sees the fit: through the photo's camera, with the body selected."""
    window = trip.window
    window.press("kinflow.fit")
    window.wait_until("idle() and chosen().person.body is not None", SLOW)
    window.rest()
    trip.check("C.space_data.region_3d.view_perspective == 'CAMERA'", "The view is not the photo's")
    trip.check("C.view_layer.objects.active == chosen().body", "The body is not selected")
    over_view(window)


def solidity(trip: Trip) -> None:
    """The slider to the right: more of the body, less of the photo."""
    before = trip.window.ask("C.space_data.shading.xray_alpha")
    trip.window.drag(trip.window.find("xray_alpha"), (70, 0))
    trip.check(f"C.space_data.shading.xray_alpha > {before} + 0.1", "The body is as it was")


def from_the_side(trip: Trip) -> None:
    trip.window.press("kinflow.look_from_side")
    trip.check("C.space_data.region_3d.view_perspective == 'PERSP'", "The view is the photo's yet")


def through_the_photo(trip: Trip) -> None:
    trip.window.press("kinflow.look_through")
    trip.check("C.space_data.region_3d.view_perspective == 'CAMERA'", "The view is not the photo's")


def keypoint_named(trip: Trip) -> None:
    """The pointer rests on it."""
    trip.window.point(trip.window.ask("keypoint('left_wrist')"))
    trip.window.wait_until("K('ui.keypoint_gizmo').KINFLOW_GT_keypoints.part >= 0", SLOW)


def keypoint_dragged(trip: Trip) -> None:
    trip.window.drag(trip.window.ask("keypoint('left_wrist')"), (-60, -40))
    trip.window.wait_until("'moved' in C.scene.kinflow.message", SLOW)
    trip.check("true_sliders()", "The sliders say another pose")
    over_view(trip.window)  # away from the tooltip


def limb_switched(trip: Trip) -> None:
    """The panel of keypoints; the left arm off: refitted at once."""
    window = trip.window
    show_panels(window, "Photo", "Keypoints", "Fit")
    window.press("kinflow.toggle_limb(limb='left_arm'", across=0.25)
    window.wait_until("idle() and 'Left Arm off' in C.scene.kinflow.message", SLOW)


def refit(trip: Trip) -> None:
    """*Refit*, from the pose that *Mean Pose* left: the body is over the photo again."""
    window = trip.window
    show_panels(window, "Keypoints", "Pose")
    window.press("kinflow.reset_pose(pose='MEAN'", across=0.15)
    window.wait_until(f"max(map(abs, {_LATENT})) < 1e-3", SLOW)
    trip.check(f"{_APART} > 40", "The mean pose is where the photo has the hand")
    window.press("kinflow.refit")
    window.wait_until(f"idle() and max(map(abs, {_LATENT})) > 0.1", SLOW)
    trip.check(f"{_APART} < 25", "The hand is not over the photo's")
    over_view(window)


def pull_tool(trip: Trip) -> None:
    """*Pull*, seen from the side."""
    window = trip.window
    show_panels(window, "Fit", "Pose")
    window.press("kinflow.look_from_side")
    window.press("wm.tool_set_by_id(name=")
    window.wait_until("K('ui.pull_gizmos').is_on(C)", SLOW)


def hand_pulled(trip: Trip) -> None:
    window = trip.window
    before = window.ask(_LATENT)
    window.drag(window.ask("handle('right_wrist')"), (40, -90), 24)
    trip.check(f"{_LATENT} != {before}", "The body did not follow")
    trip.check("true_sliders()", "The sliders say another pose")
    over_view(window)


def pull_undone(trip: Trip) -> None:
    """Ctrl+Z over the viewport takes the pull back, sliders and bones together."""
    window = trip.window
    before = window.ask(_LATENT)
    over_view(window)
    window.key("ctrl+z")
    window.wait_until(f"{_LATENT} != {before}", SLOW)
    trip.check("true_sliders()", "The sliders say another pose")


def pull_redone(trip: Trip) -> None:
    """Ctrl+Shift+Z; then W, for the tool that selects."""
    window = trip.window
    before = window.ask(_LATENT)
    window.key("ctrl+shift+z")
    window.wait_until(f"{_LATENT} != {before}", SLOW)
    trip.check("true_sliders()", "The sliders say another pose")
    over_view(window)
    window.key("w")
    window.wait_until("not K('ui.pull_gizmos').is_on(C)", SLOW)


OPEN_STEPS = steps((open_photo, photo_opened), need_engine=False)
PHOTO_STEPS = steps(
    (
        find_people,
        fit,
        solidity,
        from_the_side,
        through_the_photo,
        keypoint_named,
        keypoint_dragged,
        limb_switched,
        refit,
        pull_tool,
        hand_pulled,
        pull_undone,
        pull_redone,
    ),
    need_engine=True,
)

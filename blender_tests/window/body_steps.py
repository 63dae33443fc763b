"""A body and its pose: the steps that need no engine."""

from __future__ import annotations

from .places import open_tab, over_view, show_panels
from .steps import BODY, SLOW, Trip, steps

FIRST = f"list({BODY}.kinflow.latent_0)"


def empty_scene(trip: Trip) -> None:
    """A, X, Enter."""
    over_view(trip.window)
    trip.window.key("a", "x", "Return")
    trip.window.wait_until("not D.objects", SLOW)


def sidebar_tab(trip: Trip) -> None:
    """N, and a click on the tab."""
    open_tab(trip.window)
    trip.window.find("kinflow.import_photo", across=0.85)


def add_menu(trip: Trip) -> None:
    """Shift+A, Armature; what is in the picture is the open menu."""
    window = trip.window
    x, y, width, height = window.ask("box()")
    window.point((x + width // 3, y + height // 4))
    window.key("shift+a")
    row = window.open_submenu("VIEW3D_MT_armature_add", (x + width // 3, y + height // 4))
    window.point(window.entry("kinflow.add_body", row))


def body_added(trip: Trip) -> None:
    """The row under the pointer is clicked; Numpad . shows the body, *Pose* its sliders."""
    window = trip.window
    window.screen.button(True)
    window.rest()
    window.screen.button(False)
    window.wait_until("any(o.type == 'ARMATURE' for o in D.objects)", SLOW)
    trip.check(f"C.view_layer.objects.active == {BODY}", "The new body is not the active object")
    far = window.ask("C.region_data.view_distance")
    over_view(window)
    window.key("KP_Decimal")
    window.wait_until(f"C.region_data.view_distance < {far}", SLOW)
    show_panels(window, "Pose")


def pose_slider(trip: Trip) -> None:
    """Drags the first slider of the prior to the right."""
    trip.window.drag(trip.window.find("latent_0[0]"), (60, 0))
    trip.check(f"{BODY}.kinflow.latent_0[0] > 0.3", "The slider did not follow the mouse")


def slider_undone(trip: Trip) -> None:
    """Ctrl+Z: slider and bones together."""
    over_view(trip.window)
    trip.window.key("ctrl+z")
    trip.window.wait_until(f"abs({BODY}.kinflow.latent_0[0]) < 0.01", SLOW)
    trip.check(f"true_sliders({BODY})", "The sliders say another pose")


def slider_redone(trip: Trip) -> None:
    """Ctrl+Shift+Z."""
    trip.window.key("ctrl+shift+z")
    trip.window.wait_until(f"{BODY}.kinflow.latent_0[0] > 0.3", SLOW)
    trip.check(f"true_sliders({BODY})", "The sliders say another pose")


def t_pose(trip: Trip) -> None:
    """By its button; the wrists are as high as the shoulders."""
    _stand(trip, "T")
    bones = f"[{BODY}.pose.bones[n].head.z for n in ('left_wrist', 'left_shoulder')]"
    wrist, shoulder = trip.window.ask(bones)
    trip.check(f"abs({wrist} - {shoulder}) < 0.08", "The arms are not level")


def a_pose(trip: Trip) -> None:
    _stand(trip, "A")


def mean_pose(trip: Trip) -> None:
    """Zero of all sliders."""
    _stand(trip, "MEAN")
    trip.check(f"max(map(abs, {FIRST})) < 1e-3", "The sliders are not at zero")


def _stand(trip: Trip, pose: str) -> None:
    before = trip.window.ask(FIRST)
    trip.window.press(f"kinflow.reset_pose(pose='{pose}'", across=_ACROSS[pose])
    trip.window.wait_until(f"{FIRST} != {before}", SLOW)
    trip.check(f"abs(lowest({BODY})) < 0.01", "The body does not stand on the floor")
    trip.check(f"true_sliders({BODY})", "The sliders say another pose")


_ACROSS = {"MEAN": 0.15, "T": 0.45, "A": 0.75}


def pie_menu(trip: Trip) -> None:
    """Shift+Alt+K, which the preferences switched on."""
    trip.window.point(trip.window.view_middle())
    trip.window.key("shift+alt+k")


def pie_sample(trip: Trip) -> None:
    """Up and to the right in the open pie: Sample."""
    window = trip.window
    before = window.ask(FIRST)
    x, y = window.view_middle()
    window.click((x + 110, y - 60))
    window.wait_until(f"{FIRST} != {before}", SLOW)


def pose_keyed(trip: Trip) -> None:
    """*Key Pose* at the first frame, Shift+Right to the last, another pose, *Key Pose* again."""
    window = trip.window
    show_panels(window, "Animation and Export")
    window.press("kinflow.key_pose")
    over_view(window)
    window.key("shift+Right")
    window.wait_until("C.scene.frame_current == C.scene.frame_end", SLOW)
    show_panels(window, "Pose")
    _stand(trip, "A")
    show_panels(window, "Animation and Export")
    window.press("kinflow.key_pose")
    trip.check(f"{BODY}.animation_data.action is not None", "Nothing was keyed")


def frames_stepped(trip: Trip) -> None:
    """Left, and the sliders go with the frame; Shift+Left, and the first pose is back."""
    window = trip.window
    last = window.ask(FIRST)
    show_panels(window, "Pose")
    over_view(window)
    window.key(*["Left"] * 20)
    window.wait_until(f"{FIRST} != {last} and true_sliders({BODY})", SLOW)
    between = window.ask(FIRST)
    window.key("shift+Left")
    window.wait_until("C.scene.frame_current == C.scene.frame_start", SLOW)
    trip.check(f"{FIRST} not in ({last}, {between})", "The sliders did not follow the frames")
    trip.check(f"true_sliders({BODY})", "The sliders say another pose")


WINDOW_STEPS = steps((empty_scene, sidebar_tab), need_engine=False)
BODY_STEPS = steps(
    (
        add_menu,
        body_added,
        pose_slider,
        slider_undone,
        slider_redone,
        t_pose,
        a_pose,
        mean_pose,
        pie_menu,
        pie_sample,
        pose_keyed,
        frames_stepped,
    ),
    need_engine=False,
)

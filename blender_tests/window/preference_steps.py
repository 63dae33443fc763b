"""The add-on's preferences, self-test and pose library; the asset browser that shows the poses."""

from __future__ import annotations

from .places import change_editor, close_window, drag_border, over_view, show_panels
from .screen import WindowError
from .steps import BODY, SLOW, Trip, steps

_HERE = {"region": "WINDOW", "kind": "PREFERENCES"}
_BONE = f"list({BODY}.pose.bones['left_elbow'].rotation_quaternion)"
_ASSETS = "areas('FILE_BROWSER')[0].spaces.active.params"
UP = 420  # px: the asset browser is made this much higher


def preferences(trip: Trip) -> None:
    """By the button of the Photo panel where the engine is missing, else of the Engine panel."""
    window = trip.window
    if trip.has_engine:
        show_panels(window, "Engine")
    window.press("kinflow.open_preferences")
    window.wait_until("bool(areas('PREFERENCES'))", SLOW)
    window.find_soon("engine_python", **_HERE, across=0.6)


def preferences_lower(trip: Trip) -> None:
    """By the wheel, to the end."""
    window = trip.window
    x, y, width, height = window.ask("box('WINDOW', 'PREFERENCES')")
    window.point((x + width // 2, y + height // 2))
    window.screen.wheel(30)
    window.rest()
    window.find_soon("kinflow.pose_library", **_HERE, across=0.5)


def pose_library_added(trip: Trip) -> None:
    window = trip.window
    window.press("kinflow.pose_library", **_HERE, across=0.5)
    window.wait_until("K('pose_library').listed() is not None", SLOW)


def shortcut_on(trip: Trip) -> None:
    """The pie menu's checkbox, the first below the button of the pose library."""
    x, y = trip.window.find("kinflow.pose_library", **_HERE, across=0.2)
    trip.window.click((x, y + 60))
    trip.check("K('keymap').users_items()[0][1].active", "The shortcut is still off")


def self_test_in_preferences(trip: Trip) -> None:
    """It says in a sentence what works, or what to do."""
    window = trip.window
    window.press("kinflow.self_test", **_HERE, across=0.5)
    _self_tested(trip)


def preferences_closed(trip: Trip) -> None:
    close_window(trip.window, "PREFERENCES")


def self_test_in_the_panel(trip: Trip) -> None:
    window = trip.window
    show_panels(window, "Engine")
    window.press("kinflow.self_test")
    _self_tested(trip)


def _self_tested(trip: Trip) -> None:
    trip.window.wait_until("idle() and bool(K('engine.self_test').said)", SLOW)
    words = "All works" if trip.has_engine else "There is no engine yet"
    trip.check(f"K('engine.self_test').said.startswith({words!r})", "It says something else")
    if not trip.has_engine:
        trip.window.key("Escape")  # the report that popped up


def asset_browser(trip: Trip) -> None:
    """Pose mode by Ctrl+Tab; the timeline's border dragged up, its editor changed by its menu."""
    window = trip.window
    over_view(window)
    window.key("ctrl+Tab")
    window.wait_until("C.mode == 'POSE'", SLOW)
    drag_border(window, "VIEW_3D", -UP)
    change_editor(window, "DOPESHEET_EDITOR", "a", "ASSETS")
    window.wait_until(f"{_ASSETS} is not None", SLOW)


def library_chosen(trip: Trip) -> None:
    """The menu on the left of the asset browser: its rows are tried from the top."""
    window = trip.window
    x, y, _, _ = window.ask("box('TOOLS', 'FILE_BROWSER')")
    wanted = f"{_ASSETS}.asset_library_reference == 'kinflow Poses'"
    for row in range(1, 8):
        window.click((x + 60, y + 18))
        window.key(*["Up"] * 8, *["Down"] * row, "Return")
        if window.ask(wanted):
            return
    raise WindowError("The asset browser's menu has no kinflow Poses")


def pose_applied(trip: Trip) -> None:
    """A double click on the fourth pose; which that is differs between versions."""
    window = trip.window
    before = window.ask(_BONE)
    x, y, _, _ = window.ask("box('WINDOW', 'FILE_BROWSER')")
    window.point((x + 410, y + 60))
    window.screen.double_click()
    window.rest()
    window.wait_until(f"{_BONE} != {before}", SLOW)
    over_view(window)
    window.key("Home")


def timeline_back(trip: Trip) -> None:
    """The editor's menu again, the border down, object mode by Ctrl+Tab."""
    window = trip.window
    change_editor(window, "FILE_BROWSER", "l", "TIMELINE")
    drag_border(window, "VIEW_3D", UP)
    over_view(window)
    window.key("ctrl+Tab")
    window.wait_until("C.mode == 'OBJECT'", SLOW)
    trip.check("true_sliders()", "The sliders have not read the applied pose")


PREFERENCE_STEPS = steps(
    (
        preferences,
        preferences_lower,
        pose_library_added,
        shortcut_on,
        self_test_in_preferences,
        preferences_closed,
        self_test_in_the_panel,
    ),
    need_engine=False,
)
LIBRARY_STEPS = steps(
    (asset_browser, library_chosen, pose_applied, timeline_back), need_engine=False
)

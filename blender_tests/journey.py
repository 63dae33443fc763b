"""The whole way of a new user through a real window, with mouse and keys: a strip of pictures.

    KINFLOW_BLENDER=blender python3 blender_tests/journey.py --out DIR [--zip ZIP] [--photo PHOTO]
        [--python ENGINE_PYTHON] [--steps NAME...]

Blender, its user folder made new below DIR, is started on a virtual screen (Xvfb, xdotool and
ImageMagick have to be there). Without --zip the extension is built. --python: a Python that has
the engine; without it the steps that need one are left out, and named. Each step leaves a picture
NN-name.png and is checked; the first that fails ends the journey with exit code 1. Minutes; not
run by `build.py test`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from blender_tests.window import BlenderWindow, WindowError  # noqa: E402
from blender_tests.window.photo_steps import PHOTO_STEPS  # noqa: E402
from blender_tests.window.steps import BODY, SLOW, Step, Trip  # noqa: E402

SAMPLE = ROOT / "blender_tests/samples/punch.png"
TAB = "kinflow"
PREFERENCES = (
    "any(a.type == 'PREFERENCES' for w in C.window_manager.windows for a in w.screen.areas)"
)


def empty_window(trip: Trip) -> None:
    """A general scene without its cube."""
    trip.window.ask("[D.objects.remove(o) for o in list(D.objects) if o.type == 'MESH'] and None")
    trip.check("not [o for o in D.objects if o.type == 'MESH']", "The scene is not empty")


def sidebar_tab(trip: Trip) -> None:
    trip.window.sidebar(TAB)
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
    """The row under the pointer is clicked."""
    window = trip.window
    window.screen.button(True)
    window.rest()
    window.screen.button(False)
    window.wait_until("any(o.type == 'ARMATURE' for o in D.objects)", SLOW)
    trip.check(f"C.view_layer.objects.active == {BODY}", "The new body is not the active object")


def pose_slider(trip: Trip) -> None:
    """Drags the first slider of the prior to the right."""
    window = trip.window
    window.ask("bpy.ops.view3d.view_selected() and None")
    window.drag(window.find("latent_0[0]"), (60, 0))
    trip.check(f"{BODY}.kinflow.latent_0[0] > 0.3", "The slider did not follow the mouse")


def preferences_open(trip: Trip) -> None:
    """By the button of the Photo panel, where it says that the engine is missing."""
    window = trip.window
    window.press("kinflow.open_preferences")
    window.wait_until(PREFERENCES, SLOW)
    time.sleep(3)  # it draws its list of add-ons


def preferences_closed(trip: Trip) -> None:
    trip.window.ask("close_windows()")
    trip.check(f"not {PREFERENCES}", "The preferences are still open")


def pie_menu(trip: Trip) -> None:
    """Shift+Alt+K, once its key is switched on."""
    window = trip.window
    window.ask(
        "[setattr(i, 'active', True) for i in C.window_manager.keyconfigs.user.keymaps['3D View']"
        ".keymap_items if i.idname == 'wm.call_menu_pie' and i.properties.name"
        " == 'KINFLOW_MT_pie'] and None"
    )
    window.point(window.view_middle())
    window.key("shift+alt+k")


def pie_sample(trip: Trip) -> None:
    """Up and to the right in the open pie: Sample."""
    window = trip.window
    before = window.ask(f"list({BODY}.kinflow.latent_0)")
    x, y = window.view_middle()
    window.click((x + 110, y - 60))
    trip.check(f"list({BODY}.kinflow.latent_0) != {before}", "The pie's Sample did nothing")


def pose_library(trip: Trip) -> None:
    """The poses are listed by the preferences' operator, and an asset browser shows them."""
    window = trip.window
    window.ask("bpy.ops.kinflow.pose_library() and None")
    window.ask(f"setattr(C.view_layer.objects, 'active', {BODY})")
    window.ask("bpy.ops.object.mode_set(mode='POSE') and None")
    window.ask("asset_window('kinflow Poses')")
    time.sleep(10)  # it reads the pictures


def pose_applied(trip: Trip) -> None:
    """A double click on the first pose."""
    window = trip.window
    bone = f"list({BODY}.pose.bones['left_elbow'].rotation_quaternion)"
    before = window.ask(bone)
    x, y, _, _ = window.ask("box('WINDOW', 'FILE_BROWSER')")
    window.point((x + 60, y + 60))
    window.screen.double_click()
    window.rest()
    window.wait_until(f"{bone} != {before}", SLOW)
    window.ask("close_windows()")
    window.ask("bpy.ops.object.mode_set(mode='OBJECT') and None")
    window.ask("bpy.ops.view3d.view_selected() and None")


# A later step begins where the one before it ended.
STEPS = (
    Step("empty-window", empty_window),
    Step("sidebar-tab", sidebar_tab),
    Step("preferences", preferences_open, without_engine=True),
    Step("preferences-closed", preferences_closed, without_engine=True),
    Step("add-menu", add_menu),
    Step("body-added", body_added),
    Step("pose-slider", pose_slider),
    Step("pie-menu", pie_menu),
    Step("pie-sample", pie_sample),
    Step("pose-library", pose_library),
    Step("pose-applied", pose_applied),
    *PHOTO_STEPS,
)


def built_zip(given: Path | None) -> Path:
    """The extension to install. Raises WindowError where it cannot be built."""
    if given is not None:
        return given.resolve()
    if subprocess.run([sys.executable, ROOT / "build.py", "addon"]).returncode:
        raise WindowError("The extension could not be built.")
    return next((ROOT / "dist").glob("kinflow-*.zip"))


def install(blender: str, archive: Path, environment: dict[str, str]) -> None:
    words = [blender, "--command", "extension", "install-file", "-r", "user_default", "-e"]
    done = subprocess.run(
        [*words, archive], env=os.environ | environment, capture_output=True, text=True
    )
    if done.returncode:
        raise WindowError(f"The extension could not be installed: {done.stdout[-500:]}")


def walk(trip: Trip, steps: tuple[Step, ...]) -> int:
    """-> exit code."""
    for number, step in enumerate(steps, 1):
        started = time.perf_counter()
        picture = trip.folder / f"{number:02d}-{step.name}.png"
        try:
            step.walk(trip)
        except WindowError as error:
            trip.window.screen.shot(picture.with_name(f"{picture.stem}-failed.png"))
            print(f"{number:02d} {step.name}: {error}", flush=True)
            return 1
        trip.window.shot(picture)
        seconds = time.perf_counter() - started
        print(f"{number:02d} {step.name}: {seconds:.1f} s", flush=True)
    return 0


def chosen_steps(options: argparse.Namespace) -> tuple[Step, ...]:
    """Those that were asked for and have what they need; says which are left out."""
    steps = [s for s in STEPS if not options.steps or s.name in options.steps]
    without = [s.name for s in steps if s.needs_engine and not options.python]
    if without:
        print(f"Left out, for no --python was given: {', '.join(without)}")
    missing = not options.python
    return tuple(s for s in steps if s.name not in without and (missing or not s.without_engine))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--zip", type=Path)
    parser.add_argument("--photo", type=Path, default=SAMPLE)
    parser.add_argument("--python", default="")
    parser.add_argument("--steps", nargs="*", metavar="NAME")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the screen and Blender end too
    blender = os.environ.get("KINFLOW_BLENDER", "")
    if shutil.which(blender) is None:
        print("Name a Blender in KINFLOW_BLENDER, as a command or a path.", file=sys.stderr)
        return 2
    folder = options.out.resolve()
    shutil.rmtree(folder / "blender", ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    own = {"BLENDER_USER_RESOURCES": str(folder / "blender")}
    own |= {"KINFLOW_CACHE": str(folder / "cache"), "KINFLOW_PYTHON": options.python}
    try:
        install(blender, built_zip(options.zip), own)
        with BlenderWindow(blender, log=folder / "blender.log", environment=own) as window:
            trip = Trip(window, options.photo.resolve(), folder)
            return walk(trip, chosen_steps(options))
    except WindowError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())

"""The whole way of a new user through a real window, with mouse and keys: a strip of pictures.

    KINFLOW_BLENDER=blender python3 blender_tests/journey.py --out DIR [--zip ZIP] [--photo PHOTO]
        [--python ENGINE_PYTHON] [--steps NAME...]

Blender, its user folder made new below DIR, is started on a virtual screen (Xvfb, xdotool, libX11
and ImageMagick have to be there). Without --zip the extension is built. --python: a Python that has
the engine; without it the steps that need one are left out, and named. Each step leaves a picture
NN-name.png and is checked; the first that fails ends the journey with exit code 1. Minutes; not
run by `build.py test`.

Python in Blender only says where a button or a point is on the screen, and whether a step did what
it claims. Two things come from beside mouse and keyboard, as there is no window manager and no
other program (window/x11.py): the cross that closes the preferences, and the drop of a photo.
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
from blender_tests.window.body_steps import BODY_STEPS, WINDOW_STEPS  # noqa: E402
from blender_tests.window.choice_steps import CHOICE_STEPS, DROP_STEPS  # noqa: E402
from blender_tests.window.file_steps import FILE_STEPS, JOB_STEPS, KEYFRAME_STEPS  # noqa: E402
from blender_tests.window.photo_steps import OPEN_STEPS, PHOTO_STEPS  # noqa: E402
from blender_tests.window.preference_steps import LIBRARY_STEPS, PREFERENCE_STEPS  # noqa: E402
from blender_tests.window.steps import QUESTIONS, Step, Trip  # noqa: E402

SAMPLE = ROOT / "blender_tests/samples/punch.png"

# A later step begins where the one before it ended.
STEPS = (
    *WINDOW_STEPS,
    *PREFERENCE_STEPS,
    *BODY_STEPS,
    *LIBRARY_STEPS,
    *OPEN_STEPS,
    *PHOTO_STEPS,
    *CHOICE_STEPS,
    *DROP_STEPS,
    *KEYFRAME_STEPS,
    *FILE_STEPS,
    *JOB_STEPS,
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
        except (WindowError, subprocess.CalledProcessError) as error:
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
    return tuple(s for s in steps if s.name not in without)


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
            window.ask(QUESTIONS)
            trip = Trip(window, options.photo.resolve(), folder, bool(options.python))
            return walk(trip, chosen_steps(options))
    except WindowError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())

"""Photos to keyframes; saved, opened, and another file during a job."""

from __future__ import annotations

import shutil
import subprocess

from .places import accept, browse, open_tab, over_view, show_panels
from .steps import SLOW, Trip, steps

_LATENT = "list(chosen().body.kinflow.latent_0)"


def keyframes_chosen(trip: Trip) -> None:
    """*Photos to Keyframes*; both photos of a folder, by a click and a Ctrl+click."""
    window, folder = trip.window, trip.folder / "two"
    folder.mkdir(exist_ok=True)
    beach, party = (folder / f"{name}{trip.photo.suffix}" for name in ("beach", "party"))
    shutil.copy(trip.photo, beach)
    words = [*window.screen.tool("convert"), str(trip.photo), "-flop", str(party)]
    subprocess.run(words, check=True)
    show_panels(window, "Photo", "Animation and Export")
    window.press("kinflow.fit_sequence")
    browse(window, beach, party)


def keyframes(trip: Trip) -> None:
    """Two poses on a new body, the range set, the rig selected."""
    window = trip.window
    accept(window)
    window.wait_until("idle() and 'poses keyed on a new body' in C.scene.kinflow.message", SLOW)
    trip.check("C.scene.frame_end - C.scene.frame_start == 1", "The range is not the poses'")
    trip.check("C.view_layer.objects.active == chosen().body", "The rig is not selected")


def keyframes_stepped(trip: Trip) -> None:
    """*Back to My View*; the right arrow: the second photo's pose, and its sliders."""
    window = trip.window
    show_panels(window, "Fit", "Pose")
    window.press("kinflow.look_through")
    over_view(window)
    window.key("shift+Left", "KP_Decimal")
    first = window.ask(_LATENT)
    window.key("Right")
    window.wait_until(f"{_LATENT} != {first} and true_sliders()", SLOW)


def saved(trip: Trip) -> None:
    """Ctrl+Shift+S, the path typed."""
    window, path = trip.window, trip.folder / "journey.blend"
    path.unlink(missing_ok=True)
    over_view(window)
    window.key("ctrl+shift+s")
    browse(window, path)
    accept(window)
    window.wait_until(f"D.filepath == {str(path)!r} and not D.is_dirty", SLOW)


def reopened(trip: Trip) -> None:
    """Ctrl+N for another file, then Ctrl+O: photo, thumbnail, people and bodies are there."""
    window, path = trip.window, trip.folder / "journey.blend"
    count = window.ask("len(K('scene.body').find_bodies())")
    _new_file(trip)
    window.key("ctrl+o")
    browse(window, path)
    accept(window)
    window.wait_until(f"len(K('scene.body').find_bodies()) == {count}", SLOW)
    open_tab(window)
    show_panels(window, "Photo", "Fit", "Pose")
    trip.check("K('scene.camera').thumbnail(photos()[0]) is not None", "The thumbnail is gone")


def file_opened_during_a_job(trip: Trip) -> None:
    """Nothing of the job is left behind. *Stop Engine* first: its start makes the job long."""
    window = trip.window
    show_panels(window, "Engine")
    window.press("kinflow.stop_engine")
    show_panels(window, "Photo")
    window.press("kinflow.detect")
    trip.check("K('session').busy()", "The job ended before the file was opened")
    _new_file(trip)
    window.wait_until("idle() and not K('session').busy()", SLOW)
    open_tab(window)


def _new_file(trip: Trip) -> None:
    """Ctrl+N, and the menu's first row."""
    over_view(trip.window)
    trip.window.key("ctrl+n", "Return")
    trip.window.wait_until("not D.filepath and not photos()", SLOW)
    over_view(trip.window)


KEYFRAME_STEPS = steps((keyframes_chosen, keyframes, keyframes_stepped), need_engine=True)
FILE_STEPS = steps((saved, reopened), need_engine=False)
JOB_STEPS = steps((file_opened_during_a_job,), need_engine=True)

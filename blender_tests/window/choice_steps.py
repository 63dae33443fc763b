"""Copies, several photos and people, and which of them is chosen."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from .photo_steps import find_people, fit
from .places import ROW, accept, browse, click_row, drag_border, over_view, show_panels
from .screen import WindowError
from .steps import SLOW, Trip, steps

FROM_THE_SIDE = Path(__file__).resolve().parents[2] / "engine/gallery/fit.png"
_ACTIVE = "C.view_layer.objects.active"
_FIRST, _SECOND = "photos()[0]", "photos()[1]"


def copied(trip: Trip) -> None:
    """A box dragged around rig and mesh, Shift+D, a click; Shift+D's copy stands beside."""
    window = trip.window
    window.ask("original = chosen().body.name")
    places = window.ask("handles(chosen().body)")
    left, top = (min(p[i] for p in places) - 60 for i in range(2))
    right, bottom = (max(p[i] for p in places) + 60 for i in range(2))
    window.drag((left, top), (right - left, bottom - top), 6)
    window.wait_until("len(C.selected_objects) >= 2", SLOW)
    over_view(window)
    window.key("shift+d")
    window.screen.move_by(-260, 0)
    window.rest()
    window.screen.button(True)
    window.screen.button(False)
    window.wait_until(f"{_ACTIVE}.name != original", SLOW)


def copy_grown(trip: Trip) -> None:
    """The *Shape* panel's first slider to the right: the original stays as it is."""
    window = trip.window
    keys = "K('scene.body').shape_keys({})[0].value"
    before = window.ask(keys.format("D.objects[original]"))
    show_panels(window, "Shape")
    window.drag(window.find("betas[0]"), (120, 0))
    window.wait_until(keys.format(_ACTIVE) + " > 1.5", SLOW)
    trip.check(
        f"abs({keys.format('D.objects[original]')} - {before}) < 1e-6",
        "The original has grown with it",
    )


def second_photo(trip: Trip) -> None:
    """*Open Photo* again: two people this time, found and fitted. The first photo stays."""
    window, pair = trip.window, trip.folder / "photos" / "pair.png"
    place = "list(D.objects[original].matrix_world.translation)"
    before = window.ask(place)
    _join(trip, pair)
    show_panels(window, "Photo", "Fit", "Pose")
    window.press("kinflow.import_photo")
    browse(window, pair)
    accept(window)
    window.wait_until("len(photos()) == 2", SLOW)
    find_people(trip)
    trip.check("len(chosen().photo.kinflow.people) == 2", "Not both people were found")
    fit(trip)
    trip.check(f"{place} == {before}", "The first photo's body has moved")
    trip.check(f"chosen().photo == {_SECOND}", "The first photo was fitted again")


def person_in_list(trip: Trip) -> None:
    """A click on the second row: the second body is the active one."""
    window = trip.window
    show_panels(window, "Photo", "Fit", "Pose")
    x, y = window.find("kinflow.detect")
    window.click((x, y + 31 + ROW))
    window.wait_until("chosen().index == 1", SLOW)
    trip.check(f"{_ACTIVE} == chosen().person.body", "Another body is the active one")


def person_in_viewport(trip: Trip) -> None:
    """A click on the first body over the photo: the list goes with it."""
    window = trip.window
    window.click(window.ask(f"handle('pelvis', {_SECOND}.kinflow.people[0].body)"))
    window.wait_until("chosen().index == 0", SLOW)
    trip.check(f"{_SECOND}.kinflow.active_person == 0", "The list shows somebody else")


def photo_in_list(trip: Trip) -> None:
    """The first photo's button: its body is selected, its camera the scene's."""
    window = trip.window
    uid = window.ask(f"{_FIRST}.session_uid")
    window.press(f"kinflow.choose_photo(session_uid={uid}")
    window.wait_until(f"chosen().photo == {_FIRST}", SLOW)
    _check_camera(trip, _FIRST)


def photo_in_outliner(trip: Trip) -> None:
    """A click on the second photo's second rig."""
    window = trip.window
    drag_border(window, "OUTLINER", 200)
    click_row(window, f"{_ACTIVE} == {_SECOND}.kinflow.people[1].body")
    trip.check(f"chosen().photo == {_SECOND} and chosen().index == 1", "Not chosen everywhere")
    over_view(window)
    window.press("kinflow.look_through")
    trip.check(
        f"C.scene.camera == K('scene.photos').camera_of({_SECOND})", "Another photo's camera"
    )


def alternatives(trip: Trip) -> None:
    """A third photo, of a body from its side: which arm is before it, left or right? *Fit* shows
    both as pictures.
    """
    window, photo = trip.window, trip.folder / "photos" / "side.png"
    crop = ["-crop", "251x377+849+0", "+repage", "-filter", "Lanczos", "-resize", "300%"]
    words = [*window.screen.tool("convert"), str(FROM_THE_SIDE), *crop, str(photo)]
    subprocess.run(words, check=True)
    show_panels(window, "Photo", "Fit")
    window.press("kinflow.import_photo")
    browse(window, photo)
    accept(window)
    window.wait_until("len(photos()) == 3", SLOW)
    find_people(trip)
    fit(trip)
    trip.check("len(chosen().body.kinflow.hypotheses) > 1", "The fit found one explanation only")
    show_panels(window, "Fit")
    window.wait_until("bool(K('scene.hypothesis_pictures').of(chosen().body))", SLOW)


def alternative_shown(trip: Trip) -> None:
    """The button below the second picture."""
    window, before = trip.window, trip.window.ask("list(chosen().body.kinflow.latent_0)")
    name = "kinflow.show_hypothesis(index=1"
    try:  # two pictures a row in a wide sidebar
        window.press(name, across=0.75)
    except WindowError:
        window.press(name)
    window.wait_until("chosen().body.kinflow.active_hypothesis == 1", SLOW)
    trip.check(f"list(chosen().body.kinflow.latent_0) != {before}", "The body did not change")
    over_view(window)


def photo_dropped(trip: Trip) -> None:
    """A photo from another program, let go over the viewport; a menu asks what to do with it."""
    window, photo = trip.window, trip.folder / "photos" / "dropped.png"
    photo.parent.mkdir(exist_ok=True)
    shutil.copy(trip.photo, photo)
    window.screen.drop(over_view(window), photo)
    window.rest()


def dropped_photo_opened(trip: Trip) -> None:
    """The menu's *Open Photo*; the pointer is on one of its rows."""
    window = trip.window
    # a photo in which nobody was looked for gives way to it, so their number tells nothing
    opened = "any(p.kinflow.path.endswith('dropped.png') for p in photos())"
    if not window.ask(opened):
        x, y = over_view(window)
        window.click(window.row("kinflow.import_photo", (x, y - 30)))
    window.wait_until(opened, SLOW)
    show_panels(window, "Photo", "Fit")


def _check_camera(trip: Trip, photo: str) -> None:
    trip.check(
        f"C.scene.camera == K('scene.photos').camera_of({photo})", "It is another photo's camera"
    )


def _join(trip: Trip, pair: object) -> None:
    """The photo beside its mirror image."""
    (trip.folder / "photos").mkdir(exist_ok=True)
    words = [str(trip.photo), "(", "+clone", "-flop", ")", "+append", str(pair)]
    subprocess.run([*trip.window.screen.tool("convert"), *words], check=True)


DROP_STEPS = steps((photo_dropped, dropped_photo_opened), need_engine=False)
CHOICE_STEPS = steps(
    (
        copied,
        copy_grown,
        second_photo,
        person_in_list,
        person_in_viewport,
        photo_in_list,
        photo_in_outliner,
        alternatives,
        alternative_shown,
    ),
    need_engine=True,
)

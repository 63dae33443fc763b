"""From a photo to bodies, and what one does with them: the steps that need the engine."""

from __future__ import annotations

import shutil
import time

from .screen import WindowError
from .steps import SLOW, Step, Trip

# modules of the extension, by name
_SETUP = """
import importlib
_name = next(a.module for a in C.preferences.addons if a.module.split('.')[-1] == 'kinflow')
def K(module): return importlib.import_module(f'{_name}.{module}')
def idle(): return not C.scene.kinflow.job_text
def chosen(): return K('scene.choice').chosen(bpy.context)
def on_screen(place):
    x, y, width, height = box()
    return [int(x + place[0]), int(y + height - place[1])]
def keypoint(name):
    photo = chosen().photo
    view = K('scene.photo_view').photo_view(bpy.context, photo)
    point = next(p for p in chosen().person.keypoints if p.name == name)
    return on_screen(view.to_region([[point.x, point.y]])[0])
def handle(joint):
    from bpy_extras.view3d_utils import location_3d_to_region_2d as project
    place = K('scene.pins').handle_place(chosen().body, joint)
    return on_screen(project(bpy.context.region, bpy.context.space_data.region_3d, place))
def true_sliders():
    body, latent = chosen().body, K('scene.latent')
    apart = latent.decode(body, latent.latent(body)) - K('scene.pose').read_body_pose(body)
    return float(abs(apart).max()) < 0.01
C.preferences.view.filebrowser_display_type = 'SCREEN'
"""
_FILES = "[a for w in C.window_manager.windows for a in w.screen.areas if a.type == 'FILE_BROWSER']"


def open_photo(trip: Trip) -> None:
    """*Open Photo*, then the file browser's own Enter."""
    window = trip.window
    window.ask(_SETUP)
    window.press("kinflow.import_photo")
    window.wait_until(f"bool({_FILES})", SLOW)
    folder, name = str(trip.photo.parent) + "/", trip.photo.name
    window.wait_until(f"{_FILES}[0].spaces.active.params is not None", SLOW)
    window.ask(
        f"p = {_FILES}[0].spaces.active.params; p.directory = {folder!r}.encode();"
        f" p.filename = {name!r}"
    )
    time.sleep(1)
    window.point((400, 400))
    window.key("Return")
    window.wait_until("bool(chosen().photo)", SLOW)
    window.sidebar("kinflow")


def find_people(trip: Trip) -> None:
    trip.window.press("kinflow.detect")
    trip.window.wait_until("idle() and len(chosen().photo.kinflow.people) > 0", SLOW)


def fit(trip: Trip) -> None:
    """One sees the fit: through the photo's camera, with the body selected."""
    window = trip.window
    window.press("kinflow.fit")
    window.wait_until("idle() and chosen().body is not None", SLOW)
    window.rest()
    trip.check("C.space_data.region_3d.view_perspective == 'CAMERA'", "The view is not the photo's")
    trip.check("C.view_layer.objects.active == chosen().body", "The body is not selected")


def from_the_side(trip: Trip) -> None:
    trip.window.press("kinflow.look_from_side")
    trip.check("C.space_data.region_3d.view_perspective == 'PERSP'", "The view is the photo's yet")


def through_the_photo(trip: Trip) -> None:
    trip.window.press("kinflow.look_through")
    trip.check("C.space_data.region_3d.view_perspective == 'CAMERA'", "The view is not the photo's")


def another_alternative(trip: Trip) -> None:
    """The second picture, where the photo has more than one explanation."""
    if trip.window.ask("len(chosen().body.kinflow.hypotheses) > 1"):
        time.sleep(2)  # pictures are drawn a moment later
        name = "kinflow.show_hypothesis(index=1"
        try:  # two pictures a row in a wide sidebar
            trip.window.press(name, across=0.75)
        except WindowError:
            trip.window.press(name)
        trip.check("chosen().body.kinflow.active_hypothesis == 1", "The alternative is not shown")


def keypoint_named(trip: Trip) -> None:
    trip.window.point(trip.window.ask("keypoint('left_wrist')"))
    time.sleep(1)


def keypoint_dragged(trip: Trip) -> None:
    trip.window.drag(trip.window.ask("keypoint('left_wrist')"), (-60, -40))
    trip.window.wait_until(
        "'Left Wrist moved' in C.scene.kinflow.message.title()"
        " or 'moved' in C.scene.kinflow.message",
        SLOW,
    )
    trip.check("true_sliders()", "The sliders say another pose")


def limb_switched(trip: Trip) -> None:
    """Opens the panel of keypoints by its header, and switches the left arm off."""
    window = trip.window
    x, y = window.find("use_parts")
    window.click((x, y - 60))
    time.sleep(1)
    window.press("kinflow.toggle_limb(limb='left_arm'", across=0.25)
    window.wait_until("idle() and 'Left Arm off' in C.scene.kinflow.message", SLOW)


def hand_pulled(trip: Trip) -> None:
    """By the tool, with the mouse, seen from the side."""
    window = trip.window
    window.press("kinflow.look_from_side")
    window.ask("bpy.ops.wm.tool_set_by_id(name=K('ui.pull_gizmos').TOOL) and None")
    window.rest()
    before = window.ask("list(chosen().body.kinflow.latent_0)")
    window.drag(window.ask("handle('right_wrist')"), (40, -90), 24)
    trip.check(f"list(chosen().body.kinflow.latent_0) != {before}", "The body did not follow")
    trip.check("true_sliders()", "The sliders say another pose")
    window.ask("bpy.ops.wm.tool_set_by_id(name='builtin.select_box') and None")


def undone(trip: Trip) -> None:
    """Ctrl+Z over the viewport takes the pull back, sliders and bones together."""
    window = trip.window
    before = window.ask("list(chosen().body.kinflow.latent_0)")
    window.point(window.view_middle())
    window.key("ctrl+z")
    window.wait_until(f"list(chosen().body.kinflow.latent_0) != {before}", SLOW)
    trip.check("true_sliders()", "The sliders say another pose")


def copied(trip: Trip) -> None:
    """Shift+D: the copy's size leaves the original as it is."""
    window = trip.window
    window.ask(
        "b = chosen().body; m = K('scene.body').mesh_of(b);"
        " bpy.ops.object.select_all(action='DESELECT'); b.select_set(True); m.select_set(True);"
        " C.view_layer.objects.active = b; original = b.name"
    )
    window.point(window.view_middle())
    window.key("shift+d")
    window.screen.move_by(150, 0)
    window.rest()
    window.screen.button(True)
    window.screen.button(False)
    window.wait_until("C.view_layer.objects.active.name != original", SLOW)
    window.ask("C.view_layer.objects.active.kinflow.betas[0] = 2.5")
    time.sleep(2)
    keys = "K('scene.body').shape_keys({})[0].value"
    trip.check(keys.format("C.view_layer.objects.active") + " > 2", "The copy has not grown")
    trip.check(keys.format("D.objects[original]") + " < 2", "The original has grown with it")


def second_photo(trip: Trip) -> None:
    """The first stays as it was, and its button is there."""
    window = trip.window
    place = "list(D.objects[original].matrix_world.translation)"
    before = window.ask(place)
    window.ask(
        f"bpy.ops.kinflow.import_photo('EXEC_DEFAULT', filepath={str(trip.photo)!r}) and None"
    )
    window.sidebar("kinflow")
    find_people(trip)
    fit(trip)
    trip.check(f"{place} == {before}", "The first photo's body has moved")
    trip.check("len(K('scene.photos').all_photos(C.scene)) == 2", "There are not two photos")
    trip.check(
        "chosen().photo != D.objects[original].kinflow.photo", "The first photo was fitted again"
    )


def keyframes(trip: Trip) -> None:
    """*Photos to Keyframes* of two photos: two poses, the range set, the rig selected."""
    window, names = trip.window, ("beach", "party")
    files = [{"name": name + trip.photo.suffix} for name in names]
    for file in files:
        shutil.copy(trip.photo, trip.folder / file["name"])
    window.ask(
        f"bpy.ops.kinflow.fit_sequence('INVOKE_DEFAULT', directory={str(trip.folder)!r},"
        f" files={files!r}, step=10) and None"
    )
    window.wait_until("idle() and 'poses keyed on a new body' in C.scene.kinflow.message", SLOW)
    trip.check("C.scene.frame_end - C.scene.frame_start == 10", "The range is not the poses'")
    trip.check("C.view_layer.objects.active == chosen().body", "The rig is not selected")


def reopened(trip: Trip) -> None:
    """Saved and opened again: photo, thumbnail, people and bodies are there."""
    window, path = trip.window, str(trip.folder / "journey.blend")
    window.ask(f"bpy.ops.wm.save_as_mainfile(filepath={path!r}) and None")
    window.ask(f"bpy.ops.wm.open_mainfile(filepath={path!r}) and None")
    window.wait_until("len(K('scene.body').find_bodies()) > 2", SLOW)
    window.sidebar("kinflow")
    photo = "K('scene.photos').all_photos(C.scene)[0]"
    trip.check(f"K('scene.camera').thumbnail({photo}) is not None", "The thumbnail is gone")


def file_opened_during_a_job(trip: Trip) -> None:
    """Nothing of the job is left behind."""
    window = trip.window
    window.press("kinflow.detect")
    window.ask("bpy.ops.wm.read_homefile() and None")
    time.sleep(2)
    trip.check("idle() and not K('session').busy()", "The add-on is busy for ever")


PHOTO_STEPS = tuple(
    Step(name, walk, needs_engine=True)
    for name, walk in {
        "open-photo": open_photo,
        "find-people": find_people,
        "fit": fit,
        "from-the-side": from_the_side,
        "through-the-photo": through_the_photo,
        "alternative": another_alternative,
        "keypoint-named": keypoint_named,
        "keypoint-dragged": keypoint_dragged,
        "limb-switched": limb_switched,
        "hand-pulled": hand_pulled,
        "undone": undone,
        "copied": copied,
        "second-photo": second_photo,
        "keyframes": keyframes,
        "reopened": reopened,
        "file-opened-during-a-job": file_opened_during_a_job,
    }.items()
)

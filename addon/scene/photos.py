"""A photo is a collection: it holds the photo's camera, its people and their bodies.

Everything is found by pointer, so that names, copies and further photos change nothing.
"""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path

import bpy

from kinflow.records import Camera

from . import body, viewport

APART = 10.0  # m from one photo's place to the next, so that no camera sees another's bodies


def all_photos(scene: bpy.types.Scene) -> list[bpy.types.Collection]:
    """The scene's photos, in the outliner's order."""
    return [c for c in scene.collection.children_recursive if c.kinflow.is_photo]


def shown_photo(scene: bpy.types.Scene) -> bpy.types.Collection | None:
    """The photo that was chosen last, while the scene has it; else the only one."""
    found, last = all_photos(scene), scene.kinflow.photo
    if last in found:
        return last
    return found[0] if len(found) == 1 else None


def open_photo(scene: bpy.types.Scene, path: Path, name: str = "") -> bpy.types.Collection:
    """A new photo, shown. One that nobody was found in yet gives way to it."""
    photo = shown_photo(scene)
    # a file's name need not be text
    name = (name or path.stem).encode("utf-8", "replace").decode()
    if photo is None or len(photo.kinflow.people) or len(photo.objects):
        place = _free_place(scene)
        photo = bpy.data.collections.new(name)
        scene.collection.children.link(photo)
        photo.kinflow.is_photo = True
        photo.kinflow.place = place
    photo.name, photo.kinflow.path = name, str(path)
    photo.kinflow.image = None
    scene.kinflow.photo = photo
    return photo


def _free_place(scene: bpy.types.Scene) -> float:
    """Along X, m: beside the other photos, and where no body stands around the photo's camera."""
    bodies = [obj for obj in body.find_bodies() if scene in obj.users_scene]
    taken = {round(obj.matrix_world.translation.x / APART) for obj in bodies}
    last = max((round(p.kinflow.place / APART) for p in all_photos(scene)), default=-1)
    return APART * next(number for number in count(last + 1) if number not in taken)


def find(scene: bpy.types.Scene, session_uid: int) -> bpy.types.Collection | None:
    """A photo that was there when a job began; None where it was deleted."""
    return next((p for p in all_photos(scene) if p.session_uid == session_uid), None)


def people_by_key(scene: bpy.types.Scene) -> dict[str, tuple]:
    """Everybody in the scene's photos by key: photo and person."""
    return {
        key_of(p, person): (p, person) for p in all_photos(scene) for person in p.kinflow.people
    }


def photo_of_body(armature: bpy.types.Object) -> bpy.types.Collection | None:
    """The photo that a body was fitted to, of a copy its original's."""
    photo = armature.kinflow.photo
    return photo if photo is not None and photo.kinflow.is_photo else None


def photo_of_camera(obj: bpy.types.Object | None) -> bpy.types.Collection | None:
    """The photo whose camera an object is."""
    if obj is None or obj.type != "CAMERA":
        return None
    return next((c for c in obj.users_collection if c.kinflow.camera == obj), None)


def index_of_body(photo: bpy.types.Collection, armature: bpy.types.Object) -> int:
    """Number of the person who was fitted to a body; -1 for a copy, which is nobody's."""
    people = enumerate(photo.kinflow.people)
    return next((i for i, person in people if person.body == armature), -1)


def body_of_person(person: bpy.types.PropertyGroup) -> bpy.types.Object | None:
    """The body that somebody was fitted to; None where it was deleted."""
    armature = person.body
    return armature if armature is not None and armature.users_scene else None


def key_of(photo: bpy.types.Collection, person: bpy.types.PropertyGroup) -> str:
    """What the session knows somebody by; a copy of a photo has people of its own."""
    return f"{photo.session_uid}/{person.uid}"


def camera_record(photo: bpy.types.Collection) -> Camera | None:
    """The camera that a photo was taken with, as far as it is known."""
    text = photo.kinflow.camera_json
    return Camera(**json.loads(text)) if text else None


def camera_of(photo: bpy.types.Collection | None) -> bpy.types.Object | None:
    """A photo's camera; None where it was deleted."""
    found = photo.kinflow.camera if photo is not None else None
    return found if found is not None and found.users_scene else None


def use_camera(scene: bpy.types.Scene, photo: bpy.types.Collection) -> None:
    """Makes a photo's camera the scene's, with the photo's size as the render's."""
    found, camera, render = camera_of(photo), camera_record(photo), scene.render
    if found is None or camera is None:
        return
    is_another, scene.camera = scene.camera != found, found
    render.resolution_x, render.resolution_y = camera.width, camera.height
    render.resolution_percentage = 100
    render.pixel_aspect_x = max(1.0, camera.fy / camera.fx)
    render.pixel_aspect_y = max(1.0, camera.fx / camera.fy)
    if is_another:  # else the zoom is the user's own
        viewport.fill_camera_views(render)


def bodies_of(photo: bpy.types.Collection) -> list[bpy.types.Object]:
    """The bodies of a photo's people."""
    found = [body_of_person(person) for person in photo.kinflow.people]
    return [armature for armature in found if body.is_body(armature)]

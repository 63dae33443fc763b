"""What panels show and operators act on: one photo, one person, one body.

All three follow from Blender's own selection wherever it says something, so that the lists, the
viewport and the outliner cannot disagree: nothing of it is stored but what to show while no body
is active.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from . import body, photos


@dataclass(frozen=True)
class Choice:
    """A photo's collection, the number of a person in it, and a body's armature; each or none."""

    photo: bpy.types.Collection | None
    index: int
    body: bpy.types.Object | None

    @property
    def person(self) -> bpy.types.PropertyGroup | None:
        """The person whose keypoints are shown and refitted."""
        known = self.photo is not None and 0 <= self.index < len(self.photo.kinflow.people)
        return self.photo.kinflow.people[self.index] if known else None


def chosen(context: bpy.types.Context) -> Choice:
    """By the active object: a body, its person and its photo; a photo's camera, its photo. Else
    the photo and person that were chosen last, and where that says nothing the only body.
    """
    obj, scene = context.active_object, context.scene
    armature = body.body_of(obj)
    if armature is not None:
        photo = photos.photo_of_body(armature)
        if photo is None:
            return Choice(photos.shown_photo(scene), -1, armature)
        return Choice(photo, photos.index_of_body(photo, armature), armature)
    photo = photos.photo_of_camera(obj) or photos.shown_photo(scene)
    if photo is not None and len(photo.kinflow.people):
        state = photo.kinflow
        index = min(state.last_person, len(state.people) - 1)
        return Choice(photo, index, photos.body_of_person(state.people[index]))
    bodies = body.find_bodies()
    return Choice(photo, -1, bodies[0] if len(bodies) == 1 else None)


def choose_person(context: bpy.types.Context, photo: bpy.types.Collection, index: int) -> None:
    """Makes a person of a photo the chosen one: its body is selected, where it has one.

    Changes no mode. Without a body nobody else's stays active.
    """
    state = photo.kinflow
    if not 0 <= index < len(state.people):
        return
    context.scene.kinflow.photo, state.last_person = photo, index
    armature = photos.body_of_person(state.people[index])
    if armature is not None and armature.name in context.view_layer.objects:
        select_only(context, armature)
    else:
        _select_none(context)


def choose_photo(context: bpy.types.Context, photo: bpy.types.Collection) -> None:
    """Makes a photo the chosen one: its camera is the scene's, its person's body selected."""
    context.scene.kinflow.photo = photo
    photos.use_camera(context.scene, photo)
    if len(photo.kinflow.people):
        choose_person(context, photo, photo.kinflow.last_person)
    elif (camera := photos.camera_of(photo)) is not None:
        select_only(context, camera)
    else:  # just opened: a body that stays active would choose its own photo again
        _select_none(context)


def _select_none(context: bpy.types.Context) -> None:
    active = context.view_layer.objects.active
    if active is not None:
        active.select_set(False)
        context.view_layer.objects.active = None


def select_only(context: bpy.types.Context, obj: bpy.types.Object) -> None:
    """Makes an object the selected and the active one, where the view layer has it."""
    if obj.name not in context.view_layer.objects:
        return
    for other in context.view_layer.objects.selected:
        if other != obj:
            other.select_set(False)
    obj.select_set(True)
    context.view_layer.objects.active = obj

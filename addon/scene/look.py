"""Where a viewport looks from: through the photo's camera with all that it shows see-through, or
from beside the bodies.

All of that is the viewport's own (its view, its X-ray): no undo step, and no render, changes by it.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Quaternion, Vector

from kinflow.core.skeleton import JOINT_NAMES

from . import camera, photos
from .body import find_bodies
from .choice import chosen
from .differences import torso_axes
from .viewport import Viewport, fill_with_photo, fill_with_points, viewports

SEE_THROUGH = 0.5  # X-ray's alpha
QUARTER = np.pi / 2
_DOWN = np.radians(80)  # a view's tilt from looking straight down


@dataclass(frozen=True)
class _View:
    """What a viewport looked from."""

    perspective: str
    place: Vector
    rotation: Quaternion
    distance: float

    @staticmethod
    def of(view: bpy.types.RegionView3D) -> _View:
        place, rotation = view.view_location.copy(), view.view_rotation.copy()
        return _View(view.view_perspective, place, rotation, view.view_distance)

    def put_back(self, view: bpy.types.RegionView3D) -> None:
        view.view_perspective, view.view_location = self.perspective, self.place
        view.view_rotation, view.view_distance = self.rotation, self.distance


# by the viewport's address: the user's own views; whether X-ray was on, and its alpha; the view
# from the side that was last set
_own: dict[int, _View] = {}
_xray: dict[int, tuple[bool, float]] = {}
_aside: dict[int, _View] = {}


@bpy.app.handlers.persistent
def _forget(_: object = None) -> None:
    """Another file's viewports may be at the same addresses."""
    for kept in (_own, _xray, _aside):
        kept.clear()


def register() -> None:
    """Forgets viewports when another file is opened."""
    bpy.app.handlers.load_pre.append(_forget)


def unregister() -> None:
    """Forgets them now."""
    bpy.app.handlers.load_pre.remove(_forget)
    _forget()


def is_through_photo(space: bpy.types.SpaceView3D, context: bpy.types.Context) -> bool:
    """Whether a viewport looks through the chosen photo's camera."""
    found = photo_camera(context)
    shown = space.camera if space.use_local_camera else context.scene.camera
    return found is not None and shown == found and space.region_3d.view_perspective == "CAMERA"


def after_fit(context: bpy.types.Context) -> None:
    """In a window every viewport goes to the photo: there one sees the fit."""
    if not bpy.app.background and photo_camera(context) is not None:
        for each in viewports(context.window):
            enter(context, each)


def enter(context: bpy.types.Context, viewport: Viewport) -> None:
    """Through the photo's camera, with the bodies see-through over the photo."""
    space, scene, photo = viewport.space, context.scene, chosen(context).photo
    if scene.camera != camera.camera_of(photo):
        photos.use_camera(scene, photo)
        bpy.ops.ed.undo_push(message="Look through Photo")
    space.use_local_camera = False
    if viewport.view.view_perspective != "CAMERA":
        _keep_own(viewport)
        _toggle_camera(context, viewport)
        fill_with_photo(viewport, scene.render)
    shading, key = space.shading, space.as_pointer()
    if not (key in _xray and shading.show_xray):
        _xray[key] = shading.show_xray, shading.xray_alpha
        shading.show_xray, shading.xray_alpha = True, SEE_THROUGH


def leave(context: bpy.types.Context, viewport: Viewport) -> None:
    """Back to where the user looked from, with the bodies as solid as they were."""
    key = viewport.space.as_pointer()
    if viewport.view.view_perspective == "CAMERA":
        _toggle_camera(context, viewport)
    if key in _own:
        _own[key].put_back(viewport.view)
    # none is known in a file that was saved while it was looked through
    _make_solid(viewport.space, (False, viewport.space.shading.xray_alpha))


def look_from_side(
    viewport: Viewport, bodies: list[bpy.types.Object], found: bpy.types.Object | None
) -> None:
    """A quarter turn around the bodies: from the photo's side where more of their fronts are seen,
    and on from where that led. found: the photo's camera, where there is one.
    """
    _keep_own(viewport)
    view, key = viewport.view, viewport.space.as_pointer()
    photo = _yaw(found.matrix_world.to_quaternion()) if found is not None else 0.0
    before = _yaw(view.view_rotation) if _is_aside(viewport) else photo
    turn = Quaternion((0, 0, 1), before + _way_round(bodies, photo)) @ Quaternion((1, 0, 0), _DOWN)
    fill_with_points(viewport, np.concatenate([_joints(b) for b in bodies]), turn)
    _aside[key] = _View.of(view)
    if key in _xray:
        _make_solid(viewport.space, _xray[key])


def photo_camera(context: bpy.types.Context) -> bpy.types.Object | None:
    """The chosen photo's camera."""
    return camera.camera_of(chosen(context).photo)


def bodies_of_photo(context: bpy.types.Context) -> list[bpy.types.Object]:
    """Those that were fitted to the chosen photo's people; all where none was."""
    photo = chosen(context).photo
    return (photos.bodies_of(photo) if photo is not None else []) or find_bodies()


def _keep_own(viewport: Viewport) -> None:
    """Remembers a view for the way back, unless it is one of those that are set here."""
    if viewport.view.view_perspective != "CAMERA" and not _is_aside(viewport):
        _own[viewport.space.as_pointer()] = _View.of(viewport.view)


def _is_aside(viewport: Viewport) -> bool:
    return _aside.get(viewport.space.as_pointer()) == _View.of(viewport.view)


def _make_solid(space: bpy.types.SpaceView3D, otherwise: tuple[bool, float]) -> None:
    shading = space.shading
    shading.show_xray, shading.xray_alpha = _xray.pop(space.as_pointer(), otherwise)


def _toggle_camera(context: bpy.types.Context, viewport: Viewport) -> None:
    # the data API sets a view too, but then Numpad 0 does not know the way back
    where = {"window": viewport.window, "area": viewport.area, "region": viewport.region}
    with context.temp_override(**where):
        bpy.ops.view3d.view_camera("EXEC_DEFAULT")


def _joints(armature: bpy.types.Object) -> np.ndarray:
    """Both ends of every bone, (N, 3) m in the world."""
    bones, world = armature.pose.bones, armature.matrix_world
    return np.array([world @ end for bone in bones for end in (bone.head, bone.tail)])


def _way_round(bodies: list[bpy.types.Object], photo: float) -> float:
    """A quarter turn, to the side from which bodies are seen from before."""
    ahead = np.zeros(3)
    for armature in bodies:
        bones = armature.pose.bones
        if all(name in bones for name in JOINT_NAMES):
            heads = np.array([armature.matrix_world @ bones[name].head for name in JOINT_NAMES])
            ahead += torso_axes(heads)[2]
    # at a quarter turn to the left the view looks along this
    left = np.array([-np.cos(photo), -np.sin(photo), 0])
    return QUARTER if ahead @ left <= 0 else -QUARTER


def _yaw(rotation: Quaternion) -> float:
    """Which way a view looks on the ground, radians from +Y, counterclockwise from above."""
    ahead = rotation @ Vector((0, 0, -1))
    return float(np.arctan2(-ahead.x, ahead.y))

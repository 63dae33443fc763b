"""A camera matched to the photo, with the photo behind the scene."""

import json

import bpy
import numpy as np
from mathutils import Matrix

from kinflow.gravity import level_gravity
from kinflow.records import Camera

from . import photos
from . import thumbnail as thumbnail_picture
from .frames import Viewpoint
from .photos import camera_of

SENSOR = 36.0
EYE_LEVEL = Viewpoint.above_floor(level_gravity(), 1.5)


def viewpoint(photo: bpy.types.Collection | None) -> Viewpoint:
    """Where a photo's camera is; at eye level where it is gone."""
    found = camera_of(photo)
    return EYE_LEVEL if found is None else Viewpoint.of_camera(np.array(found.matrix_world))


def match_camera(
    scene: bpy.types.Scene, photo: bpy.types.Collection, camera: Camera, view: Viewpoint
) -> None:
    """The photo's camera where `view` says, as the scene's; the render gets the photo's size."""
    obj, state = camera_of(photo), photo.kinflow
    if obj is None:
        obj = bpy.data.objects.new("Photo Camera", bpy.data.cameras.new("Photo Camera"))
        photo.objects.link(obj)
        state.camera = obj
    state.camera_json = json.dumps(camera.to_dict())
    data = obj.data
    data.sensor_fit, data.sensor_width = "HORIZONTAL", SENSOR
    data.lens = camera.fx / camera.width * SENSOR
    data.shift_x = (0.5 * camera.width - camera.cx) / camera.width
    data.shift_y = (camera.cy - 0.5 * camera.height) / camera.width
    data.clip_start, data.clip_end = 0.05, 1000.0
    obj.matrix_world = Matrix(view.camera_matrix().tolist())
    photos.use_camera(scene, photo)
    if state.path:
        _show_photo(data, photo)


def _show_photo(data: bpy.types.Camera, photo: bpy.types.Collection) -> None:
    image = load_photo(photo)
    if image is None:  # moved or deleted since it was opened: the fit is still good
        return
    images = data.background_images
    background = images[0] if len(images) else images.new()
    background.image = image
    background.alpha, background.display_depth, background.frame_method = 1.0, "BACK", "STRETCH"
    data.show_background_images = True


def load_photo(photo: bpy.types.Collection) -> bpy.types.Image | None:
    """The photo as an image with a preview; None where Blender cannot read it."""
    try:
        image = bpy.data.images.load(bpy.path.abspath(photo.kinflow.path), check_existing=True)
    except RuntimeError:
        return None
    thumbnail_picture.keep(image)
    photo.kinflow.image = image
    return image


def thumbnail(photo: bpy.types.Collection) -> int | None:
    """Icon of a photo that is already loaded. Looks only, so that panels may ask."""
    image = photo.kinflow.image
    return image.preview.icon_id if image is not None and image.preview is not None else None

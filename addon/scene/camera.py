"""A camera matched to the photo, with the photo behind the scene."""

import os

import bpy
import numpy as np
from mathutils import Matrix

from kinflow.gravity import level_gravity
from kinflow.records import Camera

from . import thumbnail as thumbnail_picture
from .frames import Viewpoint

SENSOR = 36.0
EYE_LEVEL = Viewpoint.above_floor(level_gravity(), 1.5)


def find_camera() -> bpy.types.Object | None:
    """The camera that kinflow made for the photo."""
    return next(
        (o for o in bpy.data.objects if o.type == "CAMERA" and o.get("kinflow_camera")), None
    )


def viewpoint() -> Viewpoint:
    """Where the photo's camera is; at eye level where it is gone."""
    found = find_camera()
    return EYE_LEVEL if found is None else Viewpoint.of_camera(np.array(found.matrix_world))


def match_camera(
    context: bpy.types.Context, camera: Camera, photo_path: str | None, view: Viewpoint
) -> bpy.types.Object:
    """The photo's camera where `view` says, and the render's size."""
    scene = context.scene
    obj = find_camera()
    if obj is None:
        obj = bpy.data.objects.new("Photo Camera", bpy.data.cameras.new("Photo Camera"))
        obj["kinflow_camera"] = True
        context.collection.objects.link(obj)
    data = obj.data
    data.sensor_fit, data.sensor_width = "HORIZONTAL", SENSOR
    data.lens = camera.fx / camera.width * SENSOR
    data.shift_x = (0.5 * camera.width - camera.cx) / camera.width
    data.shift_y = (camera.cy - 0.5 * camera.height) / camera.width
    data.clip_start, data.clip_end = 0.05, 1000.0
    obj.matrix_world = Matrix(view.camera_matrix().tolist())
    render = scene.render
    render.resolution_x, render.resolution_y = camera.width, camera.height
    render.resolution_percentage = 100
    render.pixel_aspect_x = max(1.0, camera.fy / camera.fx)
    render.pixel_aspect_y = max(1.0, camera.fx / camera.fy)
    scene.camera = obj
    if photo_path:
        _show_photo(data, photo_path)
    return obj


def _show_photo(data: bpy.types.Camera, path: str) -> None:
    image = load_photo(path)
    if image is None:  # moved or deleted since it was opened: the fit is still good
        return
    images = data.background_images
    background = images[0] if len(images) else images.new()
    background.image = image
    background.alpha, background.display_depth, background.frame_method = 1.0, "BACK", "STRETCH"
    data.show_background_images = True


def load_photo(path: str) -> bpy.types.Image | None:
    """The photo as an image with a preview; None where Blender cannot read it."""
    try:
        image = bpy.data.images.load(path, check_existing=True)
    except RuntimeError:
        return None
    image.use_fake_user = True  # or a photo that is not fitted yet is not in the saved file
    thumbnail_picture.keep(image)
    return image


def thumbnail(path: str) -> int | None:
    """Icon of a photo that is already loaded. Looks only, so that panels may ask."""
    if not path:
        return None
    wanted = _whole_path(path)
    image = next(
        (i for i in bpy.data.images if i.filepath and _whole_path(i.filepath) == wanted), None
    )
    return image.preview.icon_id if image is not None and image.preview is not None else None


def _whole_path(path: str) -> str:
    """Without steps upwards: saving makes an image's path relative, and not the scene's."""
    return os.path.normpath(bpy.path.abspath(path))

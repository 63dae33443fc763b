"""Between pixels of the photo and pixels of a viewport that looks through the photo's camera."""

from dataclasses import dataclass

import bpy
import numpy as np
from bpy_extras.view3d_utils import location_3d_to_region_2d

from . import camera


@dataclass(frozen=True)
class PhotoView:
    """region = origin + scale * photo, y turned: Blender's regions begin at the bottom."""

    origin: tuple[float, float]
    scale: tuple[float, float]

    def to_region(self, points: np.ndarray) -> np.ndarray:
        """Photo px (N, 2) -> region px (N, 2)."""
        return np.asarray(points, float) * np.array(self.scale) + np.array(self.origin)

    def to_photo(self, x: float, y: float) -> tuple[float, float]:
        """Region px -> photo px."""
        return (x - self.origin[0]) / self.scale[0], (y - self.origin[1]) / self.scale[1]


def photo_view(context: bpy.types.Context, photo: bpy.types.Collection | None) -> PhotoView | None:
    """How this viewport shows a photo; None where it does not look through the photo's camera."""
    region, space, scene = context.region, context.space_data, context.scene
    view = getattr(space, "region_3d", None)
    if view is None or region is None or view.view_perspective != "CAMERA":
        return None
    found = scene.camera
    if found is None or found != camera.camera_of(photo):
        return None
    # corners of the image plane: upper right, lower right, lower left, upper left
    corners = [
        location_3d_to_region_2d(region, view, found.matrix_world @ c)
        for c in found.data.view_frame(scene=scene)
    ]
    if any(c is None for c in corners):
        return None
    right, left = max(c.x for c in corners), min(c.x for c in corners)
    top, bottom = max(c.y for c in corners), min(c.y for c in corners)
    width, height = scene.render.resolution_x, scene.render.resolution_y
    if right - left < 1 or top - bottom < 1:
        return None
    return PhotoView((left, top), ((right - left) / width, -(top - bottom) / height))


def nearest_keypoint(
    person: bpy.types.PropertyGroup, view: PhotoView, place: tuple[float, float]
) -> tuple[int, float]:
    """Number of the keypoint nearest to a place of the region, and its distance in region px."""
    places = view.to_region(np.array([(p.x, p.y) for p in person.keypoints]))
    apart = np.linalg.norm(places - np.array(place), axis=1)
    return int(apart.argmin()), float(apart.min())

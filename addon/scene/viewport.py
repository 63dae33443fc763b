"""A 3D viewport, how much of it its own panels leave free, and views that fill that."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Quaternion, Vector

# how far a camera view can be zoomed
_ZOOM = (-30.0, 600.0)
_SENSOR = 36.0  # mm; a viewport shows twice as much along its longer side
_PHOTO_MARGIN, _BODY_MARGIN = 1.03, 1.25


@dataclass(frozen=True)
class Viewport:
    """A 3D viewport of one view, and where it is."""

    window: bpy.types.Window
    area: bpy.types.Area
    region: bpy.types.Region

    @property
    def space(self) -> bpy.types.SpaceView3D:
        return self.area.spaces.active

    @property
    def view(self) -> bpy.types.RegionView3D:
        return self.space.region_3d


@dataclass(frozen=True)
class Free:
    """A viewport's size and, of its free part, size and the middle from the viewport's; px."""

    whole: np.ndarray
    size: np.ndarray
    middle: np.ndarray


def viewport(window: bpy.types.Window, area: bpy.types.Area) -> Viewport | None:
    """An area as a viewport; None where it is none, or one of four views."""
    if area.type != "VIEW_3D" or len(area.spaces.active.region_quadviews):
        return None
    region = next((r for r in area.regions if r.type == "WINDOW"), None)
    return Viewport(window, area, region) if region is not None else None


def viewports(window: bpy.types.Window | None) -> list[Viewport]:
    """All of a window."""
    areas = window.screen.areas if window is not None else ()
    return [v for v in (viewport(window, area) for area in areas) if v is not None]


def here(context: bpy.types.Context) -> list[Viewport]:
    """The viewport that a button is in; all of the window where it is in none."""
    if context.area is not None and context.area.type == "VIEW_3D":
        found = viewport(context.window, context.area)
        return [found] if found is not None else []
    return viewports(context.window)


def fill_camera_views(render: bpy.types.RenderSettings) -> None:
    """Every viewport that looks through the scene's camera shows all of what that sees."""
    for window in bpy.context.window_manager.windows:
        for each in viewports(window):
            if each.view.view_perspective == "CAMERA" and not each.space.use_local_camera:
                fill_with_photo(each, render)


def free_part(viewport: Viewport) -> Free:
    """What the sidebar, tools and headers, which lie upon a viewport, leave free of it."""
    region = viewport.region
    low = np.array((region.x, region.y), float)
    whole = np.maximum(np.array((region.width, region.height), float), 1)
    begin, end = np.zeros(2), whole.copy()
    for other in viewport.area.regions:
        if other.type == "WINDOW" or min(other.width, other.height) <= 1:
            continue
        corner, size = np.array((other.x, other.y)) - low, np.array((other.width, other.height))
        if (corner >= whole).any() or (corner + size <= 0).any():
            continue  # beside it: with regions that do not overlap
        axis = 0 if size[1] > size[0] else 1
        if corner[axis] + size[axis] / 2 < whole[axis] / 2:
            begin[axis] = max(begin[axis], corner[axis] + size[axis])
        else:
            end[axis] = min(end[axis], corner[axis])
    if (end - begin < 0.2 * whole).any():
        begin, end = np.zeros(2), whole
    return Free(whole, end - begin, (begin + end - whole) / 2)


def fill_with_photo(viewport: Viewport, render: bpy.types.RenderSettings) -> None:
    """Zooms a camera view until the camera's frame fills what is free."""
    free = free_part(viewport)
    width = render.resolution_x * render.pixel_aspect_x
    height = render.resolution_y * render.pixel_aspect_y
    wide = min(free.size[0], free.size[1] * width / height) / _PHOTO_MARGIN
    # Blender's: the frame is this share of the viewport's width, and offsets go with it
    share = wide / free.whole[0]
    view = viewport.view
    view.view_camera_zoom = float(np.clip((2 * share**0.5 - 2**0.5) * 50, *_ZOOM))
    offset = -free.middle / (2 * share * free.whole)
    view.view_camera_offset = np.clip(offset, -1, 1).tolist()


def fill_with_points(viewport: Viewport, points: np.ndarray, turn: Quaternion) -> None:
    """Looks at points (N, 3) m of the world along a turn, so that they fill what is free."""
    free, view = free_part(viewport), viewport.view
    axes = np.array(turn.to_matrix()).T  # right, up, back
    seen = points @ axes.T
    middle, half = (seen.min(0) + seen.max(0)) / 2, np.ptp(seen, axis=0) / 2
    metres = _BODY_MARGIN * float((2 * half[:2] / free.size).max())  # a px
    lens = viewport.space.lens / (2 * _SENSOR)
    view.view_perspective = "PERSP"
    view.view_rotation = turn
    view.view_location = Vector((middle - [*(metres * free.middle), 0]) @ axes)
    view.view_distance = metres * float(free.whole.max()) * lens + float(half[2])

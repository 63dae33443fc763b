"""The active person's keypoints over the photo: seen in camera view, and grabbed there."""

from itertools import pairwise

import blf
import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader

from kinflow.bodies.keypoint_names import edges
from kinflow.records import KEYPOINT_SETS

from ..scene.choice import chosen
from ..scene.keypoints import label
from ..scene.photo_view import nearest_keypoint, photo_view

RADIUS, REACH = 5.0, 12.0
SEEN = 0.3  # confidence
LEFT, RIGHT = (1.0, 0.58, 0.16, 1.0), (0.24, 0.55, 1.0, 1.0)
MIDDLE, OFF = (0.95, 0.95, 0.95, 1.0), (0.5, 0.5, 0.5, 0.6)
GRABBED = (1.0, 1.0, 0.2, 1.0)
PLATE = (0.05, 0.05, 0.05, 0.8)
FONT, TEXT = 0, 13  # Blender's own font; px
_CIRCLE = [(np.cos(a), np.sin(a)) for a in np.linspace(0, 2 * np.pi, 13)]


class KINFLOW_GT_keypoints(bpy.types.Gizmo):
    """All keypoints of one person in one gizmo: its parts are their numbers."""

    bl_idname = "KINFLOW_GT_keypoints"
    # the keypoint under the mouse; on the class: Blender keeps no Python attributes of a gizmo
    part = -1

    def draw(self, context: bpy.types.Context) -> None:
        current = chosen(context)
        person, view = current.person, photo_view(context, current.photo)
        if person is None or view is None:
            return
        scale = context.preferences.system.ui_scale
        places = view.to_region(np.array([(p.x, p.y) for p in person.keypoints]))
        gpu.state.blend_set("ALPHA")
        _draw_limbs(person, places, 2.0 * scale)
        part = self.part if self.is_highlight else -1
        _draw_points(person, places, RADIUS * scale, part)
        if 0 <= part < len(person.keypoints):
            _draw_name(label(person.keypoints[part]), places[part], scale)
        gpu.state.blend_set("NONE")

    def test_select(self, context: bpy.types.Context, location: tuple[float, float]) -> int:
        """Number of the keypoint under the mouse, -1 for none."""
        current = chosen(context)
        person, view = current.person, photo_view(context, current.photo)
        if person is None or view is None or not len(person.keypoints):
            return -1
        nearest, apart = nearest_keypoint(person, view, location)
        within = apart < REACH * context.preferences.system.ui_scale
        part = nearest if within else -1
        if part != KINFLOW_GT_keypoints.part:
            KINFLOW_GT_keypoints.part = part
            context.area.tag_redraw()
        return part


class KINFLOW_GGT_keypoints(bpy.types.GizmoGroup):
    """Keypoints in camera view"""

    bl_label = "Photo Keypoints"
    bl_space_type = "VIEW_3D"
    bl_region_type = "WINDOW"
    bl_options = {"PERSISTENT"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        current = chosen(context)
        shown = context.scene.kinflow.show_keypoints and current.person is not None
        return shown and photo_view(context, current.photo) is not None

    def setup(self, context: bpy.types.Context) -> None:
        gizmo = self.gizmos.new(KINFLOW_GT_keypoints.bl_idname)
        gizmo.use_draw_modal = True
        # one for each part: Blender's tooltip tells of the operator, and that of its keypoint
        for part in range(max(KEYPOINT_SETS.values())):
            gizmo.target_set_operator("kinflow.move_keypoint", index=part).index = part


def _draw_limbs(person: bpy.types.PropertyGroup, places: np.ndarray, width: float) -> None:
    """Lines between keypoints that are seen and used. places (K, 2) px of the region."""
    shader = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
    shader.bind()
    shader.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
    shader.uniform_float("lineWidth", width)
    for a, b in edges(person.keypoint_set):
        ends = person.keypoints[a], person.keypoints[b]
        if all(p.enabled and _is_seen(p) for p in ends):
            shader.uniform_float("color", (*_colour(ends[1])[:3], 0.75))
            line = [(*places[a], 0.0), (*places[b], 0.0)]
            batch_for_shader(shader, "LINES", {"pos": line}).draw(shader)


def _draw_points(
    person: bpy.types.PropertyGroup, places: np.ndarray, radius: float, grabbed: int
) -> None:
    """A disc a keypoint. places (K, 2) px of the region; grabbed: the highlighted one, or -1."""
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    shader.bind()
    for index, point in enumerate(person.keypoints):
        if not _is_seen(point) and not point.enabled:
            continue
        size = radius * (1.5 if index == grabbed else 1.0) * (1.0 if _is_seen(point) else 0.6)
        ring = [(places[index][0] + size * x, places[index][1] + size * y) for x, y in _CIRCLE]
        triangles = [corner for a, b in pairwise(ring) for corner in (tuple(places[index]), a, b)]
        shader.uniform_float("color", GRABBED if index == grabbed else _colour(point))
        batch_for_shader(shader, "TRIS", {"pos": triangles}).draw(shader)


def _draw_name(text: str, place: np.ndarray, scale: float) -> None:
    """A name beside a place (2,) px of the region, on a dark plate: photos have every colour."""
    blf.size(FONT, TEXT * scale)
    wide, high = blf.dimensions(FONT, text)
    left, low = place + np.array([1.0, 0.6]) * REACH * scale
    pad = 0.4 * TEXT * scale
    corners = ((-pad, -pad), (wide + pad, -pad), (wide + pad, high + pad), (-pad, high + pad))
    plate = [(left + x, low + y) for x, y in corners]
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    shader.bind()
    shader.uniform_float("color", PLATE)
    batch_for_shader(shader, "TRI_FAN", {"pos": plate}).draw(shader)
    blf.position(FONT, left, low, 0)
    blf.color(FONT, 1, 1, 1, 1)
    blf.draw(FONT, text)


def _is_seen(point: bpy.types.PropertyGroup) -> bool:
    return point.confidence > SEEN


def _colour(point: bpy.types.PropertyGroup) -> tuple[float, ...]:
    if not point.enabled:
        return OFF
    side = point.name.partition("_")[0]
    return {"left": LEFT, "right": RIGHT}.get(side, MIDDLE)

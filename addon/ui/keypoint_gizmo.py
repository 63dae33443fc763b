"""The active person's keypoints over the photo: seen in camera view, and grabbed there."""

from __future__ import annotations

import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader

from kinflow.bodies.keypoint_names import edges

from ..scene.keypoints import active_person
from ..scene.photo_view import nearest_keypoint, photo_view

RADIUS, REACH = 5.0, 12.0
LEFT, RIGHT, MIDDLE, OFF = (
    (1.0, 0.58, 0.16, 1.0),
    (0.24, 0.55, 1.0, 1.0),
    (0.95, 0.95, 0.95, 1.0),
    (0.5, 0.5, 0.5, 0.6),
)
GRABBED = (1.0, 1.0, 0.2, 1.0)
_CIRCLE = [(np.cos(a), np.sin(a)) for a in np.linspace(0, 2 * np.pi, 13)]


class KINFLOW_GT_keypoints(bpy.types.Gizmo):
    """All keypoints of one person in one gizmo: its parts are their numbers."""

    bl_idname = "KINFLOW_GT_keypoints"
    part = -1  # the keypoint under the mouse; on the class, because Blender keeps no Python attributes of a gizmo

    def draw(self, context: bpy.types.Context) -> None:
        person, view = active_person(context.scene), photo_view(context)
        if person is None or view is None:
            return
        ui = context.preferences.system.ui_scale
        places = view.to_region(np.array([(p.x, p.y) for p in person.keypoints]))
        flat = gpu.shader.from_builtin("UNIFORM_COLOR")
        line = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
        gpu.state.blend_set("ALPHA")
        shown = [p.confidence > 0.3 for p in person.keypoints]
        line.bind()
        line.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
        line.uniform_float("lineWidth", 2.0 * ui)
        for a, b in edges(person.keypoint_set):
            if (
                shown[a]
                and shown[b]
                and person.keypoints[a].enabled
                and person.keypoints[b].enabled
            ):
                line.uniform_float("color", (*_colour(person.keypoints[b])[:3], 0.75))
                batch_for_shader(
                    line, "LINES", {"pos": [(*places[a], 0.0), (*places[b], 0.0)]}
                ).draw(line)
        flat.bind()
        for index, point in enumerate(person.keypoints):
            if not shown[index] and not point.enabled:
                continue
            grabbed = self.is_highlight and index == self.part
            size = RADIUS * ui * (1.5 if grabbed else 1.0) * (1.0 if shown[index] else 0.6)
            ring = [(places[index][0] + size * x, places[index][1] + size * y) for x, y in _CIRCLE]
            triangles = [
                v
                for a, b in zip(ring[:-1], ring[1:], strict=True)
                for v in (tuple(places[index]), a, b)
            ]
            flat.uniform_float("color", GRABBED if grabbed else _colour(point))
            batch_for_shader(flat, "TRIS", {"pos": triangles}).draw(flat)
        gpu.state.blend_set("NONE")

    def test_select(self, context: bpy.types.Context, location: tuple[float, float]) -> int:
        """Number of the keypoint under the mouse, -1 for none."""
        person, view = active_person(context.scene), photo_view(context)
        if person is None or view is None or not len(person.keypoints):
            return -1
        nearest, apart = nearest_keypoint(person, view, location)
        within = apart < REACH * context.preferences.system.ui_scale
        part = nearest if within else -1
        if part != KINFLOW_GT_keypoints.part:
            KINFLOW_GT_keypoints.part = part
            context.area.tag_redraw()
        return 0 if within else -1


class KINFLOW_GGT_keypoints(bpy.types.GizmoGroup):
    """Keypoints in camera view"""

    bl_idname = "KINFLOW_GGT_keypoints"
    bl_label = "Photo Keypoints"
    bl_space_type = "VIEW_3D"
    bl_region_type = "WINDOW"
    bl_options = {"PERSISTENT"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        state = context.scene.kinflow
        return (
            state.show_keypoints
            and active_person(context.scene) is not None
            and photo_view(context) is not None
        )

    def setup(self, context: bpy.types.Context) -> None:
        gizmo = self.gizmos.new(KINFLOW_GT_keypoints.bl_idname)
        gizmo.use_draw_modal = True
        gizmo.target_set_operator("kinflow.move_keypoint")


def _colour(point: bpy.types.PropertyGroup) -> tuple[float, ...]:
    if not point.enabled:
        return OFF
    return (
        LEFT
        if point.name.startswith("left")
        else RIGHT
        if point.name.startswith("right")
        else MIDDLE
    )


_CLASSES = (KINFLOW_GT_keypoints, KINFLOW_GGT_keypoints)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)

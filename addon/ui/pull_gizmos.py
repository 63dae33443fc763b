"""Handles of a body in the viewport: seen while the Pull tool is on, and grabbed there."""

from itertools import pairwise

import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader
from mathutils import Vector

from .. import session
from ..operators.common import active_body
from ..operators.pull import REACH
from ..scene import pins
from ..scene.pointer import View

TOOL = "kinflow.pull"
RADIUS, NEAR = 6.0, 70.0
FREE, GRABBED = (0.95, 0.95, 0.95, 0.9), (1.0, 1.0, 0.2, 1.0)
PINNED, HELD, EDGE = (1.0, 0.25, 0.2, 1.0), (1.0, 0.55, 0.2, 0.9), (0.05, 0.05, 0.05, 0.9)
_ROUND = [(np.cos(a), np.sin(a)) for a in np.linspace(0, 2 * np.pi, 17)]
_SQUARE = [(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]


def is_on(context: bpy.types.Context) -> bool:
    """Whether the Pull tool is the one in hand."""
    tool = context.workspace.tools.from_space_view3d_mode(context.mode)
    return tool is not None and tool.idname == TOOL


class KINFLOW_GT_pull(bpy.types.Gizmo):
    """All handles of one body in one gizmo."""

    bl_idname = "KINFLOW_GT_pull"
    # on the class: Blender keeps no Python attributes of a gizmo
    joint: str | None = None
    near: frozenset[str] = frozenset()

    def draw(self, context: bpy.types.Context) -> None:
        armature, view = active_body(context), View.of(context)
        if armature is None or view is None:
            return
        scale = context.preferences.system.ui_scale
        drag = session.pulled
        held = drag.held if drag is not None else ()
        grabbed = drag.joint if drag is not None else self.joint
        gpu.state.blend_set("ALPHA")
        for joint, place in view.handles(armature).items():
            pinned = pins.pin_of(armature, joint) is not None
            shown = joint in pins.MAIN or joint in self.near or joint == grabbed
            if not (shown or pinned or joint in held):
                continue
            colour = PINNED if pinned else HELD if joint in held else FREE
            size = scale * RADIUS * (1.4 if joint == grabbed else 1.0)
            outline = _SQUARE if pinned or joint in held else _ROUND
            _draw_shape(place, size + 1.5 * scale, outline, EDGE)
            _draw_shape(place, size, outline, GRABBED if joint == grabbed else colour)
            if joint == grabbed and pinned:
                _draw_shape(place, 0.5 * size, outline, PINNED)
        gpu.state.blend_set("NONE")

    def test_select(self, context: bpy.types.Context, location: tuple[float, float]) -> int:
        """0 where the mouse is on a handle, -1 where it is on none."""
        armature, view, cls = active_body(context), View.of(context), KINFLOW_GT_pull
        if armature is None or view is None:
            return -1
        scale, mouse = context.preferences.system.ui_scale, Vector(location)
        apart = {j: (p - mouse).length for j, p in view.handles(armature).items()}
        nearest = min(apart, key=apart.__getitem__, default=None)
        on = nearest is not None and apart[nearest] < REACH * scale
        joint = nearest if on else None
        near = frozenset(j for j, distance in apart.items() if distance < NEAR * scale)
        if (joint, near) != (cls.joint, cls.near):
            cls.joint, cls.near = joint, near
            context.area.tag_redraw()
        return 0 if on else -1


class KINFLOW_GGT_pull(bpy.types.GizmoGroup):
    """Handles that pull the body"""

    bl_label = "Pull Handles"
    bl_space_type = "VIEW_3D"
    bl_region_type = "WINDOW"
    bl_options = {"PERSISTENT"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return is_on(context) and active_body(context) is not None

    def setup(self, context: bpy.types.Context) -> None:
        gizmo = self.gizmos.new(KINFLOW_GT_pull.bl_idname)
        gizmo.use_draw_modal = True
        gizmo.target_set_operator("kinflow.pull")


def _draw_shape(
    place: Vector, size: float, outline: list[tuple[float, float]], colour: tuple[float, ...]
) -> None:
    """A filled outline about a place, px of the region."""
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    shader.bind()
    ring = [(place.x + size * x, place.y + size * y) for x, y in outline]
    triangles = [corner for a, b in pairwise(ring) for corner in (tuple(place), a, b)]
    shader.uniform_float("color", colour)
    batch_for_shader(shader, "TRIS", {"pos": triangles}).draw(shader)

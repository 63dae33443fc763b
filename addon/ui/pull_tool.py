"""The Pull tool of the toolbar, in object and pose mode."""

import bpy

from .pull_gizmos import TOOL

_KEYMAP = (
    ("kinflow.pull", {"type": "LEFTMOUSE", "value": "PRESS"}, None),
    (
        "kinflow.pull",
        {"type": "R", "value": "PRESS"},
        {"properties": [("turn", True)]},
    ),
    (
        "view3d.select",
        {"type": "LEFTMOUSE", "value": "CLICK"},
        {"properties": [("deselect_all", True)]},
    ),
)


class KINFLOW_WT_pull(bpy.types.WorkSpaceTool):
    bl_space_type = "VIEW_3D"
    bl_context_mode = "OBJECT"
    bl_idname = TOOL
    bl_label = "Pull Body"
    bl_description = "Drag hands, feet, hips or head and the body follows; click pins, R turns"
    bl_icon = "ops.pose.push"
    bl_keymap = _KEYMAP


class KINFLOW_WT_pull_pose(bpy.types.WorkSpaceTool):
    bl_space_type = "VIEW_3D"
    bl_context_mode = "POSE"
    bl_idname = TOOL
    bl_label = "Pull Body"
    bl_description = KINFLOW_WT_pull.bl_description
    bl_icon = KINFLOW_WT_pull.bl_icon
    bl_keymap = _KEYMAP


_TOOLS = (KINFLOW_WT_pull, KINFLOW_WT_pull_pose)


def register() -> None:
    for tool in _TOOLS:
        bpy.utils.register_tool(tool, separator=True)


def unregister() -> None:
    for tool in reversed(_TOOLS):
        bpy.utils.unregister_tool(tool)

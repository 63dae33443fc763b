"""Parts of the preferences that panels show too: no logic, no files."""

import bpy

from . import keymap, pose_library
from .engine import self_test
from .wrapped import draw_wrapped


def draw_self_test(context: bpy.types.Context, layout: bpy.types.UILayout) -> None:
    """Its button, and what it said."""
    layout.operator("kinflow.self_test", icon="CHECKMARK")
    if self_test.said:
        draw_wrapped(layout, context, self_test.said, "INFO")


def draw_pose_library(layout: bpy.types.UILayout) -> None:
    """The button that lists the shipped poses, or takes them off the list."""
    is_listed = pose_library.listed() is not None
    text = "Remove the Pose Library" if is_listed else "Add the Pose Library"
    icon = "REMOVE" if is_listed else "ASSET_MANAGER"
    layout.operator("kinflow.pose_library", text=text, icon=icon)


def draw_shortcuts(layout: bpy.types.UILayout) -> None:
    """Keys to switch on, and to change."""
    column = layout.column(align=True)
    column.use_property_split = False  # it leaves half of the row to the label, which is cut
    column.label(text="Shortcuts in the 3D View")
    for shortcut, item in keymap.users_items():
        row = column.split(factor=0.4)
        row.prop(item, "active", text=shortcut.label)
        row.prop(item, "type", text="", full_event=True)

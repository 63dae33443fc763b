"""Parts of the preferences that panels show too: no logic, no files."""

import textwrap

import bpy

from . import keymap, pose_library
from .engine import self_test

LETTER = 7.0  # px of an average one, before the interface's scale


def draw_text(
    context: bpy.types.Context, layout: bpy.types.UILayout, text: str, icon: str = "NONE"
) -> None:
    """A sentence in as many lines as the region's width asks for."""
    scale = context.preferences.system.ui_scale
    width = context.region.width if context.region is not None else 400
    lines = textwrap.wrap(text, max(20, int(width / (LETTER * scale)) - 8))
    column = layout.column(align=True)
    for number, line in enumerate(lines):
        column.label(text=line, icon=icon if number == 0 else "BLANK1")


def draw_self_test(context: bpy.types.Context, layout: bpy.types.UILayout) -> None:
    """Its button, and what it said."""
    layout.operator("kinflow.self_test", icon="CHECKMARK")
    if self_test.said:
        draw_text(context, layout, self_test.said, "INFO")


def draw_pose_library(layout: bpy.types.UILayout) -> None:
    """The button that lists the shipped poses, or takes them off the list."""
    is_listed = pose_library.listed() is not None
    text = "Remove the Pose Library" if is_listed else "Add the Pose Library"
    icon = "REMOVE" if is_listed else "ASSET_MANAGER"
    layout.operator("kinflow.pose_library", text=text, icon=icon)


def draw_shortcuts(layout: bpy.types.UILayout) -> None:
    """Keys to switch on, and to change."""
    column = layout.column(align=True)
    column.label(text="Shortcuts in the 3D View")
    for shortcut, item in keymap.users_items():
        row = column.split(factor=0.4)
        row.prop(item, "active", text=shortcut.label)
        row.prop(item, "type", text="", full_event=True)

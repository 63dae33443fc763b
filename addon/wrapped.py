"""Sentences that are longer than the sidebar is wide."""

import textwrap

import bpy

_PER_LETTER = 6.4  # px at a scale of 1: more than Blender's font needs on average
_MARGIN, _ICON = 40, 20


def draw_wrapped(
    layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE"
) -> None:
    """A label of as many lines as the region's width asks for."""
    scale = context.preferences.system.ui_scale or 1.0  # 0 where nothing was drawn yet
    width = context.region.width if context.region is not None else 400
    room = width / scale - _MARGIN - (_ICON if icon != "NONE" else 0)
    lines = textwrap.wrap(text, max(16, int(room / _PER_LETTER)))
    column = layout.column(align=True)
    column.scale_y = 0.8 if len(lines) > 1 else 1.0
    for number, line in enumerate(lines):
        blank = "BLANK1" if icon != "NONE" else "NONE"
        column.label(text=line, icon=icon if number == 0 else blank)

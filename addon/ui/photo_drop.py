"""Photos dropped onto the viewport."""

from __future__ import annotations

import bpy

from ..operators.import_photo import SUFFIXES


class KINFLOW_FH_photo(bpy.types.FileHandler):
    """Photos dropped onto the 3D viewport"""

    bl_idname = "KINFLOW_FH_photo"
    bl_label = "Photo for kinflow"
    bl_import_operator = "kinflow.import_photo"
    bl_file_extensions = SUFFIXES

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D"

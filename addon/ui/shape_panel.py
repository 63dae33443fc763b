"""Shape sliders."""

from __future__ import annotations

import bpy

from kinflow.bodies.arrays import default_body_arrays

from ..operators.common import active_body
from .sidebar import SidebarPanel


class KINFLOW_PT_shape(SidebarPanel, bpy.types.Panel):
    bl_idname = "KINFLOW_PT_shape"
    bl_label = "Shape"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return active_body(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        column = self.layout.column(align=True)
        for index, name in enumerate(default_body_arrays().shape_names):
            column.prop(active_body(context).kinflow, "betas", index=index, text=name, slider=True)

"""What was found in the photo, limb by limb and point by point."""

import bpy

from ..operators.clip_job import is_clips
from ..operators.common import PEOPLE_FIRST
from ..operators.usable import nothing_to_fit
from ..scene import limbs
from ..scene.choice import chosen
from .sidebar import SidebarPanel


class KINFLOW_PT_keypoints(SidebarPanel, bpy.types.Panel):
    bl_label = "Keypoints"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, state = self.layout, context.scene.kinflow
        person = chosen(context).person
        if person is None:
            layout.label(text=PEOPLE_FIRST)
            return
        layout.prop(state, "show_keypoints")
        refit = "refit_span" if is_clips(chosen(context)) else "refit"
        layout.operator(f"kinflow.{refit}", icon="FILE_REFRESH")
        if nothing_to_fit(person):
            layout.label(text="Every limb is off: nothing to fit", icon="INFO")
        layout.label(text="Use in fits:")
        grid = layout.grid_flow(row_major=True, columns=2, even_columns=True, align=True)
        for limb in limbs.LIMBS:
            on = any(p.enabled for p in person.keypoints if limbs.shows(limb, p.name))
            grid.operator("kinflow.toggle_limb", text=limbs.label(limb), depress=on).limb = limb


class KINFLOW_PT_keypoint_list(SidebarPanel, bpy.types.Panel):
    bl_label = "All Keypoints"
    bl_parent_id = "KINFLOW_PT_keypoints"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return chosen(context).person is not None

    def draw(self, context: bpy.types.Context) -> None:
        column = self.layout.column(align=True)
        for point in chosen(context).person.keypoints:
            row = column.row(align=True)
            row.prop(point, "enabled", text=point.name.replace("_", " ").title())
            row.prop(point, "x", text="")
            row.prop(point, "y", text="")

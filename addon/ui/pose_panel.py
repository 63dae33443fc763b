"""Pose sliders, presets, blending; sampling; further axes."""

import bpy

from ..operators.common import active_body, active_rig
from ..properties import SLIDERS
from ..scene import limbs, standing
from ..scene.latent import PAGE_SIZE, axis_label, preset_folder, prior_of, rarity
from ..wrapped import draw_wrapped
from .sidebar import BodyPanel, SidebarPanel


class KINFLOW_MT_pose_presets(bpy.types.Menu):
    bl_label = "Pose Presets"
    preset_operator = "script.execute_preset"

    @property
    def preset_subdir(self) -> str:
        """Presets of the active body's prior."""
        return preset_folder(active_rig(bpy.context))

    def draw(self, context: bpy.types.Context) -> None:
        if active_rig(context) is not None:
            bpy.types.Menu.draw_preset(self, context)
        else:
            self.layout.label(text="Select the body's rig first")


class KINFLOW_PT_pose(SidebarPanel, bpy.types.Panel):
    bl_label = "Pose"

    def draw(self, context: bpy.types.Context) -> None:
        layout, armature = self.layout, active_body(context)
        if armature is None:
            layout.operator("kinflow.add_body", icon="OUTLINER_OB_ARMATURE")
            return
        row = layout.row(align=True)
        row.menu("KINFLOW_MT_pose_presets", text="Pose Presets")
        row.operator("kinflow.pose_preset_add", text="", icon="ADD")
        row.operator("kinflow.pose_preset_add", text="", icon="REMOVE").remove_active = True
        draw_wrapped(layout, context, f"This pose: {rarity(armature)}")
        column, body = layout.column(align=True), armature.kinflow
        for index in range(SLIDERS):
            text = axis_label(body.prior, index)
            column.prop(body, "latent_0", index=index, text=text, slider=True)
        row = layout.row(align=True)
        for name, label, _ in standing.ITEMS:
            row.operator("kinflow.reset_pose", text=label).pose = name
        row = layout.row(align=True)
        row.operator("kinflow.mirror_pose")
        row.operator("kinflow.read_pose")
        layout.operator("kinflow.put_on_floor", icon="IMPORT")
        row = layout.row(align=True)
        row.operator("kinflow.scale_latent", text="Less").factor = 0.8
        row.operator("kinflow.scale_latent", text="More").factor = 1.25
        _draw_blend(layout, body)


def _draw_blend(layout: bpy.types.UILayout, body: bpy.types.PropertyGroup) -> None:
    row = layout.split(factor=0.14, align=True)
    row.operator("kinflow.store_pose", text="A", depress=bool(body.stored_a)).slot = "A"
    row = row.split(factor=0.84, align=True)
    slider = row.row(align=True)
    slider.enabled = bool(body.stored_a and body.stored_b)
    slider.prop(body, "blend")
    row.operator("kinflow.store_pose", text="B", depress=bool(body.stored_b)).slot = "B"


class KINFLOW_PT_sample(BodyPanel, bpy.types.Panel):
    bl_label = "Sample"
    bl_parent_id = "KINFLOW_PT_pose"

    def draw(self, context: bpy.types.Context) -> None:
        layout, state = self.layout, context.scene.kinflow
        column = layout.column(align=True)
        column.prop(state, "temperature", slider=True)
        column.prop(state, "seed")
        layout.label(text="Keep as it is:")
        grid = layout.grid_flow(row_major=True, columns=2, even_columns=True, align=True)
        for limb in limbs.LIMBS:
            grid.prop(state, f"lock_{limb}", toggle=True)
        layout.operator("kinflow.sample", icon="SHADERFX")


class KINFLOW_PT_more_axes(BodyPanel, bpy.types.Panel):
    bl_label = "More Directions"
    bl_parent_id = "KINFLOW_PT_pose"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        state, armature = context.scene.kinflow, active_body(context)
        self.layout.prop(state, "page")
        column = self.layout.column(align=True)
        first = PAGE_SIZE * (state.page - 1)
        last = min(first + PAGE_SIZE, prior_of(armature).dim)
        name = f"latent_{state.page - 1}"
        for axis in range(max(SLIDERS, first), last):
            text = axis_label(armature.kinflow.prior, axis)
            column.prop(armature.kinflow, name, index=axis - first, text=text, slider=True)

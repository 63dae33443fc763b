"""The sidebar tab, sub-panels in the order of work."""

from __future__ import annotations

import bpy

from kinflow.bodies.arrays import default_body_arrays

from .. import session
from ..operators.common import active_body
from ..properties import AXES_PER_PAGE, SLIDERS
from ..scene.axis_names import axis_label


class _Panel:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "kinflow"


class KINFLOW_PT_photo(_Panel, bpy.types.Panel):
    bl_idname = "KINFLOW_PT_photo"
    bl_label = "Photo"

    def draw(self, context: bpy.types.Context) -> None:
        layout, state = self.layout, context.scene.kinflow
        row = layout.row(align=True)
        row.prop(state, "photo_path", text="")
        row.operator("kinflow.import_photo", text="", icon="FILEBROWSER")
        layout.operator("kinflow.detect", icon="VIEWZOOM")
        if len(state.people):
            layout.template_list("UI_UL_list", "kinflow_people", state, "people", state, "active_person", rows=2)
        if state.job_text:
            layout.progress(factor=state.job_fraction, text=state.job_text)
        elif state.message:
            layout.label(text=state.message, icon="INFO")


class KINFLOW_PT_keypoints(_Panel, bpy.types.Panel):
    bl_idname = "KINFLOW_PT_keypoints"
    bl_label = "Keypoints"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, state = self.layout, context.scene.kinflow
        if not 0 <= state.active_person < len(state.people):
            layout.label(text="Find the people in a photo first")
            return
        layout.operator("kinflow.refit", icon="FILE_REFRESH")
        column = layout.column(align=True)
        for point in state.people[state.active_person].keypoints:
            row = column.row(align=True)
            row.prop(point, "enabled", text=point.name.replace("_", " "))
            row.prop(point, "x", text="")
            row.prop(point, "y", text="")


class KINFLOW_PT_fit(_Panel, bpy.types.Panel):
    bl_idname = "KINFLOW_PT_fit"
    bl_label = "Fit"

    def draw(self, context: bpy.types.Context) -> None:
        layout, state = self.layout, context.scene.kinflow
        layout.prop(state, "use_parts")
        layout.operator("kinflow.fit", icon="ARMATURE_DATA")
        armature = active_body(context)
        if armature is not None and len(armature.kinflow.hypotheses):
            body = armature.kinflow
            column = layout.column(align=True)
            column.label(text=f"Keypoint error {body.error_px:.1f} px, {body.status.replace('_', ' ')}")
            for index, hypothesis in enumerate(body.hypotheses):
                icon = "RADIOBUT_ON" if index == body.active_hypothesis else "RADIOBUT_OFF"
                column.label(text=f"Energy {hypothesis.energy:.1f}, {hypothesis.error_px:.1f} px", icon=icon)
            layout.operator("kinflow.next_hypothesis", icon="FRAME_NEXT")


class KINFLOW_PT_pose(_Panel, bpy.types.Panel):
    bl_idname = "KINFLOW_PT_pose"
    bl_label = "Pose"

    def draw(self, context: bpy.types.Context) -> None:
        layout, state = self.layout, context.scene.kinflow
        armature = active_body(context)
        if armature is None:
            layout.operator("kinflow.add_body", icon="OUTLINER_OB_ARMATURE")
            return
        column = layout.column(align=True)
        for index in range(SLIDERS):
            column.prop(armature.kinflow, "latent_0", index=index, text=axis_label(armature.kinflow.prior, index), slider=True)
        row = layout.row(align=True)
        row.operator("kinflow.reset_pose")
        row.operator("kinflow.mirror_pose")
        row.operator("kinflow.read_pose")
        row = layout.row(align=True)
        row.operator("kinflow.scale_latent", text="Less").factor = 0.8
        row.operator("kinflow.scale_latent", text="More").factor = 1.25
        row = layout.row(align=True)
        row.prop(state, "temperature")
        row.prop(state, "seed")
        layout.operator("kinflow.sample", icon="SHADERFX")


class KINFLOW_PT_more_axes(_Panel, bpy.types.Panel):
    bl_idname = "KINFLOW_PT_more_axes"
    bl_label = "More Axes"
    bl_parent_id = "KINFLOW_PT_pose"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return active_body(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        column = self.layout.column(align=True)
        for index in range(SLIDERS, AXES_PER_PAGE):
            column.prop(active_body(context).kinflow, "latent_0", index=index, text=f"Axis {index + 1}", slider=True)


class KINFLOW_PT_shape(_Panel, bpy.types.Panel):
    bl_idname = "KINFLOW_PT_shape"
    bl_label = "Shape"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return active_body(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        column = self.layout.column(align=True)
        for index, name in enumerate(default_body_arrays().shape_names):
            column.prop(active_body(context).kinflow, "betas", index=index, text=name, slider=True)


class KINFLOW_PT_animation(_Panel, bpy.types.Panel):
    bl_idname = "KINFLOW_PT_animation"
    bl_label = "Animation and Export"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.operator("kinflow.key_pose", icon="KEY_HLT")
        self.layout.operator("kinflow.fit_sequence", icon="RENDER_ANIMATION")
        self.layout.operator("kinflow.pose_asset", icon="ASSET_MANAGER")
        self.layout.operator("kinflow.export_parameters", icon="EXPORT")


class KINFLOW_PT_engine(_Panel, bpy.types.Panel):
    bl_idname = "KINFLOW_PT_engine"
    bl_label = "Engine"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        device = session.device()
        layout.label(text=f"Engine {session.state()}" + (f" on {device}" if device else ""))
        layout.operator("kinflow.stop_engine")
        layout.operator("kinflow.copy_diagnostics")
        layout.label(text="It is installed in the add-on's preferences")


_CLASSES = (
    KINFLOW_PT_photo, KINFLOW_PT_keypoints, KINFLOW_PT_fit, KINFLOW_PT_pose, KINFLOW_PT_more_axes, KINFLOW_PT_shape,
    KINFLOW_PT_animation, KINFLOW_PT_engine,
)  # fmt: skip


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)

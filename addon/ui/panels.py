"""The sidebar tab, sub-panels in the order of work."""

from __future__ import annotations

import bpy

from kinflow.bodies.arrays import default_body_arrays

from .. import session
from ..operators.common import active_body
from ..properties import AXES_PER_PAGE, SLIDERS
from ..scene import limbs
from ..scene.axis_names import axis_label
from ..scene.camera import thumbnail
from ..scene.keypoints import active_person
from ..scene.pose import latent_dim


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
        image = thumbnail(state.photo_path)
        if image is not None:
            layout.template_icon(icon_value=image, scale=7.0)
        layout.operator("kinflow.detect", icon="VIEWZOOM")
        if len(state.people):
            layout.template_list(
                "UI_UL_list", "kinflow_people", state, "people", state, "active_person", rows=2
            )
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
        person = state.people[state.active_person]
        layout.prop(state, "show_keypoints")
        layout.operator("kinflow.refit", icon="FILE_REFRESH")
        layout.label(text="Use in fits:")
        grid = layout.grid_flow(row_major=True, columns=2, even_columns=True, align=True)
        for limb in limbs.LIMBS:
            on = any(p.enabled for p in person.keypoints if limbs.shows(limb, p.name))
            grid.operator("kinflow.toggle_limb", text=limbs.label(limb), depress=on).limb = limb


class KINFLOW_PT_keypoint_list(_Panel, bpy.types.Panel):
    bl_idname = "KINFLOW_PT_keypoint_list"
    bl_label = "All Keypoints"
    bl_parent_id = "KINFLOW_PT_keypoints"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return active_person(context.scene) is not None

    def draw(self, context: bpy.types.Context) -> None:
        column = self.layout.column(align=True)
        for point in active_person(context.scene).keypoints:
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
            column.label(
                text=f"Keypoint error {body.error_px:.1f} px, {body.status.replace('_', ' ')}"
            )
            lowest = min(h.energy for h in body.hypotheses)
            for index, hypothesis in enumerate(body.hypotheses):
                above = hypothesis.energy - lowest
                text = (
                    f"Best, {hypothesis.error_px:.1f} px"
                    if above == 0
                    else f"Energy +{above:.1f}, {hypothesis.error_px:.1f} px"
                )
                shown = index == body.active_hypothesis
                row = column.operator(
                    "kinflow.show_hypothesis",
                    text=text,
                    depress=shown,
                    icon="RADIOBUT_ON" if shown else "RADIOBUT_OFF",
                )
                row.index = index
            layout.operator("kinflow.next_hypothesis", icon="FRAME_NEXT")


class KINFLOW_PT_pose(_Panel, bpy.types.Panel):
    bl_idname = "KINFLOW_PT_pose"
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
        column = layout.column(align=True)
        for index in range(SLIDERS):
            column.prop(
                armature.kinflow,
                "latent_0",
                index=index,
                text=axis_label(armature.kinflow.prior, index),
                slider=True,
            )
        row = layout.row(align=True)
        row.operator("kinflow.reset_pose")
        row.operator("kinflow.mirror_pose")
        row.operator("kinflow.read_pose")
        row = layout.row(align=True)
        row.operator("kinflow.scale_latent", text="Less").factor = 0.8
        row.operator("kinflow.scale_latent", text="More").factor = 1.25
        body = armature.kinflow
        row = layout.split(factor=0.14, align=True)
        row.operator("kinflow.store_pose", text="A", depress=bool(body.stored_a)).slot = "A"
        row = row.split(factor=0.84, align=True)
        slider = row.row(align=True)
        slider.enabled = bool(body.stored_a and body.stored_b)
        slider.prop(body, "blend")
        row.operator("kinflow.store_pose", text="B", depress=bool(body.stored_b)).slot = "B"


class KINFLOW_PT_sample(_Panel, bpy.types.Panel):
    bl_idname = "KINFLOW_PT_sample"
    bl_label = "Sample"
    bl_parent_id = "KINFLOW_PT_pose"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return active_body(context) is not None

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


class KINFLOW_PT_more_axes(_Panel, bpy.types.Panel):
    bl_idname = "KINFLOW_PT_more_axes"
    bl_label = "More Axes"
    bl_parent_id = "KINFLOW_PT_pose"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return active_body(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        state, armature = context.scene.kinflow, active_body(context)
        self.layout.prop(state, "page")
        column = self.layout.column(align=True)
        first = AXES_PER_PAGE * (state.page - 1)
        for axis in range(
            max(SLIDERS, first), min(first + AXES_PER_PAGE, latent_dim(armature.kinflow.prior))
        ):
            column.prop(
                armature.kinflow,
                f"latent_{state.page - 1}",
                index=axis - first,
                text=f"Axis {axis + 1}",
                slider=True,
            )


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
    KINFLOW_PT_photo,
    KINFLOW_PT_keypoints,
    KINFLOW_PT_keypoint_list,
    KINFLOW_PT_fit,
    KINFLOW_PT_pose,
    KINFLOW_PT_sample,
    KINFLOW_PT_more_axes,
    KINFLOW_PT_shape,
    KINFLOW_PT_animation,
    KINFLOW_PT_engine,
)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)

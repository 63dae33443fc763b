"""Where the engine is and how it works."""

import bpy

from . import sections
from .engine import find, installation
from .wrapped import draw_wrapped

MODULE = __package__


def _look_again(self: bpy.types.AddonPreferences, context: bpy.types.Context) -> None:
    find.find_python(self.engine_python)


class KinflowPreferences(bpy.types.AddonPreferences):
    bl_idname = __package__

    engine_python: bpy.props.StringProperty(
        name="Engine Python",
        description="Python that has kinflow and torch installed. Left empty, it is looked for",
        subtype="FILE_PATH",
        update=_look_again,
    )
    base_python: bpy.props.StringProperty(
        name="Python to Install With",
        description="Python that the engine is installed with. "
        "Left empty, Blender's own or one on the system",
        subtype="FILE_PATH",
    )
    install_folder: bpy.props.StringProperty(
        name="Install Into",
        description="Where the engine is installed. Left empty, Blender's data folder",
        subtype="DIR_PATH",
    )
    install_kind: bpy.props.EnumProperty(
        name="Build",
        description="Which build of torch to install",
        items=[
            ("cpu", "CPU", "For every computer: " + installation.SIZES["cpu"]),
            ("cuda", "CUDA", "For NVIDIA graphics cards: " + installation.SIZES["cuda"]),
        ],
    )
    device: bpy.props.EnumProperty(
        name="Device",
        description="Where the engine computes",
        items=[
            ("auto", "Automatic", "A CUDA graphics card where there is one"),
            ("cpu", "CPU", "The processor"),
            ("cuda", "CUDA", "An NVIDIA graphics card"),
        ],
    )
    prior: bpy.props.EnumProperty(
        name="Pose Prior",
        description="What the engine has learned of people's poses",
        items=[
            ("light", "Light", "Fast, and best on motion that it has not seen"),
            ("realnvp", "RealNVP", "Larger and slower"),
        ],
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "engine_python")
        found = find.last_found(self.engine_python)
        draw_wrapped(layout, context, found.sentence, "CHECKMARK" if found.path else "INFO")
        self._draw_install(context, layout)
        layout.prop(self, "device")
        layout.prop(self, "prior")
        box = layout.box()
        sections.draw_self_test(context, box)
        sections.draw_pose_library(box)
        sections.draw_shortcuts(layout.box())

    def _draw_install(self, context: bpy.types.Context, layout: bpy.types.UILayout) -> None:
        box = layout.box()
        progress = installation.current.progress if installation.current else None
        if installation.running():
            box.progress(factor=progress.fraction, text=progress.step)
            box.operator("kinflow.cancel_install", icon="CANCEL")
            return
        if progress is not None and progress.error:
            draw_wrapped(box, context, f"{progress.error} {progress.hint}", "ERROR")
        box.prop(self, "install_folder")
        box.prop(self, "base_python")
        box.prop(self, "install_kind", expand=True)
        box.label(text=f"This takes {installation.SIZES[self.install_kind]}")
        row = box.row()
        row.operator("kinflow.install_engine", icon="IMPORT")
        row.operator("kinflow.copy_diagnostics", icon="COPYDOWN")


def get(name: str) -> str:
    """A preference, or its default where the add-on runs without being an installed extension."""
    addon = bpy.context.preferences.addons.get(__package__)
    if addon and addon.preferences:
        return getattr(addon.preferences, name)
    return KinflowPreferences.bl_rna.properties[name].default


register, unregister = bpy.utils.register_classes_factory((KinflowPreferences,))

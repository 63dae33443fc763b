"""Where the engine is and how it works."""

from __future__ import annotations

import bpy

from . import engine_install, engine_setup


class KinflowPreferences(bpy.types.AddonPreferences):
    bl_idname = __package__

    engine_python: bpy.props.StringProperty(
        name="Engine Python",
        description="Python interpreter that has kinflow and torch installed. Left empty, it is looked for",
        subtype="FILE_PATH",
    )
    base_python: bpy.props.StringProperty(
        name="Made With",
        description="Python to make the engine's environment with. Left empty, Blender's own or one on the system",
        subtype="FILE_PATH",
    )
    install_folder: bpy.props.StringProperty(
        name="Folder",
        description="Where the engine is installed. Left empty, Blender's data folder",
        subtype="DIR_PATH",
    )
    install_kind: bpy.props.EnumProperty(
        name="Build",
        description="Which build of torch to install",
        items=[
            ("cpu", "CPU", "For every computer: " + engine_install.SIZES["cpu"]),
            ("cuda", "CUDA", "For NVIDIA graphics cards: " + engine_install.SIZES["cuda"]),
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
        description="Which learned prior the engine fits with",
        items=[
            ("light", "Light", "Five square layers; fast, and best on motion that it has not seen"),
            ("realnvp", "RealNVP", "Coupling layers; slower"),
        ],
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "engine_python")
        found = engine_setup.find_python(self.engine_python)
        layout.label(text=found.sentence, icon="CHECKMARK" if found.path else "INFO")
        self._draw_install(layout)
        layout.prop(self, "device")
        layout.prop(self, "prior")

    def _draw_install(self, layout: bpy.types.UILayout) -> None:
        from .operators import install_engine

        box = layout.box()
        running = install_engine.running()
        if running is not None:
            box.progress(factor=running.progress.fraction, text=running.progress.step)
            box.operator("kinflow.cancel_install", icon="CANCEL")
            return
        box.prop(self, "install_folder")
        box.prop(self, "base_python")
        box.prop(self, "install_kind", expand=True)
        box.label(text=f"This takes {engine_install.SIZES[self.install_kind]}")
        row = box.row()
        row.operator("kinflow.install_engine", icon="IMPORT")
        row.operator("kinflow.copy_diagnostics", icon="COPYDOWN")


def get(name: str) -> str:
    """A preference, or its default where the add-on runs without being an installed extension."""
    addon = bpy.context.preferences.addons.get(__package__)
    defaults = {
        "engine_python": "",
        "base_python": "",
        "install_folder": "",
        "install_kind": "cpu",
        "device": "auto",
        "prior": "light",
    }
    return getattr(addon.preferences, name) if addon and addon.preferences else defaults[name]


def register() -> None:
    bpy.utils.register_class(KinflowPreferences)


def unregister() -> None:
    bpy.utils.unregister_class(KinflowPreferences)

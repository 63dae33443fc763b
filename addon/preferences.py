"""Where the engine is and how it works."""

from __future__ import annotations

import bpy

from . import engine_setup


class KinflowPreferences(bpy.types.AddonPreferences):
    bl_idname = __package__

    engine_python: bpy.props.StringProperty(
        name="Engine Python",
        description="Python interpreter that has kinflow and torch installed. Left empty, it is looked for",
        subtype="FILE_PATH",
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
        layout.prop(self, "device")
        layout.prop(self, "prior")


def get(name: str) -> str:
    """A preference, or its default where the add-on runs without being an installed extension."""
    addon = bpy.context.preferences.addons.get(__package__)
    defaults = {"engine_python": "", "device": "auto", "prior": "light"}
    return getattr(addon.preferences, name) if addon and addon.preferences else defaults[name]


def register() -> None:
    bpy.utils.register_class(KinflowPreferences)


def unregister() -> None:
    bpy.utils.unregister_class(KinflowPreferences)

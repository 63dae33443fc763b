"""The engine's state; where it is missing, the way to it."""

import bpy

from .. import preferences, sections, session
from ..engine import find
from .sidebar import SidebarPanel


def is_missing() -> bool:
    """Whether no Python with the engine was found."""
    return find.last_found(preferences.get("engine_python")).path is None


def draw_missing(layout: bpy.types.UILayout) -> None:
    """A box that leads to the preferences; nothing where the engine is there."""
    if is_missing():
        box = layout.box()
        box.label(text="The engine is not installed", icon="ERROR")
        box.operator("kinflow.open_preferences", text="Install the Engine...", icon="PREFERENCES")


class KINFLOW_PT_engine(SidebarPanel, bpy.types.Panel):
    bl_label = "Engine"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        if is_missing():
            draw_missing(layout)
        else:
            device = session.device()
            layout.label(text=f"Engine {session.state()}" + (f" on {device}" if device else ""))
        sections.draw_self_test(context, layout)
        layout.operator("kinflow.stop_engine")
        layout.operator("kinflow.copy_diagnostics")
        layout.operator("kinflow.open_preferences", icon="PREFERENCES")

"""The engine's state."""

import bpy

from .. import session
from .sidebar import SidebarPanel


class KINFLOW_PT_engine(SidebarPanel, bpy.types.Panel):
    bl_label = "Engine"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        device = session.device()
        layout.label(text=f"Engine {session.state()}" + (f" on {device}" if device else ""))
        layout.operator("kinflow.stop_engine")
        layout.operator("kinflow.copy_diagnostics")
        layout.label(text="It is installed in the add-on's preferences")

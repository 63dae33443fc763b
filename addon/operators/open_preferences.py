"""From a panel to the add-on's preferences."""

import bpy

from .. import preferences
from .common import needs


class KINFLOW_OT_open_preferences(bpy.types.Operator):
    """Open kinflow's preferences: install the engine there, or choose a Python that has it"""

    bl_idname = "kinflow.open_preferences"
    bl_label = "Open Preferences"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        text = "kinflow is not installed as an add-on here, so it has no preferences"
        return needs(cls, preferences.MODULE in context.preferences.addons, text)

    def execute(self, context: bpy.types.Context) -> set[str]:
        # the module's name differs between an extension of whatever repository and a legacy add-on
        return bpy.ops.preferences.addon_show("INVOKE_DEFAULT", module=preferences.MODULE)

"""Stop the engine by hand."""

import bpy

from .. import session
from .common import needs


class KINFLOW_OT_stop_engine(bpy.types.Operator):
    """End the engine process; the next fit starts it again"""

    bl_idname = "kinflow.stop_engine"
    bl_label = "Stop Engine"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return needs(cls, session.state() != "off", "The engine is not running")

    def execute(self, context: bpy.types.Context) -> set[str]:
        session.close()
        return {"FINISHED"}

"""The shipped poses in the asset browser, or not."""

import bpy

from .. import pose_library
from .common import needs


class KINFLOW_OT_pose_library(bpy.types.Operator):
    """List kinflow's poses among the asset libraries, or take them off that list again"""

    bl_idname = "kinflow.pose_library"
    bl_label = "Pose Library"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return needs(cls, pose_library.FILE.is_file(), "This copy of the add-on has no poses")

    @classmethod
    def description(
        cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties
    ) -> str:
        if pose_library.listed() is None:
            return "List kinflow's poses among your asset libraries"
        return "Take kinflow's poses off your list of asset libraries; the file stays"

    def execute(self, context: bpy.types.Context) -> set[str]:
        if pose_library.listed() is None:
            pose_library.add()
            text = f"{pose_library.NAME} is in the asset browser: apply its poses in pose mode"
        else:
            pose_library.remove()
            text = f"{pose_library.NAME} is no longer listed"
        self.report({"INFO"}, text)
        return {"FINISHED"}

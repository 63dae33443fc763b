"""The pie menu, for a key that is offered in the preferences."""

import bpy

from ..keymap import PIE

# left, right, bottom, top, then the corners: as Blender fills a pie
ENTRIES = (
    ("kinflow.import_photo", "FILEBROWSER"),
    ("kinflow.add_body", "OUTLINER_OB_ARMATURE"),
    ("kinflow.put_on_floor", "IMPORT"),
    ("kinflow.reset_pose", "LOOP_BACK"),
    ("kinflow.detect", "VIEWZOOM"),
    ("kinflow.sample", "SHADERFX"),
    ("kinflow.fit", "ARMATURE_DATA"),
    ("kinflow.mirror_pose", "MOD_MIRROR"),
)


class KINFLOW_MT_pie(bpy.types.Menu):
    bl_idname = PIE
    bl_label = "kinflow"

    def draw(self, context: bpy.types.Context) -> None:
        pie = self.layout.menu_pie()
        for operator, icon in ENTRIES:
            pie.operator(operator, icon=icon)

"""Entries of Blender's own Object, Pose and Add menus."""

import bpy


def _draw(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.separator()
    self.layout.operator("kinflow.put_on_floor", icon="IMPORT")


def _draw_add(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.operator("kinflow.add_body", text="kinflow Body", icon="OUTLINER_OB_ARMATURE")


_ENTRIES = (
    ("VIEW3D_MT_object", _draw),
    ("VIEW3D_MT_pose", _draw),
    ("VIEW3D_MT_armature_add", _draw_add),
)


def register() -> None:
    for menu, draw in _ENTRIES:
        getattr(bpy.types, menu).append(draw)


def unregister() -> None:
    for menu, draw in reversed(_ENTRIES):
        getattr(bpy.types, menu).remove(draw)

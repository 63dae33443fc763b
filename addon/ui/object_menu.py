"""Entries of Blender's own Object and Pose menus."""

import bpy


def _draw(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.separator()
    self.layout.operator("kinflow.put_on_floor", icon="IMPORT")


def register() -> None:
    bpy.types.VIEW3D_MT_object.append(_draw)
    bpy.types.VIEW3D_MT_pose.append(_draw)


def unregister() -> None:
    bpy.types.VIEW3D_MT_pose.remove(_draw)
    bpy.types.VIEW3D_MT_object.remove(_draw)

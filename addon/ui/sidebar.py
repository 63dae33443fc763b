"""Where all panels are: the 3D view's sidebar, tab kinflow."""

import bpy

from ..operators.common import active_body


class SidebarPanel:
    """Mixin of every panel."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "kinflow"


class BodyPanel(SidebarPanel):
    """Mixin: needs a body."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return active_body(context) is not None

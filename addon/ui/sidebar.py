"""Where all panels are: the 3D view's sidebar, tab kinflow."""

from __future__ import annotations


class SidebarPanel:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "kinflow"

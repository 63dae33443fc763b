"""Panels, gizmos and menus: no logic in draw()."""

import bpy

from ..scene import hypothesis_pictures, look
from . import (
    engine_panel,
    fit_panel,
    keypoint_gizmo,
    keypoints_panel,
    object_menu,
    output_panel,
    photo_panel,
    pie_menu,
    pose_panel,
    pull_gizmos,
    pull_panel,
    pull_tool,
    shape_panel,
)

# panels in the order of work, a sub-panel after its parent
_CLASSES = (
    photo_panel.KINFLOW_PT_photo,
    keypoints_panel.KINFLOW_PT_keypoints,
    keypoints_panel.KINFLOW_PT_keypoint_list,
    fit_panel.KINFLOW_PT_fit,
    pose_panel.KINFLOW_MT_pose_presets,
    pose_panel.KINFLOW_PT_pose,
    pull_panel.KINFLOW_PT_pull,
    pose_panel.KINFLOW_PT_sample,
    pose_panel.KINFLOW_PT_more_axes,
    shape_panel.KINFLOW_PT_shape,
    output_panel.KINFLOW_PT_animation,
    output_panel.KINFLOW_PT_clip,
    engine_panel.KINFLOW_PT_engine,
    pie_menu.KINFLOW_MT_pie,
    photo_panel.KINFLOW_FH_photo,
    keypoint_gizmo.KINFLOW_GT_keypoints,
    keypoint_gizmo.KINFLOW_GGT_keypoints,
    pull_gizmos.KINFLOW_GT_pull,
    pull_gizmos.KINFLOW_GGT_pull,
)

_register_classes, _unregister_classes = bpy.utils.register_classes_factory(_CLASSES)


def register() -> None:
    _register_classes()
    look.register()
    object_menu.register()
    pull_tool.register()


def unregister() -> None:
    pull_tool.unregister()
    object_menu.unregister()
    hypothesis_pictures.unregister()
    look.unregister()
    _unregister_classes()

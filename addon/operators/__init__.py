"""One operator a file."""

from __future__ import annotations

import bpy

from . import (
    add_body,
    apply_fit,
    detect,
    export,
    fit,
    hypothesis,
    import_photo,
    install_engine,
    key_pose,
    latent_tools,
    move_keypoint,
    refit,
    sample,
    sequence,
    stop_engine,
    stored_poses,
    toggle_limb,
)

_CLASSES = (
    import_photo.KINFLOW_OT_import_photo,
    import_photo.KINFLOW_FH_photo,
    detect.KINFLOW_OT_detect,
    apply_fit.KINFLOW_OT_apply_fit,
    fit.KINFLOW_OT_fit,
    refit.KINFLOW_OT_refit,
    move_keypoint.KINFLOW_OT_move_keypoint,
    toggle_limb.KINFLOW_OT_toggle_limb,
    hypothesis.KINFLOW_OT_next_hypothesis,
    hypothesis.KINFLOW_OT_show_hypothesis,
    add_body.KINFLOW_OT_add_body,
    sample.KINFLOW_OT_sample,
    latent_tools.KINFLOW_OT_reset_pose,
    latent_tools.KINFLOW_OT_mirror_pose,
    latent_tools.KINFLOW_OT_scale_latent,
    latent_tools.KINFLOW_OT_read_pose,
    stored_poses.KINFLOW_OT_store_pose,
    stored_poses.KINFLOW_MT_pose_presets,
    stored_poses.KINFLOW_OT_pose_preset_add,
    key_pose.KINFLOW_OT_key_pose,
    export.KINFLOW_OT_export_parameters,
    sequence.KINFLOW_OT_fit_sequence,
    sequence.KINFLOW_OT_apply_sequence,
    sequence.KINFLOW_OT_pose_asset,
    stop_engine.KINFLOW_OT_stop_engine,
    install_engine.KINFLOW_OT_install_engine,
    install_engine.KINFLOW_OT_cancel_install,
    install_engine.KINFLOW_OT_copy_diagnostics,
)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)

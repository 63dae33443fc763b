"""One operator a file."""

from __future__ import annotations

import bpy

from . import (
    add_body,
    apply_fit,
    apply_sequence,
    cancel_install,
    copy_diagnostics,
    detect,
    export_parameters,
    fit,
    fit_sequence,
    import_photo,
    install_engine,
    key_pose,
    mirror_pose,
    move_keypoint,
    next_hypothesis,
    pose_asset,
    pose_preset_add,
    read_pose,
    refit,
    reset_pose,
    sample,
    scale_latent,
    show_hypothesis,
    stop_engine,
    store_pose,
    toggle_limb,
)

# an operator before those that call it
_CLASSES = (
    import_photo.KINFLOW_OT_import_photo,
    detect.KINFLOW_OT_detect,
    apply_fit.KINFLOW_OT_apply_fit,
    fit.KINFLOW_OT_fit,
    refit.KINFLOW_OT_refit,
    move_keypoint.KINFLOW_OT_move_keypoint,
    toggle_limb.KINFLOW_OT_toggle_limb,
    show_hypothesis.KINFLOW_OT_show_hypothesis,
    next_hypothesis.KINFLOW_OT_next_hypothesis,
    add_body.KINFLOW_OT_add_body,
    sample.KINFLOW_OT_sample,
    reset_pose.KINFLOW_OT_reset_pose,
    mirror_pose.KINFLOW_OT_mirror_pose,
    scale_latent.KINFLOW_OT_scale_latent,
    read_pose.KINFLOW_OT_read_pose,
    store_pose.KINFLOW_OT_store_pose,
    pose_preset_add.KINFLOW_OT_pose_preset_add,
    key_pose.KINFLOW_OT_key_pose,
    pose_asset.KINFLOW_OT_pose_asset,
    apply_sequence.KINFLOW_OT_apply_sequence,
    fit_sequence.KINFLOW_OT_fit_sequence,
    export_parameters.KINFLOW_OT_export_parameters,
    stop_engine.KINFLOW_OT_stop_engine,
    install_engine.KINFLOW_OT_install_engine,
    cancel_install.KINFLOW_OT_cancel_install,
    copy_diagnostics.KINFLOW_OT_copy_diagnostics,
)

register, unregister = bpy.utils.register_classes_factory(_CLASSES)

"""One operator a file: `fit.py` holds KINFLOW_OT_fit."""

from importlib import import_module

import bpy

# an operator before those that call it
_NAMES = """
import_photo choose_photo detect look_through look_from_side apply_fit fit refit
toggle_limb show_hypothesis next_hypothesis add_body sample reset_pose mirror_pose scale_latent
read_pose put_on_floor store_pose pose_preset_add key_pose pose_asset apply_sequence fit_sequence
apply_span refit_span pin_contact free_contact contact_markers move_keypoint
export_parameters stop_engine install_engine cancel_install copy_diagnostics open_preferences
self_test pose_library toggle_pin clear_pins pull_to pull
"""
_CLASSES = [
    getattr(import_module(f".{name}", __name__), f"KINFLOW_OT_{name}") for name in _NAMES.split()
]

register, unregister = bpy.utils.register_classes_factory(_CLASSES)

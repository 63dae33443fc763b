"""The body's size, put onto mesh and bones a moment after its sliders were moved.

Rest bones can be moved in edit mode alone, and what a property's update changes modes for, undo and
the mouse that drags the slider do not expect. Without a window nothing else waits, and it is done
at once.
"""

import bpy
from bpy.app.handlers import persistent

from . import body, hand_posed, pose, pull

_asked: set[int] = set()


def ask_for_shape(armature: bpy.types.Object) -> None:
    """Applies the shape properties when Blender is done with what it does."""
    if bpy.app.background:
        _shape(armature)
        return
    _asked.add(armature.session_uid)
    if not bpy.app.timers.is_registered(_run):
        bpy.app.timers.register(_run, first_interval=0.0)


def hold(armature: bpy.types.Object) -> None:
    """After kinflow has posed or shaped a body: its pins, and what is now its own doing."""
    pull.hold_pins(armature)
    hand_posed.note(armature)


def _shape(armature: bpy.types.Object) -> None:
    body.own_data(armature)
    pose.shape_from_betas(armature)
    hold(armature)


def _run() -> None:
    window = bpy.context.window_manager.windows[0]
    with bpy.context.temp_override(window=window):
        for armature in body.find_bodies():
            # bones of what another scene shows cannot be edited
            here = armature.name in window.view_layer.objects
            if armature.session_uid in _asked and here and armature.mode != "EDIT":
                _shape(armature)
    _asked.clear()


@persistent
def _after_undo(*_: object) -> None:
    """Of a step that was taken before the shape was applied."""
    for armature in body.find_bodies():
        pairs = zip(body.shape_keys(armature), armature.kinflow.betas[:], strict=True)
        apart = any(key is not None and abs(key.value - beta) > 1e-4 for key, beta in pairs)
        if apart and not body.shape_remark(armature):
            ask_for_shape(armature)


def register() -> None:
    bpy.app.handlers.undo_post.append(_after_undo)
    bpy.app.handlers.redo_post.append(_after_undo)


def unregister() -> None:
    bpy.app.handlers.undo_post.remove(_after_undo)
    bpy.app.handlers.redo_post.remove(_after_undo)
    if bpy.app.timers.is_registered(_run):
        bpy.app.timers.unregister(_run)

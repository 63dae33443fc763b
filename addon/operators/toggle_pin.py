"""Pin a handle, or free it."""

import bpy

from ..scene import pins
from .common import BodyOperator


class KINFLOW_OT_toggle_pin(BodyOperator, bpy.types.Operator):
    """Keep this point where it is while the rest is pulled, posed by sliders or sampled; again
    frees it"""

    bl_idname = "kinflow.toggle_pin"
    bl_label = "Pin"

    handle: bpy.props.EnumProperty(name="Handle", items=pins.ITEMS, default="right_wrist")

    def change(self, context: bpy.types.Context, armature: bpy.types.Object) -> None:
        armature.kinflow.pull_message = ""
        if pins.pin_of(armature, self.handle) is not None:
            pins.free(armature, self.handle)
            return
        context.view_layer.update()
        # a foot that stands stands flat
        pins.pin_here(armature, self.handle, self.handle in pins.FEET)

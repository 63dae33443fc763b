"""Free a contact that was pinned in a clip."""

import bpy

from ..scene import choice, touches
from .common import needs


class KINFLOW_OT_free_contact(bpy.types.Operator):
    """Pin this contact no more. Refit Frames then fits without it"""

    bl_idname = "kinflow.free_contact"
    bl_label = "Free Contact"
    bl_options = {"REGISTER", "UNDO"}

    index: bpy.props.IntProperty(name="Number", min=0, options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        person = choice.chosen(context).person
        pinned = person is not None and len(person.contacts)
        return needs(cls, pinned, "No contact is pinned here")

    def execute(self, context: bpy.types.Context) -> set[str]:
        pins = choice.chosen(context).person.contacts
        if self.index >= len(pins):
            self.report({"ERROR"}, f"There is no pin {self.index}; {len(pins)} are here.")
            return {"CANCELLED"}
        pin = pins[self.index]
        said = f"{touches.label(pin.contact)} is free from {pin.first} to {pin.last}"
        pins.remove(self.index)
        context.scene.kinflow.message = f"{said}; press Refit Frames"
        return {"FINISHED"}

"""Pin a contact in some frames of a clip, and fit these again."""

import bpy

from kinflow.client import Job

from ..scene import choice, touches
from ..scene.clip import AROUND
from .clip_job import SpanJob, clip_of


class KINFLOW_OT_pin_contact(SpanJob, bpy.types.Operator):
    """Keep a foot, a hand, a knee or the seat on the floor in frames of a clip, without sliding:
    those of the preview range, or around the current frame"""

    bl_idname = "kinflow.pin_contact"
    bl_label = "Pin Contact"

    contact: bpy.props.EnumProperty(name="Contact", items=touches.ITEMS, options={"SKIP_SAVE"})
    first: bpy.props.IntProperty(name="First Frame", options={"SKIP_SAVE"})
    last: bpy.props.IntProperty(name="Last Frame", options={"SKIP_SAVE"})

    def send(self, context: bpy.types.Context) -> Job:
        first, last = self._pinned = self.span(context)
        # what leads there and away follows, as far as it was fitted
        span, clip = self._pinned, clip_of(choice.chosen(context))
        if clip is not None:
            version = choice.chosen(context).person.version
            for wider in ((first - AROUND, last + AROUND), (first - AROUND, last)):
                if clip.run_around(version, clip.rows_in(*wider)) is not None:
                    span = wider
                    break
        return self.submit(context, span, [(self._name(context), first, last)])

    def applied(self) -> dict[str, object]:
        first, last = self._pinned
        return {"contact": self._contact, "first": first, "last": last}

    def _name(self, context: bpy.types.Context) -> str:
        asked = self.properties.is_property_set("contact")
        self._contact = self.contact if asked else context.scene.kinflow.contact
        return self._contact

"""Show or hide the markers of a clip's contacts."""

import bpy

from ..scene import choice, contact_markers
from .clip_job import A_CLIP_FIRST
from .common import needs


class KINFLOW_OT_contact_markers(bpy.types.Operator):
    """Mark on the timeline when this body's feet, hands, knees and seat touch the floor; again
    takes these markers away"""

    bl_idname = "kinflow.contact_markers"
    bl_label = "Contact Markers"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        person = choice.chosen(context).person
        return needs(cls, person is not None and person.marks, A_CLIP_FIRST)

    def execute(self, context: bpy.types.Context) -> set[str]:
        person = choice.chosen(context).person
        change = contact_markers.hide if person.has_markers else contact_markers.show
        change(context.scene, person)
        return {"FINISHED"}

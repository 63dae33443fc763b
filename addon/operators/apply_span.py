"""Key frames of a clip that were fitted again: the one undo step of it."""

import bpy

from .. import session
from ..scene import contact_markers, hand_posed, photos, touches
from ..scene.clip import Clip
from ..scene.motion import Motion
from .apply_sequence import write_keys


class KINFLOW_OT_apply_span(bpy.types.Operator):
    """Key frames that were fitted again, and nothing else"""

    bl_idname = "kinflow.apply_span"
    bl_label = "Refit Frames"
    bl_options = {"UNDO", "INTERNAL"}

    contact: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    first: bpy.props.IntProperty(options={"HIDDEN", "SKIP_SAVE"})
    last: bpy.props.IntProperty(options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene, asked = context.scene, session.refitted
        found = photos.people_by_key(scene).get(asked.key) if asked is not None else None
        clip = session.clips.get(asked.key) if asked is not None else None
        armature = photos.body_of_person(found[1]) if found is not None else None
        if armature is None or clip is None:
            self.report({"WARNING"}, "The body of these frames is gone.")
            return {"CANCELLED"}
        _, person = found
        rows = range(asked.begin, asked.begin + len(asked.results))
        person.version = clip.refitted(person.version, asked)
        _key(armature, clip, rows, clip.versions[person.version])
        if self.contact:
            pin = person.contacts.add()
            pin.contact, pin.first, pin.last = self.contact, self.first, self.last
        contact_markers.store(scene, person, clip, clip.versions[person.version])
        scene.frame_set(scene.frame_current)
        hand_posed.note(armature)
        said = f"Frames {clip.frame_of(rows[0])} to {clip.frame_of(rows[-1])} fitted again"
        if self.contact:
            said += f"; {touches.label(self.contact)} is pinned from {self.first} to {self.last}"
        scene.kinflow.message = said
        return {"FINISHED"}


def _key(armature: bpy.types.Object, clip: Clip, rows: range, results: list) -> None:
    """Keys of rows, for the rig where it was when the clip was keyed: whoever moved it since moved
    all of the motion."""
    some = [results[row] for row in rows]
    motion = Motion.of(some, [clip.view] * len(some), clip.origin)
    write_keys(
        armature, clip, motion, list(rows), (clip.frame_of(rows[0]), clip.frame_of(rows[-1]))
    )

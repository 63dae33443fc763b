"""Switch a limb's keypoints off and on again."""

import bpy

from ..scene import limbs
from ..scene.choice import chosen
from .common import PEOPLE_FIRST, needs

ITEMS = [(name, limbs.label(name), "") for name in limbs.LIMBS]


class KINFLOW_OT_toggle_limb(bpy.types.Operator):
    """Fit this limb to its keypoints, or let it be as people mostly hold it"""

    bl_idname = "kinflow.toggle_limb"
    bl_label = "Use Limb"
    bl_options = {"REGISTER", "UNDO"}

    limb: bpy.props.EnumProperty(name="Limb", items=ITEMS)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return needs(cls, chosen(context).person, PEOPLE_FIRST)

    def execute(self, context: bpy.types.Context) -> set[str]:
        keypoints = chosen(context).person.keypoints
        points = [p for p in keypoints if limbs.shows(self.limb, p.name)]
        enabled = not any(p.enabled for p in points)
        for point in points:
            point.enabled = enabled
        return {"FINISHED"}

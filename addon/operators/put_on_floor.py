"""Put bodies on the floor."""

import bpy

from ..scene import body, soles
from .common import BodyOperator, active_body


class KINFLOW_OT_put_on_floor(BodyOperator, bpy.types.Operator):
    """Lower or raise the selected bodies until their lowest point is on the floor, at Z = 0"""

    bl_idname = "kinflow.put_on_floor"
    bl_label = "Put on Floor"

    def execute(self, context: bpy.types.Context) -> set[str]:
        selected = set(context.selected_objects)
        bodies = [b for b in body.find_bodies() if selected & {b, body.mesh_of(b)}]
        bodies = [b for b in bodies or [active_body(context)] if b.library is None]
        # what Blender shows: constraints, scaled bones and further modifiers count
        lowest = {b: soles.lowest_shown(context, b) for b in bodies}
        for armature, height in lowest.items():
            if height is None:
                text = f"{armature.name} has no mesh in this view layer to put on the floor"
                self.report({"WARNING"}, text)
            else:
                soles.lift(armature, -height)
        return {"FINISHED"} if any(h is not None for h in lowest.values()) else {"CANCELLED"}

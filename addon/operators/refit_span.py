"""Fit some frames of a clip again."""

import bpy

from kinflow.client import Job

from .clip_job import SpanJob


class KINFLOW_OT_refit_span(SpanJob, bpy.types.Operator):
    """Fit frames of a clip again, with the keypoints and pinned contacts as they are: those of the
    preview range, or around the current frame"""

    bl_idname = "kinflow.refit_span"
    bl_label = "Refit Frames"

    first: bpy.props.IntProperty(name="First Frame", options={"SKIP_SAVE"})
    last: bpy.props.IntProperty(name="Last Frame", options={"SKIP_SAVE"})

    def send(self, context: bpy.types.Context) -> Job:
        return self.submit(context, self.span(context), [])

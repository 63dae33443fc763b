"""Several photos, or a video, to keyframes."""

from pathlib import Path

import bpy
from bpy_extras.io_utils import ImportHelper

from kinflow.batch.sources import PHOTO_SUFFIXES, VIDEO_SUFFIXES
from kinflow.client import Job
from kinflow.errors import KinflowError

from .. import preferences, session
from .common import EngineJob

SUFFIXES = PHOTO_SUFFIXES | VIDEO_SUFFIXES


class KINFLOW_OT_fit_sequence(EngineJob, bpy.types.Operator, ImportHelper):
    """Fit one person through several photos, or through a video, and key a body, a photo a frame"""

    bl_idname = "kinflow.fit_sequence"
    bl_label = "Photos to Keyframes"
    bl_options = {"REGISTER"}

    files: bpy.props.CollectionProperty(
        type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"}
    )
    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})
    filter_image: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    filter_movie: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    step: bpy.props.IntProperty(
        name="Frames a Photo", description="Frames from one photo to the next", default=1, min=1
    )
    smooth: bpy.props.BoolProperty(
        name="One Motion",
        description="The photos are frames of one clip: "
        "track the person and fit all frames together",
        default=True,
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if not self.files:
            context.window_manager.fileselect_add(self)
            return {"RUNNING_MODAL"}
        return EngineJob.invoke(self, context, event)

    def cancel(self, context: bpy.types.Context) -> None:
        # of the file browser too, before anything was sent
        if self._job is not None:
            super().cancel(context)

    def send(self, context: bpy.types.Context) -> Job:
        folder = Path(bpy.path.abspath(self.directory))
        names = sorted(f.name for f in self.files if Path(f.name).suffix.lower() in SUFFIXES)
        if not names:
            raise KinflowError("No photo was chosen.", "Choose several photos of one person.")
        return session.engine().submit(
            "fit_sequence",
            photos=[str(folder / name) for name in names],
            prior=preferences.get("prior"),
            device=preferences.get("device"),
            losses=["ka", "ba"] if context.scene.kinflow.use_parts else ["ka"],
            smooth=self.smooth,
            mesh=True,
        )

    def finish(self, context: bpy.types.Context, value: list) -> set[str]:
        session.sequence = value
        return bpy.ops.kinflow.apply_sequence("EXEC_DEFAULT", True, step=self.step)

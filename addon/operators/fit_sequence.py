"""Several photos, or a video, to keyframes: one motion or single poses, by the files."""

from pathlib import Path

import bpy
from bpy_extras.io_utils import ImportHelper

from kinflow.batch.sources import PHOTO_SUFFIXES, VIDEO_SUFFIXES
from kinflow.client import Job
from kinflow.errors import KinflowError

from .. import preferences, session
from ..scene import clip_files
from .common import EngineJob

SUFFIXES = PHOTO_SUFFIXES | VIDEO_SUFFIXES


class KINFLOW_OT_fit_sequence(EngineJob, bpy.types.Operator, ImportHelper):
    """Fit a person in a video, in numbered frames, or in single photos, and key a new body"""

    bl_idname = "kinflow.fit_sequence"
    bl_label = "Photos to Keyframes"
    bl_options = {"REGISTER"}

    files: bpy.props.CollectionProperty(
        type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"}
    )
    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})
    filter_image: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    filter_movie: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    kind: bpy.props.EnumProperty(
        name="Keep as",
        items=[
            (
                "FILES",
                "By the Files",
                "Videos and numbered frames are a motion, others poses",
            ),
            ("MOTION", "Motion", "One person is followed, and all frames are fitted together"),
            ("POSES", "Poses", "Each photo by itself, each on the floor"),
        ],
    )
    step: bpy.props.IntProperty(
        name="Step",
        description="Frames of the timeline from one pose to the next",
        default=1,
        min=1,
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
        known = [f.name for f in self.files if Path(f.name).suffix.lower() in SUFFIXES]
        names = clip_files.in_order(known)
        if not names:
            raise KinflowError("No photo was chosen.", "Choose several photos of one person.")
        by_files = self.kind == "FILES" and clip_files.are_one_motion(names)
        self._motion = by_files or self.kind == "MOTION"
        self._source = str(folder / names[0])
        return session.engine().submit(
            "fit_sequence",
            photos=[str(folder / name) for name in names],
            prior=preferences.get("prior"),
            device=preferences.get("device"),
            losses=["ka", "ba"] if context.scene.kinflow.use_parts else ["ka"],
            smooth=self._motion,
            mesh=True,
        )

    def finish(self, context: bpy.types.Context, value: list) -> set[str]:
        session.sequence = value
        return bpy.ops.kinflow.apply_sequence(
            "EXEC_DEFAULT", True, source=self._source, motion=self._motion, step=self.step
        )

"""Several photos, or a video, to keyframes: one motion or single poses, by the files."""

from math import radians
from pathlib import Path

import bpy
from bpy_extras.io_utils import ImportHelper

from kinflow.batch.sources import PHOTO_SUFFIXES, VIDEO_SUFFIXES
from kinflow.client import Job
from kinflow.errors import KinflowError

from .. import preferences, session
from ..scene import clip_files, sparse
from ..scene.clip import Fitted
from .apply_sequence import KEYS
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
    keys: bpy.props.EnumProperty(name="Keys", description="Which frames of a motion", items=KEYS)
    angle: bpy.props.FloatProperty(
        name="Angle",
        description="How far sparse keys may leave a bone turned from the motion",
        subtype="ANGLE",
        default=sparse.Tolerance.angle,
        min=radians(0.1),
        soft_max=radians(10),
    )
    distance: bpy.props.FloatProperty(
        name="Distance",
        description="How far sparse keys may leave a joint from where it is in the motion",
        subtype="DISTANCE",
        default=sparse.Tolerance.distance,
        min=0.001,
        soft_max=0.1,
    )
    markers: bpy.props.BoolProperty(
        name="Contact Markers",
        description="Mark on the timeline when feet, hands, knees and seat touch the floor",
        default=True,
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        for name in ("kind", "step", "markers", "keys"):
            layout.prop(self, name)
        column = layout.column()
        column.active = self.keys == "SPARSE"
        column.prop(self, "angle")
        column.prop(self, "distance")

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
        self._paths = [str(folder / name) for name in names]
        return session.engine().submit(
            "fit_sequence",
            photos=self._paths,
            prior=preferences.get("prior"),
            device=preferences.get("device"),
            losses=["ka", "ba"] if context.scene.kinflow.use_parts else ["ka"],
            smooth=self._motion,
            # of a long clip they would fill the memory
            mesh=not self._motion,
        )

    def finish(self, context: bpy.types.Context, value: dict) -> set[str]:
        session.sequence = Fitted(self._paths, **value)
        done = bpy.ops.kinflow.apply_sequence(
            "EXEC_DEFAULT",
            True,
            motion=self._motion,
            step=self.step,
            keys=self.keys,
            angle=self.angle,
            distance=self.distance,
            markers=self.markers,
        )
        session.sequence = None
        return done

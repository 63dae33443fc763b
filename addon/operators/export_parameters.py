"""Export the body's parameters in SMPL's names."""

from pathlib import Path

import bpy
import numpy as np
from bpy_extras.io_utils import ExportHelper

from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.rotations import matrix_to_axis_angle

from ..scene import latent, pose
from .common import BodyOperator, active_body


class KINFLOW_OT_export_parameters(BodyOperator, bpy.types.Operator, ExportHelper):
    """Write the pose and shape into a file (.npz), under the names that SMPL tools use"""

    bl_idname = "kinflow.export_parameters"
    bl_label = "Export Parameters"
    bl_options = {"REGISTER"}

    filename_ext = ".npz"
    filter_glob: bpy.props.StringProperty(default="*.npz", options={"HIDDEN"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        armature = active_body(context)
        path = Path(bpy.path.abspath(self.filepath))
        body_pose = matrix_to_axis_angle(xp, pose.read_body_pose(armature))
        try:
            np.savez(
                path,
                body_pose=body_pose.astype(np.float32),
                betas=np.array(armature.kinflow.betas[:], np.float32),
                latent=latent.latent(armature).astype(np.float32),
                prior=np.array(latent.prior_of(armature).id),
            )
        except OSError as error:
            self.report({"ERROR"}, f"Cannot write {path}: {error.strerror}. Choose another folder.")
            return {"CANCELLED"}
        return {"FINISHED"}

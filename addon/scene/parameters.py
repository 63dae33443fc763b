"""A fit's parameters, put onto a body."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields

import bpy
import numpy as np
from mathutils import Vector

from kinflow import records
from kinflow.bodies.arrays import default_body_arrays
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.rotations import axis_angle_to_matrix
from kinflow.records import PriorId

from . import frames, latent, pose


@dataclass(frozen=True)
class Parameters(records.Parameters):
    """A fit's parameters, and the prior that their latent code belongs to."""

    prior: PriorId

    @classmethod
    def of(cls, source: records.Parameters, prior: PriorId) -> Parameters:
        """Those of a result, or of one of its hypotheses."""
        arrays = {f.name: getattr(source, f.name) for f in fields(cls) if f.name != "prior"}
        return cls(**{name: np.asarray(a, float) for name, a in arrays.items()}, prior=prior)

    def to_json(self) -> str:
        return json.dumps(vars(self), default=np.ndarray.tolist)

    @classmethod
    def from_json(cls, text: str) -> Parameters:
        values = json.loads(text)
        prior = PriorId(*values.pop("prior"))
        return cls(**{name: np.array(v) for name, v in values.items()}, prior=prior)


def apply_parameters(
    armature: bpy.types.Object, parameters: Parameters, view: frames.Viewpoint
) -> None:
    """Puts a fit onto a body: shape, latent and pose, place in front of the camera, wherever the
    armature is.

    Where the code's prior is loaded, it becomes the body's; else the pose is encoded anew.
    """
    pose.set_betas(armature, parameters.betas)
    local = axis_angle_to_matrix(xp, parameters.body_pose)
    if latent.is_loaded(parameters.prior):
        armature.kinflow.prior = parameters.prior.name
        latent.write_latent(armature, latent.prior_of(armature).axes @ parameters.z)
    else:
        latent.write_latent(armature, latent.encode(armature, local))
    pose.set_body_pose(armature, local)
    pelvis = default_body_arrays().joints(parameters.betas)[0] + parameters.transl
    bpy.context.view_layer.update()
    world = armature.matrix_world.inverted_safe()
    turn = view.root(axis_angle_to_matrix(xp, parameters.global_orient))
    turn = np.array(world.to_3x3().normalized()) @ turn
    pose.set_root(armature, turn, np.array(world @ Vector(view.points(pelvis))))

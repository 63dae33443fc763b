"""A fit's parameters, put onto a body."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace

import bpy
import numpy as np
from mathutils import Vector

from kinflow import records
from kinflow.bodies.arrays import default_body_arrays
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from kinflow.records import FitResult, PriorId

from . import frames, latent, pose, pull

SAME = 1e-3  # of a rotation matrix' entries


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


def as_shown(result: FitResult, armature: bpy.types.Object, view: frames.Viewpoint) -> FitResult:
    """A result as the body now stands, be it posed by hand, by sliders or by another hypothesis;
    the place stays the result's. What nobody has changed keeps every digit.
    """
    shown = pull.read_pose(armature)
    axes = np.array(armature.matrix_world.to_3x3().normalized())
    root = frames.body_rotation(axis_angle_to_matrix(xp, shown.global_orient))
    changed = {
        "body_pose": axis_angle_to_matrix(xp, shown.body_pose),
        "global_orient": view.from_root(axes @ root),
    }
    for name, rotations in list(changed.items()):
        before = axis_angle_to_matrix(xp, np.asarray(getattr(result, name), float))
        if np.abs(rotations - before).max() < SAME:
            del changed[name]
    values = {n: matrix_to_axis_angle(xp, r).astype(np.float32) for n, r in changed.items()}
    if "body_pose" in changed:
        prior = latent.prior_of(armature)
        values |= {"z": prior.encode(changed["body_pose"][None])[0], "prior": prior.id}
    if not np.allclose(shown.betas, result.betas, atol=SAME):
        values["betas"] = shown.betas.astype(np.float32)
    return replace(result, **values) if values else result

"""Fits of many frames as the turns and places of a rig's bones, all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import bpy
import numpy as np

from kinflow.bodies.arrays import default_body_arrays
from kinflow.bodies.tables import body_table, skin_table
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.body import Skeleton, pose_skeleton, skin
from kinflow.core.rotations import (
    axis_angle_to_matrix,
    continuous,
    matrix_to_quaternion,
    quaternion_to_matrix,
)
from kinflow.core.skeleton import JOINT_NAMES
from kinflow.records import FitResult

from . import frames
from .frames import Viewpoint
from .rest import rest_arrays
from .sparse import Track

CHUNK = 32  # bodies whose skin is posed at once: bounds memory


@dataclass(frozen=True)
class Motion:
    """turns (T, 24, 4): each joint's quaternion, SMPL's axes; places (T, 3) m of the pelvis in the
    armature's space; betas (10,) of all."""

    turns: np.ndarray
    places: np.ndarray
    betas: np.ndarray

    @staticmethod
    def of(results: Sequence[FitResult], views: Sequence[Viewpoint], origin: np.ndarray) -> Motion:
        """Results as their views have them, for a rig that stands upright at origin (3,) m. The
        shape is the first's."""
        vectors = np.stack([np.vstack((r.global_orient, r.body_pose)) for r in results])
        rotations = axis_angle_to_matrix(xp, vectors.astype(np.float64))
        pairs = list(zip(results, views, strict=True))
        roots = [view.root(r[0]) for r, (_, view) in zip(rotations, pairs, strict=True)]
        rotations[:, 0] = frames.from_body_rotation(np.stack(roots))
        body = default_body_arrays()
        places = [view.points(body.joints(r.betas)[0] + r.transl) - origin for r, view in pairs]
        turns = continuous(xp, matrix_to_quaternion(xp, rotations))
        return Motion(turns, np.stack(places), np.asarray(results[0].betas, np.float64))

    def lifted(self, heights: np.ndarray) -> Motion:
        """Each frame, or all, raised by metres."""
        return Motion(self.turns, self.places + np.array([0, 0, 1]) * heights, self.betas)

    def pick(self, rows: Sequence[int]) -> Motion:
        """Some frames."""
        return Motion(self.turns[rows], self.places[rows], self.betas)

    def lowest(self) -> np.ndarray:
        """Height of the lowest point in the armature's space. (T,) m."""
        heights = []
        for start in range(0, len(self.turns), CHUNK):
            part = slice(start, start + CHUNK)
            skeleton = _skeleton(self.betas, self.turns[part])
            vertices = skin(xp, skin_table(rest_arrays(), rest_arrays().backend), skeleton)
            below = vertices[..., 1].min(1) - skeleton.place[:, 0, 1]
            heights.append(self.places[part, 2] + below)
        return np.concatenate(heights)

    def track(self, numbers: np.ndarray) -> Track:
        """With frame numbers (T,), for `sparse.needed`."""
        return Track(numbers, self.turns, self.places, partial(_joints, self.betas))

    def of_bones(self, armature: bpy.types.Object) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """By bone: its quaternions (T, 4) and locations (T, 3) m, which the pelvis alone has."""
        rotations = frames.body_rotation(quaternion_to_matrix(xp, self.turns))
        channels = {}
        for joint, name in enumerate(JOINT_NAMES):
            bone = armature.pose.bones.get(name)
            if bone is None:
                continue
            rest = np.array(bone.bone.matrix_local)
            axes = rest[:3, :3]
            local = matrix_to_quaternion(xp, axes.T @ rotations[:, joint] @ axes)
            turns = continuous(xp, local)
            places = (self.places - rest[:3, 3]) @ axes if joint == 0 else np.zeros((0, 3))
            channels[name] = (turns, places)
        return channels


def _skeleton(betas: np.ndarray, turns: np.ndarray) -> Skeleton:
    arrays = rest_arrays()
    rows = np.tile(betas, (len(turns), 1))
    return pose_skeleton(
        xp, body_table(arrays, arrays.backend), quaternion_to_matrix(xp, turns), rows
    )


def _joints(betas: np.ndarray, turns: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Joints (T, 24, 3) m in the armature's space."""
    place = _skeleton(betas, turns).place
    return frames.body_points(place - place[:, :1]) + places[:, None]

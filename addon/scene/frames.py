"""The one conversion between the engine's frames and Blender's (numpy only)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kinflow.gravity import upright_rotation

# SMPL's body frame (Y up, facing +Z) -> Blender's (Z up, facing -Y).
BODY_TO_BLENDER = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])

# OpenCV's camera looks along its +Z with +Y down, Blender's along -Z with +Y up.
_FLIP = np.diag((1.0, -1.0, -1.0))


@dataclass(frozen=True)
class Viewpoint:
    """Where a photo's camera is in Blender's world: turn (3, 3) of its frame, place (3,) m."""

    turn: np.ndarray
    place: np.ndarray

    @staticmethod
    def above_floor(gravity: np.ndarray, height: float) -> Viewpoint:
        """Over the origin, looking along +Y but for its pitch and roll; the floor is z = 0.

        gravity (3,): down, in the camera's frame; height: m along it to the floor.
        """
        turn = BODY_TO_BLENDER @ upright_rotation(gravity)
        return Viewpoint(turn, np.array([0.0, 0.0, height]))

    @staticmethod
    def of_camera(matrix: np.ndarray) -> Viewpoint:
        """From a camera object's world matrix (4, 4), of whatever scale."""
        axes = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
        return Viewpoint(axes @ _FLIP, matrix[:3, 3])

    def moved(self, along_x: float) -> Viewpoint:
        """The same, metres along X."""
        return Viewpoint(self.turn, self.place + np.array([along_x, 0.0, 0.0]))

    def camera_matrix(self) -> np.ndarray:
        """World matrix (4, 4) of a camera object that sees what the photo's camera saw."""
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = self.turn @ _FLIP, self.place
        return matrix

    def points(self, points: np.ndarray) -> np.ndarray:
        """Camera frame -> Blender's world. (..., 3) m."""
        return points @ self.turn.T + self.place

    def root(self, global_orient: np.ndarray) -> np.ndarray:
        """Root rotation in the camera frame -> of the T-posed Blender body in the world. (3, 3)."""
        return self.turn @ global_orient @ BODY_TO_BLENDER.T

    def from_root(self, rotation: np.ndarray) -> np.ndarray:
        """Undoes `root`."""
        return self.turn.T @ rotation @ BODY_TO_BLENDER


def body_points(points: np.ndarray) -> np.ndarray:
    """Body frame -> Blender. (..., 3) m."""
    return points @ BODY_TO_BLENDER.T


def body_rotation(rotation: np.ndarray) -> np.ndarray:
    """A rotation in body axes -> the same in Blender's. (..., 3, 3)."""
    return BODY_TO_BLENDER @ rotation @ BODY_TO_BLENDER.T


def from_body_rotation(rotation: np.ndarray) -> np.ndarray:
    """Undoes `body_rotation`."""
    return BODY_TO_BLENDER.T @ rotation @ BODY_TO_BLENDER

"""Which way is down before a camera, numpy only: pitch and roll, and the world that stands upright.

The direction of gravity in the camera's frame (x right, y down, z forward) is
g = (sin roll cos pitch, cos roll cos pitch, -sin pitch): pitch above 0 looks up, roll above 0 is a
camera that is turned clockwise.
"""

from __future__ import annotations

import numpy as np

from .observations import NumpyArray

STEEP = 1e-3  # of a horizontal direction's length: below it the camera looks straight down or up


def level_gravity() -> NumpyArray:
    """Gravity before a level camera. -> (3,) float32."""
    return np.array([0, 1, 0], np.float32)


def gravity_of(pitch: float, roll: float) -> NumpyArray:
    """Pitch and roll in degrees -> the direction of gravity (3,), length 1."""
    p, r = np.radians((pitch, roll))
    return np.array([np.sin(r) * np.cos(p), np.cos(r) * np.cos(p), -np.sin(p)])


def pitch_and_roll(gravity: NumpyArray) -> tuple[float, float]:
    """Direction of gravity (3,) -> pitch in -90 to 90 and roll in -180 to 180 degrees."""
    x, y, z = np.asarray(gravity, np.float64)
    pitch, roll = np.arctan2(-z, np.hypot(x, y)), np.arctan2(x, y)
    return float(np.degrees(pitch)), float(np.degrees(roll))


def upright_rotation(gravity: NumpyArray) -> NumpyArray:
    """Turns the camera's frame into a world of Y up whose -Z is where the camera looks, levelled.

    gravity (3,) of any length above 0 -> rotation (3, 3). Where the camera looks straight down or
    up, -Z is the way that the photo's top edge points on the ground.
    """
    up = -np.asarray(gravity, np.float64) / np.linalg.norm(gravity)
    ahead = np.array([0, 0, 1.0])
    if np.hypot(up[0], up[1]) < STEEP:
        ahead = np.array([0, np.copysign(1.0, up[2]), 0])
    level = np.asarray((ahead @ up) * up - ahead)
    back = level / np.linalg.norm(level)
    return np.stack((np.cross(up, back), up, back))

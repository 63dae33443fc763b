"""A small picture of a posed body, drawn in numpy: no render, no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kinflow.bodies.arrays import default_body_arrays
from kinflow.bodies.tables import body_table, skin_table
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.body import pose_skeleton, skin
from kinflow.core.rotations import axis_angle_to_matrix
from kinflow.drawing.shading import SKIN, draw_mesh
from kinflow.records import Parameters

from .differences import torso_axes

PIXELS = 128
_OVERSAMPLED = 2
_ASIDE, _DOWN = np.radians(40), np.radians(12)  # from the body's front, and below the horizon
_DISTANCE, _MARGIN = 8.0, 0.92  # m; share of the picture that the bodies fill
_MOVED = np.array([255, 150, 40], np.float32)
_NEAR, _FAR = 0.05, 0.2  # m from the best pose: where the tint begins and is full


@dataclass(frozen=True)
class Figure:
    """A posed body, its pelvis at the origin and Z up: vertices (V, 3), joints (24, 3), m."""

    vertices: np.ndarray
    joints: np.ndarray


def figure(parameters: Parameters, turn: np.ndarray) -> Figure:
    """The default body in a pose. turn (3, 3): the camera's frame -> one of Z up."""
    arrays = default_body_arrays()
    vectors = np.concatenate((parameters.global_orient[None], parameters.body_pose))
    rotations = axis_angle_to_matrix(xp, vectors.astype(float))[None]
    betas = np.asarray(parameters.betas, float)[None]
    skeleton = pose_skeleton(xp, body_table(arrays, arrays.backend), rotations, betas)
    vertices = skin(xp, skin_table(arrays, arrays.backend), skeleton)[0]
    pelvis = skeleton.place[0, 0]
    return Figure((vertices - pelvis) @ turn.T, (skeleton.place[0] - pelvis) @ turn.T)


def look_from(joints: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """Axes of a picture of somebody (24, 3): right, down and ahead, a row each.

    From before the body and aside. Of the two sides the one from which the photo was not taken: the
    photo itself does not show how explanations of it differ. photo (3,): where its camera looks.
    """
    _, up, forward = torso_axes(joints)
    # of somebody who lies, the front is up: then from where the feet or the head are
    facing = max((forward, -up, up), key=lambda v: np.hypot(v[0], v[1]) - 0.5 * (v is not forward))
    heading = np.arctan2(-facing[1], -facing[0])
    ways = [np.array([np.cos(a), np.sin(a), 0.0]) for a in (heading - _ASIDE, heading + _ASIDE)]
    level = max(ways, key=lambda way: abs(way[0] * photo[1] - way[1] * photo[0]))
    ahead = level * np.cos(_DOWN) - np.array([0, 0, np.sin(_DOWN)])
    right = np.cross(level, [0, 0, 1])
    return np.stack((right, np.cross(ahead, right), ahead))


def draw(figures: list[Figure], best: int, photo: np.ndarray, pixels: int = PIXELS) -> list:
    """A picture of each, all from one side and at one scale; what differs from the best is orange.

    photo (3,): where the photo's camera looks. -> (pixels, pixels, 4) uint8 RGBA each.
    """
    axes = look_from(figures[best].joints, photo)
    seen = [f.vertices @ axes.T for f in figures]
    low = np.min([s.min(0) for s in seen], axis=0)[:2]
    high = np.max([s.max(0) for s in seen], axis=0)[:2]
    middle, size = (low + high) / 2, float((high - low).max())
    pictures = []
    for shape, points in zip(figures, seen, strict=True):
        moved = np.linalg.norm(shape.vertices - figures[best].vertices, axis=1)
        tint = np.clip((moved - _NEAR) / (_FAR - _NEAR), 0, 1)[:, None]
        pictures.append(
            _draw(points - [*middle, 0], size, (1 - tint) * SKIN + tint * _MOVED, pixels)
        )
    return pictures


def _draw(points: np.ndarray, size: float, colours: np.ndarray, pixels: int) -> np.ndarray:
    """points (V, 3): right, down, ahead of the picture's middle, m; size: what it shows, m."""
    wide = pixels * _OVERSAMPLED
    camera = points + np.array((0, 0, _DISTANCE))
    places = camera[:, :2] / camera[:, 2:] * _DISTANCE * (_MARGIN * wide / size) + wide / 2
    blank = np.zeros((wide, wide, 3), np.uint8)
    image, raster = draw_mesh(blank, camera, _facing(places), places, 1.0, colours)
    cells = (pixels, _OVERSAMPLED, pixels, _OVERSAMPLED)
    cover = raster.mask.reshape(cells).mean((1, 3))
    light = image.reshape(*cells, 3).sum((1, 3)) / _OVERSAMPLED**2
    rgb = light / np.maximum(cover, 1e-6)[..., None]
    return np.concatenate((rgb, 255 * cover[..., None]), -1).astype(np.uint8)


def _facing(places: np.ndarray) -> np.ndarray:
    """The triangles that show their front: the others are half of the work, and behind these."""
    faces = default_body_arrays().faces
    a, b, c = (places[faces[:, k]] for k in range(3))
    ab, ac = b - a, c - a
    return faces[ab[:, 0] * ac[:, 1] < ab[:, 1] * ac[:, 0]]

"""What a fitted motion is measured by, beside the truth of `motions`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kinflow import FitResult
from kinflow.bodies.contacts import contact_names, contact_table
from kinflow.bodies.files import load_body_arrays
from kinflow.bodies.tables import body_table
from kinflow.core.arrays import numpy_backend
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.body import pose_skeleton
from kinflow.core.points import pose_points
from kinflow.core.rotations import axis_angle_to_matrix
from kinflow.core.skeleton import METRIC_JOINTS
from kinflow.records import CONTACT_NAMES

from .motions import NAMES, Motion
from .tables import joint_errors

MEASURES = ("mpjpe", "pa", "acceleration", "skate", "float", "sinking", "pitch", "f1")
UNITS = "mm, mm, mm a frame squared, mm a frame, mm, mm, degrees, share"
SLOW, LOW = 0.006, 0.04  # m a frame, m: contacts of a version that tells none


@dataclass(frozen=True)
class Fitted:
    """Of T frames: joints (T, 24, 3) and all contact points (T, C, 3) m in the camera's frame,
    gravity (3,), floor m or None, and contacts (T, 4) of NAMES, None where none are told."""

    joints: np.ndarray
    points: np.ndarray
    gravity: np.ndarray
    floor: float | None
    named: np.ndarray | None
    parameters: dict[str, np.ndarray]

    @staticmethod
    def of(parameters: dict[str, np.ndarray], view: tuple[np.ndarray, float | None]) -> Fitted:
        """SMPL's parameters of T frames -> posed."""
        body, backend = load_body_arrays(), numpy_backend(np.float64)
        turns = np.concatenate((parameters["global_orient"][:, None], parameters["body_pose"]), 1)
        rotations = axis_angle_to_matrix(xp, turns.astype(np.float64))
        betas = parameters["betas"].astype(np.float64)
        skeleton = pose_skeleton(xp, body_table(body, backend), rotations, betas)
        way = parameters["transl"][:, None].astype(np.float64)
        points = pose_points(xp, contact_table(body, backend), skeleton).places + way
        more = parameters.get("named"), parameters
        return Fitted(skeleton.place + way, points, *view, *more)


def fitted(results: Sequence[FitResult]) -> Fitted:
    """Results of one clip."""
    names = ("global_orient", "body_pose", "betas", "transl")
    parameters = {n: np.stack([getattr(r, n) for r in results]) for n in names}
    if len(results[0].contacts):
        index = [CONTACT_NAMES.index(n) for n in NAMES]
        parameters["named"] = np.stack([r.contacts[index] for r in results]) > 0.5
    return Fitted.of(parameters, (results[0].gravity, results[0].floor))


def errors(one: Fitted, truth: Motion) -> dict[str, float]:
    """MEASURES, NaN where there is nothing to measure.

    Joints about the pelvis; skate of the soles' points where they truly stand; float: of those
    points above the floor while they truly touch; sinking: of the lowest point below the floor, in
    the mean over all frames. Where no floor is told the lowest point of the clip stands on it.
    """
    plain, aligned = joint_errors(one.joints, truth.joints).mean(1)
    apart = _acceleration(one.joints) - _acceleration(truth.joints)
    is_sole = np.array([n.endswith(("heel", "ball")) for n in contact_names(load_body_arrays())])
    soles = one.points[:, is_sole]
    gravity = one.gravity / np.linalg.norm(one.gravity)
    below = one.points @ gravity
    floor = below.max() if one.floor is None else one.floor
    height = 1e3 * (floor - below)
    steps = 1e3 * np.linalg.norm(np.diff(soles, axis=0), axis=-1)
    cos = float(gravity @ truth.gravity)
    touching = height[:, is_sole][truth.contact]
    return {
        "mpjpe": float(plain),
        "pa": float(aligned),
        "acceleration": 1e3 * float(np.linalg.norm(apart, axis=-1).mean()),
        "skate": _mean(steps[truth.stands]),
        "float": _mean(np.maximum(touching, 0)),
        "sinking": float(np.maximum(-height.min(1), 0).mean()),
        "pitch": float(np.degrees(np.arccos(np.clip(cos, -1, 1)))),
        "f1": _f1(_told(one, soles, height[:, is_sole]), truth.named),
    }


def _told(one: Fitted, soles: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Contacts (T, 4): as they are told, or of points that are slow and low."""
    if one.named is not None:
        return one.named
    steps = np.linalg.norm(np.diff(soles, axis=0), axis=-1)
    slow = np.minimum(np.concatenate((steps[:1], steps)), np.concatenate((steps, steps[-1:])))
    touch = (slow < SLOW) & (height < 1e3 * LOW)
    names = [n for n in contact_names(load_body_arrays()) if n.endswith(("heel", "ball"))]
    return np.stack([touch[:, [n == name for n in names]].any(1) for name in NAMES], 1)


def _f1(told: np.ndarray, truth: np.ndarray) -> float:
    both = 2 * (told & truth).sum()
    return float(both / (told.sum() + truth.sum())) if truth.any() else float("nan")


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")


def _acceleration(joints: np.ndarray) -> np.ndarray:
    """About the pelvis. (T, 24, 3) -> (T - 2, 22, 3)."""
    return np.diff((joints - joints[:, :1])[:, list(METRIC_JOINTS)], 2, axis=0)

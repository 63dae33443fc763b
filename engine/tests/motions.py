"""Motions that tests write, and how far two are apart."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from kinflow.bodies.arrays import default_body_arrays
from kinflow.formats import Motion

BODY = default_body_arrays()
PELVIS = BODY.J_template[0]
RADIANS, METRES = 1e-4, 1e-4  # of .npz
BVH_DEGREES, BVH_METRES = 0.01, 1e-3


def moving(frames: int = 7, hands: bool = False, seed: int = 0, **more) -> Motion:
    """Anything that joints can do, a quarter turn and beyond among it."""
    random = np.random.default_rng(seed)
    fingers = {
        f"{side}_hand_pose": random.normal(size=(frames, 15, 3)) for side in ("left", "right")
    }
    values = {"fps": 29.97, "gender": "female", "betas": random.normal(size=10)} | more
    if hands:
        values |= fingers
    return Motion(
        random.normal(size=(frames, 3)),
        0.8 * random.normal(size=(frames, 69)),
        random.normal((0, 1, 0), size=(frames, 3)),
        **values,
    )


def turned_by(a: np.ndarray, b: np.ndarray) -> float:
    """Largest angle between rotations as axis-angle (..., 3), radians."""
    first, second = (Rotation.from_rotvec(np.array(v).reshape(-1, 3)) for v in (a, b))
    return float((first.inv() * second).magnitude().max())


def same(a: Motion, b: Motion, radians: float = RADIANS, metres: float = METRES) -> None:
    assert len(a) == len(b) and a.fps == pytest.approx(b.fps, rel=1e-9) and a.up == b.up
    assert turned_by(a.global_orient, b.global_orient) < radians
    assert turned_by(a.body_pose, b.body_pose) < radians
    assert np.abs(a.transl - b.transl).max() < metres
    for name in ("left_hand_pose", "right_hand_pose"):
        one, other = getattr(a, name), getattr(b, name)
        assert (one is None) == (other is None)
        assert one is None or turned_by(one, other) < radians

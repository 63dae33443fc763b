"""Points of a body that may touch a floor, and what balance needs, found on the T-pose."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..core.arrays import Backend
from ..core.points import PointTable
from ..core.skeleton import JOINT_INDEX, JOINT_NAMES
from .arrays import BodyArrays
from .parts import PART_NAMES

# Mass of each segment about its joints, shares of the body's: de Leva 1996, both sexes, rounded.
_MASS = {
    **{"pelvis": 0.14, "spine2": 0.16, "spine3": 0.13, "head": 0.07},
    **dict.fromkeys(("left_hip", "right_hip"), 0.085),
    **dict.fromkeys(("left_knee", "right_knee"), 0.085),
    **dict.fromkeys(("left_ankle", "right_ankle"), 0.025),
    **dict.fromkeys(("left_foot", "right_foot"), 0.005),
    **dict.fromkeys(("left_shoulder", "right_shoulder"), 0.015),
    **dict.fromkeys(("left_elbow", "right_elbow"), 0.02),
    **dict.fromkeys(("left_wrist", "right_wrist"), 0.015),
}


@dataclass(frozen=True)
class Contact:
    """A point of the skin, by the limb that it belongs to."""

    limb: str
    vertex: int


@lru_cache(maxsize=8)
def contacts(body: BodyArrays) -> tuple[Contact, ...]:
    """Soles (four points a foot), palms, knees, seat, elbows, back, chest and head."""
    v, joints = body.v_template, body.J_template
    found: list[Contact] = []

    def most(limb: str, rows: np.ndarray, *directions: tuple[float, float, float]) -> None:
        index = np.flatnonzero(rows)
        for direction in directions:
            found.append(Contact(limb, int(index[(v[index] @ np.array(direction)).argmax()])))

    def near(name: str, reach: float) -> np.ndarray:
        return np.linalg.norm(v - joints[JOINT_INDEX[name]], axis=1) < reach

    for side, out in (("left", 1.0), ("right", -1.0)):
        foot = body.parts == PART_NAMES.index(f"{side}_foot")
        sole = foot & (v[:, 1] < v[foot, 1].min() + 0.015)
        most(f"{side}_foot", sole, (0, 0, -1), (0, 0, 1), (out, 0, 0.5), (-out, 0, 0.2))
        hand = body.parts == PART_NAMES.index(f"{side}_hand")
        most(f"{side}_hand", hand, (out, 0, 0), (0.3 * out, -1, 0))
        most(f"{side}_knee", near(f"{side}_knee", 0.12), (0, 0, 1))
        hip = np.abs(v[:, 0] - joints[JOINT_INDEX[f"{side}_hip"], 0]) < 0.04
        most("seat", hip & near(f"{side}_hip", 0.16), (0, -0.5, -1), (0, 0.2, -1))
        most(f"{side}_elbow", near(f"{side}_elbow", 0.1), (0, 0, -1))
        most("back", near(f"{side}_collar", 0.25) & (v[:, 0] * out > 0.04), (0, 0, -1))
    most("chest", near("spine3", 0.25), (0, 0, 1))
    most("head", body.parts == PART_NAMES.index("head"), (0, 0, -1), (0, 1, 0))
    return tuple(found)


def contact_names(body: BodyArrays) -> tuple[str, ...]:
    """Of each of `contacts`, as results tell them: a foot's first point is its heel."""
    limbs = [contact.limb for contact in contacts(body)]
    names = []
    for number, limb in enumerate(limbs):
        foot = "ball" if limb in limbs[:number] else "heel"
        names.append(limb.replace("foot", foot))
    return tuple(names)


@lru_cache(maxsize=16)
def contact_table(body: BodyArrays, backend: Backend) -> PointTable:
    """For posing `contacts`."""
    index = np.array([c.vertex for c in contacts(body)])
    points = body.points(np.zeros((len(index), 24)), index, np.eye(len(index)))
    return backend.record(PointTable.of(points, body.J_template, body.J_shapedirs))


@lru_cache(maxsize=16)
def balance_table(body: BodyArrays, backend: Backend) -> PointTable:
    """For posing the centre of mass, the left and the right foot (the middle of the sole)."""
    soles = [[c.vertex for c in contacts(body) if c.limb == f"{s}_foot"] for s in ("left", "right")]
    index = np.array([*soles[0], *soles[1]])
    weights = np.zeros((3, len(index)))
    weights[1, : len(soles[0])] = 1 / len(soles[0])
    weights[2, len(soles[0]) :] = 1 / len(soles[1])
    of_joints = np.zeros((3, len(JOINT_NAMES)))
    of_joints[0] = [_MASS.get(name, 0.0) for name in JOINT_NAMES]
    of_joints[0] /= of_joints[0].sum()
    points = body.points(of_joints, index, weights)
    return backend.record(PointTable.of(points, body.J_template, body.J_shapedirs))


def stature(body: BodyArrays) -> tuple[float, np.ndarray]:
    """Height of the template's T-pose in m, and its slope (10,) by the betas."""
    top, bottom = body.v_template[:, 1].argmax(), body.v_template[:, 1].argmin()
    height = body.v_template[top, 1] - body.v_template[bottom, 1]
    return float(height), np.asarray(body.shapedirs[top, 1] - body.shapedirs[bottom, 1])

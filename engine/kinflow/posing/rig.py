"""A body as inverse kinematics sees it: joints, and the points that touch the floor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..bodies.arrays import BodyArrays
from ..bodies.parts import PART_NAMES
from ..core.arrays import numpy_backend
from ..core.arrays import numpy_namespace as xp
from ..core.body import NUM_BETAS, BodyTable, Skeleton, pose_skeleton
from ..core.points import Points, PointTable, pose_points
from ..core.rotations import axis_angle_to_matrix
from ..core.skeleton import JOINT_INDEX, JOINT_NAMES, NUM_JOINTS
from ..errors import InvalidInputError
from ..records import NumpyArray
from .effectors import Effector, Floor
from .states import Pose

BACKEND = numpy_backend(np.float64)
NEAR_FLOOR = 0.03  # m: soles this near to the floor stand on it
_SIDES = ("left", "right")
LIMBS = {
    f"{side}_{limb}": tuple(f"{side}_{joint}" for joint in joints)
    for side in _SIDES
    for limb, joints in (
        ("arm", ("collar", "shoulder", "elbow", "wrist", "hand")),
        ("leg", ("hip", "knee", "ankle", "foot")),
    )
} | {"trunk": ("spine1", "spine2", "spine3"), "head": ("neck", "head")}


@dataclass(frozen=True, eq=False)
class Rig:
    """A body of one shape. joints: the 24 of the skeleton; contacts: points on the skin of soles,
    hands, knees and seat, without the pose correctives; the soles are `left` and `right` of them.
    """

    body: BodyTable
    joints: PointTable
    contacts: PointTable
    soles: dict[str, NumpyArray]

    def posed(self, pose: Pose) -> Skeleton:
        """A pose's skeleton, before translation."""
        turns = np.concatenate((pose.global_orient[None], pose.body_pose))
        rotations = axis_angle_to_matrix(xp, turns)[None]
        return pose_skeleton(xp, self.body, rotations, np.zeros((1, NUM_BETAS)))

    def contact_places(self, pose: Pose) -> NumpyArray:
        """Of a pose. -> (P, 3) m."""
        posed = pose_points(xp, self.contacts, self.posed(pose))
        return np.asarray(posed.places[0] + pose.transl)


def rig_of(body: BodyArrays, betas: NumpyArray) -> Rig:
    """The rig of a body and its shape (10,), kept for the next time."""
    return _rig(body, betas.tobytes())


@lru_cache(maxsize=8)
def _rig(body: BodyArrays, shape: bytes) -> Rig:
    betas = np.frombuffer(shape)
    rest, still = body.joints(betas), np.zeros((NUM_JOINTS, 3, NUM_BETAS))
    table = BodyTable.of(rest, still, np.zeros(0, np.int64))
    none = np.zeros((0, NUM_JOINTS))
    joints = Points(np.eye(NUM_JOINTS), none.T, none[:, :3], still[:0], none)
    index, soles = _contacts(body)
    template = body.v_template[index] + body.shapedirs[index] @ betas
    count = len(index)
    contacts = Points(
        np.zeros((count, NUM_JOINTS)),
        np.eye(count),
        template,
        np.zeros((count, 3, NUM_BETAS)),
        body.lbs_weights[index],
    )
    tables = [BACKEND.record(PointTable.of(p, rest, still)) for p in (joints, contacts)]
    return Rig(BACKEND.record(table), tables[0], tables[1], soles)


def _contacts(body: BodyArrays) -> tuple[NumpyArray, dict[str, NumpyArray]]:
    """Vertices that touch the floor first, by where they lie in the T-pose, and which are soles."""
    v, rest = body.v_template, body.J_template
    chosen: list[int] = []
    soles: dict[str, NumpyArray] = {}
    for side, out in (("left", 1.0), ("right", -1.0)):
        foot = _part(body, f"{side}_foot")
        low = foot[v[foot, 1] < v[foot, 1].min() + 0.03]
        first = len(chosen)
        chosen += [_farthest(v, low, way) for way in _sole_ways(out)]
        soles[side] = np.arange(first, len(chosen))
        hand = _part(body, f"{side}_hand")
        ways = ((out, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, 1), (0, 0, -1))
        chosen += [_farthest(v, hand, way) for way in ways]
        leg = np.concatenate((_part(body, f"{side}_thigh"), _part(body, f"{side}_shin")))
        height = np.abs(v[leg, 1] - rest[JOINT_INDEX[f"{side}_knee"], 1])
        chosen.append(_farthest(v, leg[height < 0.04], (0, 0, 1)))
        trunk = np.concatenate((_part(body, "torso"), _part(body, f"{side}_thigh")))
        hips = trunk[np.abs(v[trunk, 1] - rest[JOINT_INDEX[f"{side}_hip"], 1]) < 0.12]
        hips = hips[out * v[hips, 0] > 0.03]
        chosen += [_farthest(v, hips, way) for way in ((0, 0, -1), (0, -0.5, -1))]
    return np.array(chosen), soles


def _sole_ways(out: float) -> tuple[tuple[float, float, float], ...]:
    """Heel, toes, and the sole's four corners."""
    corners = tuple((side, -0.5, front) for side in (out, -out) for front in (-1.0, 1.0))
    return ((0, -0.2, -1), (0, -0.2, 1), *corners)


def _part(body: BodyArrays, name: str) -> NumpyArray:
    return np.flatnonzero(body.parts == PART_NAMES.index(name))


def _farthest(v: NumpyArray, index: NumpyArray, way: tuple[float, float, float]) -> int:
    return int(index[(v[index] @ np.array(way)).argmax()])


def limb_joints(names: Iterable[str]) -> tuple[str, ...]:
    """Joints of limbs ("left_arm", "right_leg", "trunk", "head") and joints by their own names.

    Raises InvalidInputError for others.
    """
    joints: list[str] = []
    for name in names:
        if name not in LIMBS and name not in JOINT_INDEX:
            raise InvalidInputError(
                f"There is no limb or joint '{name}'.",
                f"Use one of {', '.join((*LIMBS, *JOINT_NAMES))}.",
            )
        # a head is a limb and a joint: as a limb it has the neck
        joints += LIMBS.get(name, (name,))
    return tuple(dict.fromkeys(joints))


def feet_on_floor(pose: Pose, floor: Floor, body: BodyArrays) -> tuple[Effector, ...]:
    """Pins that keep those feet where they are whose sole is near the floor or below it."""
    rig = rig_of(body, pose.betas)
    height = rig.contact_places(pose) @ floor.up - floor.height
    skeleton, pins = rig.posed(pose), []
    for side, sole in rig.soles.items():
        if height[sole].min() < NEAR_FLOOR:
            joint = f"{side}_ankle"
            index = JOINT_INDEX[joint]
            place, turn = skeleton.place[0, index] + pose.transl, skeleton.world[0, index]
            pins.append(Effector(joint, place, turn, pinned=True))
    return tuple(pins)

"""A body as inverse kinematics sees it: joints, and the points that may touch the floor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..bodies.arrays import BodyArrays
from ..bodies.contacts import contacts
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
    """A body of one shape. joints: the 24 of the skeleton; contacts: the points of
    `bodies.contacts`, without pose correctives; soles: which of them are left and right."""

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
    touching = contacts(body)
    index = np.array([c.vertex for c in touching])
    feet = {side: [c.limb == f"{side}_foot" for c in touching] for side in _SIDES}
    soles = {side: np.flatnonzero(rows) for side, rows in feet.items()}
    template = body.v_template[index] + body.shapedirs[index] @ betas
    count = len(index)
    skin = Points(
        np.zeros((count, NUM_JOINTS)),
        np.eye(count),
        template,
        np.zeros((count, 3, NUM_BETAS)),
        body.lbs_weights[index],
    )
    tables = [BACKEND.record(PointTable.of(p, rest, still)) for p in (joints, skin)]
    return Rig(BACKEND.record(table), tables[0], tables[1], soles)


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

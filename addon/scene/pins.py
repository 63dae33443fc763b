"""Handles of a body that can be pulled, points that are pinned, and bones that are left alone."""

from functools import lru_cache

import bpy
import numpy as np
from mathutils import Matrix, Quaternion, Vector

from kinflow.core.skeleton import JOINT_INDEX, JOINT_NAMES
from kinflow.posing import Effector, limb_joints

from . import frames, limbs
from .rest import rest_arrays

# the joints that are pulled, and the words for them
HANDLES = {
    "head": "Head",
    "spine3": "Chest",
    "pelvis": "Hips",
    **{
        f"{side}_{joint}": f"{side.title()} {word}"
        for side in ("left", "right")
        for joint, word in (
            ("wrist", "Hand"),
            ("elbow", "Elbow"),
            ("knee", "Knee"),
            ("ankle", "Foot"),
        )
    },
}
ITEMS = [(joint, label, "") for joint, label in HANDLES.items()]
# always seen; the others when the pointer is near
MAIN = ("head", "pelvis", "left_wrist", "right_wrist", "left_ankle", "right_ankle")
TURNED = ("head", "spine3", "left_wrist", "right_wrist", "left_ankle", "right_ankle")
FEET = ("left_ankle", "right_ankle")


def handle_place(armature: bpy.types.Object, joint: str) -> Vector | None:
    """Where a handle is in the world as Blender shows it, m; None where its bone was deleted."""
    bone = armature.pose.bones.get(joint)
    return armature.matrix_world @ bone.head if bone is not None else None


@lru_cache(maxsize=16)
def thickness(joint: str) -> float:
    """How far a handle's joint is from the skin, m: so high it is where it touches the floor."""
    arrays = rest_arrays()
    place = arrays.J_template[JOINT_INDEX[joint]]
    if joint in FEET:
        return float(place[1] - arrays.v_template[:, 1].min())
    return float(np.linalg.norm(arrays.v_template - place, axis=1).min())


def pin_of(armature: bpy.types.Object, joint: str) -> bpy.types.PropertyGroup | None:
    """A handle's pin, where it has one."""
    return next((pin for pin in armature.kinflow.pins if pin.joint == joint), None)


def pin_here(armature: bpy.types.Object, joint: str, turned: bool) -> None:
    """Pins a handle where it is, and where `turned` as it is turned; nothing where its bone was
    deleted.
    """
    bone = armature.pose.bones.get(joint)
    if bone is not None:
        pin = pin_of(armature, joint) or armature.kinflow.pins.add()
        pin.joint, pin.location, pin.use_rotation = joint, bone.head, turned
        pin.rotation = (bone.matrix @ bone.bone.matrix_local.inverted()).to_quaternion()


def free(armature: bpy.types.Object, joint: str) -> None:
    """Takes a handle's pin away."""
    pins = armature.kinflow.pins
    for index in reversed(range(len(pins))):
        if pins[index].joint == joint:
            pins.remove(index)


def effectors(armature: bpy.types.Object) -> list[Effector]:
    """The pins, in the body's frame. Raises InvalidInputError for numbers that are not finite."""
    return [_effector(pin) for pin in armature.kinflow.pins if pin.joint in HANDLES]


def _effector(pin: bpy.types.PropertyGroup) -> Effector:
    place, turn = point_to_body(np.array(pin.location[:])), None
    if pin.use_rotation:
        matrix = np.array(Quaternion(pin.rotation).normalized().to_matrix())
        turn = frames.from_body_rotation(matrix)
    return Effector(pin.joint, place, turn, pinned=True)


def point_to_body(point: np.ndarray) -> np.ndarray:
    """The armature's space -> the body's frame, SMPL's axes. (3,) m."""
    return frames.BODY_TO_BLENDER.T @ point


def locked(armature: bpy.types.Object, scene: bpy.types.Scene) -> tuple[str, ...]:
    """Joints that a pull leaves to the digit: of locked limbs, and those that it leaves alone."""
    kept = [limb for limb in limbs.LIMBS if getattr(scene.kinflow, f"lock_{limb}")]
    return tuple(dict.fromkeys((*limb_joints(kept), *left_alone(armature))))


def left_alone(armature: bpy.types.Object) -> dict[str, str]:
    """Joints that are not kinflow's to turn, and why: a constraint of the user's, also as a link of
    its chain, all rotations locked, or no bone.
    """
    bones, reasons = armature.pose.bones, {}
    for joint in JOINT_NAMES:
        bone = bones.get(joint)
        if bone is None:
            reasons[joint] = "has no bone"
        elif all(bone.lock_rotation):
            reasons.setdefault(joint, "is locked")
        for constraint in bone.constraints if bone is not None else ():
            if constraint.mute or not constraint.influence:
                continue
            for link in _chain(bone, constraint):
                if link.name in JOINT_INDEX:
                    reasons[link.name] = f"has a constraint ({constraint.name})"
    return reasons


def _chain(bone: bpy.types.PoseBone, constraint: bpy.types.Constraint) -> list[bpy.types.PoseBone]:
    """The bones that a constraint turns."""
    if constraint.type not in ("IK", "SPLINE_IK"):
        return [bone]
    chain = [bone, *bone.parent_recursive]
    if not getattr(constraint, "use_tail", True):
        chain = chain[1:]
    return chain[: constraint.chain_count] if constraint.chain_count else chain


def remarks(armature: bpy.types.Object) -> list[str]:
    """A sentence for each bone that a pull leaves alone."""
    reasons = left_alone(armature)
    return [f"{name.replace('_', ' ')} {why}: left alone" for name, why in reasons.items()]


def floor_plane(armature: bpy.types.Object) -> tuple[float, np.ndarray] | None:
    """Z = 0 of the world in the body's frame: height m and direction up; None for a flat rig."""
    matrix = np.array(Matrix(armature.matrix_world))
    length = float(np.linalg.norm(matrix[2, :3]))
    if length < 1e-9:
        return None
    return -matrix[2, 3] / length, point_to_body(matrix[2, :3] / length)

"""Pulling a body by its handles: inverse kinematics in the prior, put onto the rig.

Everything is solved in the armature's space, so that a rig may be moved, scaled and parented.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Vector

from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from kinflow.core.skeleton import JOINT_INDEX, JOINT_NAMES, PARENTS
from kinflow.errors import InvalidInputError
from kinflow.posing import Effector, Floor, IKResult, Pose, Pull, feet_on_floor
from kinflow.threads import one_thread

from . import bones, frames, latent, pins, pose
from .rest import rest_arrays
from .strides import AT_ONCE, LIVE, WHOLE, approach, arrive

_ROTATIONS = ("rotation_quaternion", "rotation_euler", "rotation_axis_angle", "location")


@dataclass(frozen=True)
class Snapshot:
    """A body's bones and latent, to the digit."""

    bones: dict[str, tuple[str, dict[str, tuple[float, ...]]]]
    pages: dict[str, tuple[float, ...]]
    prior: tuple[str, str]
    message: str

    @staticmethod
    def of(armature: bpy.types.Object) -> Snapshot:
        bones = {
            bone.name: (bone.rotation_mode, {n: tuple(getattr(bone, n)) for n in _ROTATIONS})
            for bone in armature.pose.bones
        }
        state = armature.kinflow
        pages = {name: tuple(getattr(state, name)) for name in latent.PAGE_NAMES}
        return Snapshot(bones, pages, (state.prior, state.prior_checksum), state.pull_message)

    def put_back(self, armature: bpy.types.Object) -> None:
        for name, (mode, values) in self.bones.items():
            bone = armature.pose.bones.get(name)
            if bone is not None:
                bone.rotation_mode = mode
                for key, value in values.items():
                    setattr(bone, key, value)
        state = armature.kinflow
        with pose.updates_paused():
            for name, page in self.pages.items():
                setattr(state, name, page)
        state.prior, state.prior_checksum = self.prior
        state.pull_message = self.message


class Drag:
    """One pull of one handle, from the pose that the rig has now; places are in the world.

    Raises InvalidInputError where the rig's pose, or a pin, is no pose at all.
    """

    def __init__(self, context: bpy.types.Context, armature: bpy.types.Object, joint: str) -> None:
        context.view_layer.update()
        self.armature, self.joint = armature, joint
        self.before = Snapshot.of(armature)
        self._to_world = armature.matrix_world.copy()
        self._to_armature = armature.matrix_world.inverted_safe()
        self._locked = pins.locked(armature, context.scene)
        start, floor = read_pose(armature), floor_of(armature)
        held = [pin for pin in pins.effectors(armature) if pin.joint != joint]
        if armature.kinflow.auto_pin_feet and floor is not None:
            taken = {joint, *(pin.joint for pin in held)}
            feet = feet_on_floor(start, floor, rest_arrays())
            held += [foot for foot in feet if foot.joint not in taken]
        self.held = tuple(pin.joint for pin in held)
        with one_thread():
            self._pull = Pull(
                start,
                held,
                body=rest_arrays(),
                prior=latent.prior_of(armature),
                locked=self._locked,
                floor=floor if armature.kinflow.use_floor else None,
            )
        self.place = self._world(self._pull.joints[JOINT_INDEX[joint]])
        self.turn = _world_turn(start, joint)
        self.moved = self._turned = False
        self._last: list[Effector] = []

    @property
    def is_stuck(self) -> bool:
        """Whether nothing can move the handle: the hips, where the root is left alone."""
        return self.joint == "pelvis" and "pelvis" in self._locked

    def move(self, place: Vector, turn: np.ndarray | None = None) -> IKResult:
        """Poses the rig with the handle at a place, (3, 3) turned from the T-pose in the
        armature's space. Raises InvalidInputError.
        """
        self._last = [self._goal(place, turn)]
        return self._show(approach(self._pull, self._last, LIVE))

    def go(self, place: Vector) -> IKResult:
        """Goes all the way to a place, until the handle is there to the millimetre, or comes no
        nearer. Raises InvalidInputError.
        """
        return self._show(arrive(self._pull, [self._goal(place, pinned=True)], WHOLE))

    def _goal(
        self, place: Vector, turn: np.ndarray | None = None, pinned: bool = False
    ) -> Effector:
        point = pins.point_to_body(np.array(self._to_armature @ Vector(place)))
        rotation = frames.from_body_rotation(turn) if turn is not None else None
        return Effector(self.joint, point, rotation, pinned=pinned)

    def _show(self, result: IKResult) -> IKResult:
        if np.isfinite(result.body_pose).all() and np.isfinite(result.transl).all():
            apply(self.armature, result, self._locked)
            self.moved = True
        self.armature.kinflow.pull_message = result.message
        return result

    @property
    def scale(self) -> float:
        """Metres of the world a metre of the body."""
        return self._to_world.median_scale

    def turned(self, rotation: np.ndarray) -> np.ndarray:
        """The handle's turn at the start, turned on in the world by (3, 3); for `move`."""
        axes = np.array(self._to_world.to_quaternion().to_matrix())
        self._turned = True
        return axes.T @ rotation @ axes @ self.turn

    def put_back(self) -> None:
        """The body as it was before the pull, to the digit."""
        self.before.put_back(self.armature)

    def finish(self) -> None:
        """The handle goes where it was last wanted, however fast the mouse was, and its pin stays
        where it then is.
        """
        if self._last:
            self._show(approach(self._pull, self._last, AT_ONCE))
        pin = pins.pin_of(self.armature, self.joint)
        if pin is not None and self.moved:
            bpy.context.view_layer.update()
            pins.pin_here(self.armature, self.joint, pin.use_rotation or self._turned)

    def _world(self, point: np.ndarray) -> Vector:
        return self._to_world @ Vector(frames.body_points(point))


def read_pose(armature: bpy.types.Object) -> Pose:
    """The rig's pose in the body's frame: of bones as their properties say, and of those that are
    left alone as Blender shows them.
    """
    alone, shown = pins.left_alone(armature), pose.read_body_pose(armature)
    betas = np.array(armature.kinflow.betas[:], float)
    pelvis = place = rest_arrays().joints(betas)[0]
    rotations, root = bones.turns(armature), armature.pose.bones.get("pelvis")
    for joint, name in enumerate(JOINT_NAMES[1:]):
        if name in alone:
            rotations[1 + joint] = shown[joint]
    if root is not None:
        head = bones.head_of(root)
        if "pelvis" in alone:
            whole = (root.matrix @ root.bone.matrix_local.inverted()).to_3x3().normalized()
            rotations[0], head = frames.from_body_rotation(np.array(whole)), np.array(root.head)
        place = pins.point_to_body(head)
    vectors = matrix_to_axis_angle(xp, rotations)
    return Pose.of(_Parameters(vectors[1:], vectors[0], place - pelvis, betas))


@dataclass(frozen=True)
class _Parameters:
    body_pose: np.ndarray
    global_orient: np.ndarray
    transl: np.ndarray
    betas: np.ndarray


def floor_of(armature: bpy.types.Object) -> Floor | None:
    """Z = 0 of the world, in the body's frame."""
    plane = pins.floor_plane(armature)
    return Floor(*plane) if plane is not None else None


def apply(
    armature: bpy.types.Object,
    result: IKResult,
    locked: tuple[str, ...] = (),
    *,
    write_latent: bool = True,
) -> None:
    """Poses the bones that are not locked, and writes the pose's code into the sliders."""
    rotations = axis_angle_to_matrix(xp, result.body_pose)
    if write_latent:
        with one_thread():
            flow = latent.prior_of(armature)
            code = latent.encode(armature, rotations) if locked else flow.axes @ result.z
        latent.write_latent(armature, code)
    pose.set_body_pose(armature, rotations, locked)
    if "pelvis" not in locked:
        root = axis_angle_to_matrix(xp, result.global_orient)
        place = frames.body_points(result.joints[0])
        pose.set_root(armature, frames.body_rotation(root), place)


def hold_pins(armature: bpy.types.Object, *, write_latent: bool = False) -> None:
    """After sliders or a sample: the nearest pose that has the pins where they are.

    The sliders keep what was asked of them, so that one that goes there and back again changes
    nothing; after a sample (`write_latent`) they say what is shown.
    """
    if not len(armature.kinflow.pins) or not pose.follows_properties(armature):
        return
    locked = pins.locked(armature, bpy.context.scene)
    floor = floor_of(armature) if armature.kinflow.use_floor else None
    try:
        goals = pins.effectors(armature)
        pull = Pull(
            read_pose(armature),
            body=rest_arrays(),
            prior=latent.prior_of(armature),
            locked=locked,
            floor=floor,
        )
        result = arrive(pull, goals, AT_ONCE)
    except InvalidInputError as error:
        armature.kinflow.pull_message = str(error)
        return
    apply(armature, result, locked, write_latent=write_latent)
    armature.kinflow.pull_message = result.message


def _world_turn(start: Pose, joint: str) -> np.ndarray:
    """How a joint is turned from the T-pose, (3, 3) in the armature's space."""
    turns = axis_angle_to_matrix(xp, np.concatenate((start.global_orient[None], start.body_pose)))
    index = JOINT_INDEX[joint]
    turn = turns[index]
    bone = PARENTS[index]
    while bone >= 0:
        turn, bone = turns[bone] @ turn, PARENTS[bone]
    return frames.body_rotation(turn)

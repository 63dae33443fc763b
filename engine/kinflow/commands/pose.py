"""pose: a body whose joints are where they should be."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from ..bodies.arrays import BodyArrays
from ..bodies.files import load_body_arrays
from ..core.skeleton import JOINT_NAMES
from ..errors import InvalidInputError
from ..formats import Motion, read_motion, write_motion
from ..posing import Effector, Floor, IKResult, Pose, feet_on_floor, solve_ik, standing
from ..priors.arrays import load_prior_arrays
from ..terminal import warn
from ..userfiles import replacing
from .common import UNSET, Common, make_room_for, say_written
from .inputs import INPUT, similar

_ARRAYS = ("body_pose", "global_orient", "transl", "betas", "z", "joints", "reached")
_FORMATS = (".npz", ".obj", ".bvh", ".glb")
Named = Annotated[list[str], tyro.conf.UseAppendAction, UNSET]


@dataclass(frozen=True, kw_only=True)
class PoseBody(Common):
    """Pose a body by a few of its joints, naturally.

    Metres, Y up, the body faces +Z and stands on the floor at 0.
    """

    effector: Named = field(default_factory=list)
    """A joint and its place: left_wrist=0.3,1.2,0.4. May be given again."""
    turn: Named = field(default_factory=list)
    """A joint and its rotation in the world as an axis-angle in degrees: head=0,45,0."""
    look: Named = field(default_factory=list)
    """A joint and the point that its front should face: head=0,1,2."""
    out: tuple[Path, ...] = (Path("pose.npz"),)
    """Files to write: .npz, .obj (the mesh), .bvh (one frame), .glb (mesh and rig)."""
    start: Annotated[Path | None, UNSET] = field(default=None, metadata=INPUT)
    """A fit, a pose or a motion (its first frame) to start from; by default the body stands."""
    soft: bool = False
    """Go near the places instead of holding them within a millimetre."""
    feet: bool = True
    """Feet that stand on the floor stay where they are, unless they are told otherwise."""
    lock: Annotated[tuple[str, ...], UNSET] = ()
    """Limbs (left_arm, right_leg, trunk, head) and joints that stay as they are."""
    floor: float = 0.0
    """Height of the floor, m."""
    prior: str = "light"
    """Which poses are natural: the prior's name or its file."""
    body: Annotated[Path | None, UNSET] = field(default=None, metadata=INPUT)
    """The user's own SMPL file instead of the free body."""


def run_pose(command: PoseBody) -> dict[str, Any]:
    body, prior = load_body_arrays(command.body), load_prior_arrays(command.prior)
    floor, effectors = Floor(command.floor), _effectors(command)
    for path in command.out:
        if path.suffix not in _FORMATS:
            raise InvalidInputError(f"{path} is no .npz, .obj, .bvh or .glb.", "Name such a file.")
    start = standing(body, prior, floor) if command.start is None else _read(command.start, body)
    busy = {e.joint for e in effectors}
    pins = feet_on_floor(start, floor, body) if command.feet else ()
    pins = tuple(pin for pin in pins if pin.joint not in busy)
    result = solve_ik(
        (*effectors, *pins), start, body=body, prior=prior, locked=command.lock, floor=floor
    )
    for path in command.out:
        make_room_for(path)
        _write(path, result, body)
    if result.message:
        warn(result.message)
    say_written(command.out)
    names = [e.joint for e in effectors]
    return {
        "out": [str(path) for path in command.out],
        "reached_m": dict(zip(names, result.reached.tolist(), strict=False)),
        "log_prob": result.log_prob,
        "seconds": result.seconds,
        "failed": result.message,
    }


def _effectors(command: PoseBody) -> list[Effector]:
    """One a joint, with all that is asked of it."""
    asked: dict[str, dict[str, Any]] = {}
    kinds = {"position": command.effector, "rotation": command.turn, "look_at": command.look}
    for kind, texts in kinds.items():
        for joint, numbers in map(_parsed, texts):
            value = np.radians(numbers) if kind == "rotation" else numbers
            asked.setdefault(joint, {})[kind] = value
    if not asked:
        raise InvalidInputError(
            "There is no effector.", "Give one: --effector left_wrist=0.3,1.2,0.4"
        )
    return [Effector(joint, pinned=not command.soft, **what) for joint, what in asked.items()]


def _parsed(text: str) -> tuple[str, np.ndarray]:
    joint, _, numbers = text.partition("=")
    try:
        values = np.array([float(n) for n in numbers.split(",")])
    except ValueError:
        values = np.zeros(0)
    if len(values) != 3:
        raise InvalidInputError(
            f"'{text}' is no joint and three numbers.", "Write left_wrist=0.3,1.2,0.4"
        )
    if joint not in JOINT_NAMES:
        near = [name for name in JOINT_NAMES if joint and joint in name]
        near = near or similar(joint, list(JOINT_NAMES))
        hint = (
            f"Did you mean {' or '.join(near)}?" if near else f"Joints: {', '.join(JOINT_NAMES)}."
        )
        raise InvalidInputError(f"There is no joint '{joint}'.", hint)
    return joint, values


def _read(path: Path, body: BodyArrays) -> Pose:
    """The pose of a file, of a motion its first, upright: a fit's stands on its floor. Raises
    AssetError or InvalidInputError."""
    motion = read_motion(path, body=body)
    motion = motion.with_up("y", body.joints(motion.betas)[0])
    return Pose(
        motion.body_pose[0].reshape(-1, 3),
        motion.global_orient[0],
        motion.transl[0],
        motion.betas,
    )


def _write(path: Path, result: IKResult, body: BodyArrays) -> None:
    if path.suffix == ".npz":
        arrays = {name: getattr(result, name) for name in _ARRAYS}
        with replacing(path) as temporary, open(temporary, "wb") as stream:
            np.savez_compressed(stream, **arrays, up=np.array("y"))
        return
    pose = result.body_pose.reshape(1, -1)
    motion = Motion(result.global_orient[None], pose, result.transl[None], result.betas)
    write_motion(path, motion, body=body)

"""pose: a body whose joints are where they should be."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np
import tyro

from ..bodies.arrays import BodyArrays
from ..bodies.files import load_body_arrays
from ..bodies.tables import body_table, skin_table
from ..core.arrays import numpy_namespace as xp
from ..core.body import pose_skeleton, skin
from ..core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from ..errors import InvalidInputError
from ..gravity import upright_rotation
from ..meshfile import write_obj
from ..mocap import Clip
from ..mocap.bvh_writer import write_bvh
from ..posing import Effector, Floor, IKResult, Pose, feet_on_floor, solve_ik, standing
from ..posing.rig import BACKEND
from ..priors.arrays import load_prior_arrays
from ..records import FitResult
from ..userfiles import read_npz, replacing
from .common import Common, make_room_for, say_written, warn
from .inputs import INPUT

_ARRAYS = ("body_pose", "global_orient", "transl", "betas", "z", "joints", "reached")
_FORMATS = (".npz", ".obj", ".bvh")
_MAX_MB = 256
_FPS = 30.0
Named = Annotated[list[str], tyro.conf.UseAppendAction]


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
    """Files to write: .npz, .obj (the mesh), .bvh (one frame)."""
    start: Path | None = field(default=None, metadata=INPUT)
    """An .npz of `kinflow fit` or `kinflow pose` to start from; by default the body stands."""
    soft: bool = False
    """Go near the places instead of holding them within a millimetre."""
    feet: bool = True
    """Feet that stand on the floor stay where they are, unless they are told otherwise."""
    lock: tuple[str, ...] = ()
    """Limbs (left_arm, right_leg, trunk, head) and joints that stay as they are."""
    floor: float = 0.0
    """Height of the floor, m."""
    prior: str = "light"
    """Which poses are natural: the prior's name or its file."""
    body: Path | None = field(default=None, metadata=INPUT)
    """The user's own SMPL file instead of the free body."""


def run_pose(command: PoseBody) -> dict[str, Any]:
    body, prior = load_body_arrays(command.body), load_prior_arrays(command.prior)
    floor, effectors = Floor(command.floor), _effectors(command)
    for path in command.out:
        if path.suffix not in _FORMATS:
            raise InvalidInputError(f"{path} is no .npz, .obj or .bvh.", "Name such a file.")
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
    return joint, values


def _read(path: Path, body: BodyArrays) -> Pose:
    """The pose of an .npz: a fit's stood upright on its floor. Raises AssetError."""
    arrays = read_npz(path, _MAX_MB, None, "Give an .npz that kinflow wrote.")
    if "header" not in arrays:
        missing = sorted({"body_pose", "global_orient", "transl"} - arrays.keys())
        if missing:
            raise InvalidInputError(f"{path} holds no {missing[0]}.", "Give a pose of kinflow.")
        return Pose.of(SimpleNamespace(**arrays))
    fit = FitResult.load(path)
    pose, turn = Pose.of(fit), upright_rotation(fit.gravity)
    root = matrix_to_axis_angle(xp, turn @ axis_angle_to_matrix(xp, pose.global_orient))
    pelvis = body.joints(pose.betas)[0]
    place = turn @ (pelvis + pose.transl) + [0, fit.floor or 0.0, 0]
    return replace(pose, global_orient=np.asarray(root), transl=place - pelvis)


def _mesh(result: IKResult, body: BodyArrays) -> np.ndarray:
    """-> vertices (V, 3) m."""
    rotations = axis_angle_to_matrix(xp, _turns(result))[None]
    skeleton = pose_skeleton(xp, body_table(body, BACKEND), rotations, result.betas[None])
    return np.asarray(skin(xp, skin_table(body, BACKEND), skeleton)[0] + result.transl)


def _turns(result: IKResult) -> np.ndarray:
    return np.concatenate((result.global_orient[None], result.body_pose))


def _write(path: Path, result: IKResult, body: BodyArrays) -> None:
    if path.suffix == ".npz":
        with replacing(path) as temporary, open(temporary, "wb") as stream:
            np.savez_compressed(stream, **{name: getattr(result, name) for name in _ARRAYS})
    elif path.suffix == ".obj":
        write_obj(path, _mesh(result, body), body.faces, "pose")
    else:
        rotations = axis_angle_to_matrix(xp, _turns(result))
        clip = Clip(path.stem, _FPS, rotations[:1], rotations[None, 1:], result.joints[:1])
        write_bvh(path, clip, body.joints(result.betas))

"""BVH: a motion under SMPL's joint names, and any skeleton's motion as SMPL's."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np

from ..core.arrays import numpy_namespace as xp
from ..core.rotations import matrix_to_axis_angle, matrix_to_euler_zxy
from ..core.skeleton import JOINT_NAMES, PARENTS
from ..errors import InvalidInputError
from ..mocap.bvh import read_bvh_file
from ..records import NumpyArray
from ..userfiles import replacing
from .motion import Motion

UNITS_PER_METRE = 100  # centimetres, as `read_bvh` takes them
_UNITS = (1.0, 0.01, 0.001, 0.0254 / 0.45)  # m, cm, mm, and CMU's
_LEG = 0.8  # m, from the hip to the ankle
_ROTATIONS = "Zrotation Xrotation Yrotation"
_END = 0.05  # m: what a hand, a foot or a head reaches beyond its joint


def read_bvh_motion(
    path: str | os.PathLike[str], pelvis: NumpyArray, metres_per_unit: float | None = None
) -> Motion:
    """Reads a .bvh or .bvh.gz of a skeleton that `kinflow.mocap.read_bvh` knows -> Motion, Y up.

    pelvis (3,): the rest pose's pelvis joint of the body that shall move so, m. The file's rest
    pose, a T-pose, tells which way is up and which is left, and by the length of its legs the unit
    (m, cm, mm or CMU's), unless metres_per_unit states it. BVH knows no shape: betas are 0.
    Raises AssetError (unreadable file, with the line) or InvalidInputError (unknown names).

    >>> import numpy as np, tempfile
    >>> from kinflow.bodies.files import load_body_arrays
    >>> joints = load_body_arrays().J_template
    >>> path = tempfile.mkdtemp() + "/still.bvh"
    >>> write_bvh(path, Motion(np.zeros((60, 3)), np.zeros((60, 69)), np.zeros((60, 3))), joints)
    >>> len(read_bvh_motion(path, joints[0]))
    60
    """
    bvh = read_bvh_file(path)
    rest = bvh.rest_places()
    clip = bvh.clip(_unit(rest) if metres_per_unit is None else metres_per_unit)
    turn = _axes(rest)
    rotations = np.concatenate((clip.global_orient[:, None], clip.body_pose), 1)
    vectors = matrix_to_axis_angle(xp, turn @ rotations @ turn.T)
    transl: NumpyArray = clip.transl @ turn.T - pelvis
    body = vectors[:, 1:].reshape(len(clip), -1)
    try:
        return Motion(vectors[:, 0], body, transl, fps=clip.fps)
    except InvalidInputError as error:
        raise InvalidInputError(f"{path}: {error.message}", "Export the BVH file again.") from error


def _axes(rest: dict[str, NumpyArray]) -> NumpyArray:
    """The rotation by multiples of a right angle that lays a rest pose's left along x and its up
    along y; none where the skeleton does not tell. (3, 3)."""
    if {"left_hip", "right_hip", "head"} <= rest.keys():
        left = _axis(rest["left_hip"] - rest["right_hip"])
        up = _axis(rest["head"] - rest["pelvis"])
        if left @ left == up @ up == 1 and left @ up == 0:
            return np.stack((left, up, np.cross(left, up)))
    return np.eye(3)


def _axis(direction: NumpyArray) -> NumpyArray:
    """The axis nearest to a direction, with its sign; 0 where there is no direction. (3,)."""
    axis = np.zeros(3)
    longest = int(np.abs(direction).argmax())
    axis[longest] = np.sign(direction[longest])
    return axis


def _unit(rest: dict[str, NumpyArray]) -> float:
    """Metres a unit, of those in use, that make the legs most like an adult's."""
    names = ("left_hip", "left_knee", "left_ankle")
    if not rest.keys() >= set(names):
        return 1 / UNITS_PER_METRE
    hip, knee, ankle = (rest[name] for name in names)
    length = float(np.linalg.norm(knee - hip) + np.linalg.norm(ankle - knee))
    if not 1e-9 < length < 1e9:
        return 1 / UNITS_PER_METRE
    return min(_UNITS, key=lambda unit: abs(np.log(unit * length / _LEG)))


def write_bvh(path: str | os.PathLike[str], motion: Motion, joints: NumpyArray) -> None:
    """Writes a motion under SMPL's joint names: centimetres, Y up, the T-pose at rest.

    joints (24, 3): the body's joints in the T-pose, m (`body.joints(motion.betas)`). Fingers are
    left out. Raises InvalidInputError for joints that are not finite, AssetError where the file
    cannot be written.

    >>> import numpy as np, tempfile
    >>> from kinflow.bodies.files import load_body_arrays
    >>> still = Motion(np.zeros((60, 3)), np.zeros((60, 69)), np.zeros((60, 3)))
    >>> write_bvh(tempfile.mkdtemp() + "/still.bvh", still, load_body_arrays().J_template)
    """
    if not np.isfinite(joints).all():
        raise InvalidInputError("The joints are not finite.")
    upright = motion.with_up("y", joints[0])
    angles = np.degrees(matrix_to_euler_zxy(xp, upright.rotations()))[:, _order()]
    places = UNITS_PER_METRE * (upright.transl + joints[0])
    rows = np.concatenate((places, angles.reshape(len(motion), -1)), 1)
    offsets = UNITS_PER_METRE * (joints - joints[list(PARENTS)])
    offsets[0] = 0
    with replacing(path) as temporary, open(temporary, "w", encoding="ascii") as stream:
        stream.write("HIERARCHY\n")
        stream.writelines(_hierarchy(0, offsets, ""))
        stream.write(f"MOTION\nFrames: {len(motion)}\nFrame Time: {1 / motion.fps!r}\n")
        stream.writelines(" ".join(f"{value:.6f}" for value in row) + "\n" for row in rows)


def _children(joint: int) -> list[int]:
    return [child for child, parent in enumerate(PARENTS) if parent == joint]


def _order(joint: int = 0) -> list[int]:
    """Joints in the order of the hierarchy, depth first."""
    return [joint, *(j for child in _children(joint) for j in _order(child))]


def _hierarchy(joint: int, offsets: np.ndarray, pad: str) -> Iterator[str]:
    channels = f"3 {_ROTATIONS}" if joint else f"6 Xposition Yposition Zposition {_ROTATIONS}"
    yield f"{pad}{'JOINT' if joint else 'ROOT'} {JOINT_NAMES[joint]}\n{pad}{{\n"
    yield f"{pad}\tOFFSET {_numbers(offsets[joint])}\n{pad}\tCHANNELS {channels}\n"
    for child in _children(joint):
        yield from _hierarchy(child, offsets, pad + "\t")
    if not _children(joint):
        way = offsets[joint] / max(float(np.linalg.norm(offsets[joint])), 1e-9)
        end = _numbers(UNITS_PER_METRE * _END * way)
        yield f"{pad}\tEnd Site\n{pad}\t{{\n{pad}\t\tOFFSET {end}\n{pad}\t}}\n"
    yield f"{pad}}}\n"


def _numbers(values: np.ndarray) -> str:
    return " ".join(f"{value:.6f}" for value in values)

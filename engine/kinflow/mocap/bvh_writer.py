"""SMPL joint rotations -> BVH."""

import os
from collections.abc import Iterator

import numpy as np

from ..core.arrays import numpy_namespace as xp
from ..core.rotations import matrix_to_euler_zxy
from ..core.skeleton import JOINT_NAMES, PARENTS
from ..errors import InvalidInputError
from ..userfiles import replacing
from .clip import Clip

UNITS_PER_METRE = 100  # centimetres, as `read_bvh` takes them
_ROTATIONS = "Zrotation Xrotation Yrotation"
_END = 0.05  # m: what a hand, a foot or a head reaches beyond its joint


def write_bvh(path: str | os.PathLike, clip: Clip, joints: np.ndarray) -> None:
    """Writes a clip under SMPL's joint names, centimetres, Y up, the T-pose at rest.

    clip.transl is the pelvis' place, as `read_bvh` gives it; joints (24, 3): the body's joints in
    the T-pose, m. Raises InvalidInputError for numbers that are not finite, AssetError where the
    file cannot be written.
    """
    rotations = np.concatenate((clip.global_orient[:, None], clip.body_pose), 1)
    angles = np.degrees(matrix_to_euler_zxy(xp, rotations))[:, _order()]
    rows = np.concatenate((UNITS_PER_METRE * clip.transl, angles.reshape(len(clip), -1)), 1)
    if not (np.isfinite(rows).all() and np.isfinite(joints).all()):
        raise InvalidInputError("The clip or the joints are not finite.")
    offsets = UNITS_PER_METRE * (joints - joints[list(PARENTS)])
    offsets[0] = 0
    with replacing(path) as temporary, open(temporary, "w", encoding="ascii") as stream:
        stream.write("HIERARCHY\n")
        stream.writelines(_hierarchy(0, offsets, ""))
        stream.write(f"MOTION\nFrames: {len(clip)}\nFrame Time: {1 / clip.fps:.8f}\n")
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

"""Acclaim ASF skeleton + AMC motion (CMU's own files) -> SMPL joint rotations."""

import os
from array import array
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import AssetError
from ..userfiles import numbered_lines, read_bytes
from .clip import Clip, check_frames, euler_degrees, limbs_map, local_rotations, shortest_rotation

MAX_ASF_MB, MAX_AMC_MB = 16, 256
MAX_BONES = 1000

_LIMBS = ("femur", "tibia", "foot", "toes", "clavicle", "humerus", "radius", "hand")
_MAP = {
    **{"root": "pelvis", "lowerback": "spine1", "upperback": "spine2", "thorax": "spine3"},
    **{"upperneck": "neck", "head": "head"},
    **limbs_map(_LIMBS, "l", "r"),
}
# Directions of these bones in SMPL's T-pose; the others keep the direction of the file's rest pose.
_T_POSE = {
    **{bone: (0.0, -1.0, 0.0) for bone in ("lfemur", "ltibia", "rfemur", "rtibia")},
    **{bone: (1.0, 0.0, 0.0) for bone in ("lhumerus", "lradius", "lwrist", "lhand")},
    **{bone: (-1.0, 0.0, 0.0) for bone in ("rhumerus", "rradius", "rwrist", "rhand")},
}


@dataclass
class _Bone:
    name: str
    direction: np.ndarray
    axis: np.ndarray
    dof: tuple[str, ...] = ()
    parent: str = ""


def _fail(path: object, why: str) -> AssetError:
    return AssetError(f"{path}: {why}.", "Download the ASF and AMC files again.")


def _axis(words: list[str]) -> np.ndarray:
    order = words[3].upper() if len(words) > 3 else "XYZ"
    if len(order) > 3:
        raise ValueError(f"axis order {order[:9]}")
    return euler_degrees(np.array([float(words["XYZ".index(a)]) for a in order])[::-1], order[::-1])


def _bone(fields: dict[str, list[str]]) -> _Bone:
    """A bone of the words after its keywords. Raises KeyError, ValueError, IndexError."""
    direction = np.array([float(w) for w in fields["direction"][:3]])
    axis, dof = _axis(fields["axis"]), tuple(fields.get("dof", ()))
    if not 0 < np.linalg.norm(direction) < 1e6 or not np.isfinite(axis).all():
        raise ValueError("its direction or axis makes no sense")
    if len(direction) != 3 or len(set(dof)) != len(dof) or not set(dof) <= {"rx", "ry", "rz"}:
        raise ValueError("its direction or degrees of freedom make no sense")
    return _Bone(fields["name"][0], direction, axis, dof)


def _read_asf(path: Path) -> tuple[dict[str, _Bone], list[str]]:
    """Bones by name, and their names with every parent before its children."""
    bones = {"root": _Bone("root", np.zeros(3), np.eye(3), ("rx", "ry", "rz"))}
    order = {"root": None}
    section = ""
    fields: dict[str, list[str]] = {}
    for number, line in numbered_lines(read_bytes(path, MAX_ASF_MB), path):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            if words[0].startswith(":"):
                section = words[0]
            elif section == ":bonedata" and words[0] == "end":
                bone = _bone(fields)
                bones[bone.name], fields = bone, {}
            elif section == ":bonedata":
                fields[words[0]] = words[1:]
            elif section == ":hierarchy" and words[0] not in ("begin", "end"):
                for child in words[1:]:
                    if words[0] not in order or child in order:
                        raise ValueError(f"'{child}' has no place in the tree")
                    bones[child].parent = words[0]
                    order[child] = None
        except (KeyError, ValueError, IndexError) as error:
            raise _fail(path, f"line {number} is not understood ({error})") from error
        if len(bones) > MAX_BONES:
            raise _fail(path, f"has more than {MAX_BONES} bones")
    if len(order) < 10:
        raise _fail(path, "has no skeleton")
    return bones, list(order)


def _read_amc(path: Path, bones: dict[str, _Bone]) -> tuple[int, dict[str, np.ndarray]]:
    """Number of frames, and the values of each bone that moves (T, its degrees of freedom).

    The root's are its position and its rotation.
    """
    sizes = {name: len(bone.dof) for name, bone in bones.items()} | {"root": 6}
    values: dict[str, array] = {name: array("d") for name, size in sizes.items() if size}
    count = 0
    for number, line in numbered_lines(read_bytes(path, MAX_AMC_MB), path):
        words = line.split()
        if not words or words[0][0] in "#:":
            continue
        if len(words) == 1 and words[0].isdecimal():
            count += 1
            check_frames(path, count, len(bones))
            continue
        name = words[0]
        if not count or name not in values:
            continue
        size = sizes[name]
        if len(words) - 1 != size:
            raise _fail(path, f"frame {count}: '{name}' should have {size} numbers")
        missing = (count - 1) * size - len(values[name])
        if missing > 0 and name == "root":
            break
        try:
            values[name].extend([0.0] * missing)
            values[name].extend(float(w) for w in words[1:])
        except ValueError as error:
            raise _fail(path, f"line {number} holds something other than numbers") from error
        if len(values[name]) > count * size:
            raise _fail(path, f"frame {count}: '{name}' is there twice")
    if not count or len(values["root"]) != 6 * count:
        raise _fail(path, "has no frames with a root")
    table = {}
    for name, numbers in values.items():
        numbers.extend([0.0] * (count * sizes[name] - len(numbers)))
        table[name] = np.array(numbers).reshape(count, -1)
        if not np.isfinite(table[name]).all():
            raise _fail(path, f"'{name}' holds NaN or infinity")
    return count, table


def _rest_correction(bone: _Bone) -> np.ndarray:
    """Rotation from the bone's direction in the file's rest pose to its direction in the T-pose."""
    if bone.name not in _T_POSE:
        return np.eye(3)
    a = bone.direction / np.linalg.norm(bone.direction)
    b = np.array(_T_POSE[bone.name])
    if a @ b < -1 + 1e-9:  # opposite: half a turn about z, which is square to every direction above
        return np.diag([-1.0, -1.0, 1.0])
    return shortest_rotation(a, b)


def read_amc(
    amc: str | os.PathLike,
    asf: str | os.PathLike,
    fps: float = 120.0,
    metres_per_unit: float = 0.0254 / 0.45,
) -> Clip:
    """Reads a CMU trial. `asf` is the subject's skeleton. Raises AssetError naming file and bone.

    CMU's lengths are in units of 0.45 inch.
    """
    amc, asf = Path(amc), Path(asf)
    bones, order = _read_asf(asf)
    count, values = _read_amc(amc, bones)
    world: dict[str, np.ndarray] = {}
    for name in order:
        bone = bones[name]
        angles = np.zeros((count, 3))
        for column, dof in enumerate(bone.dof):
            angles[:, "xyz".index(dof[1])] = values[name][:, column - len(bone.dof)]
        local = bone.axis @ euler_degrees(angles[:, ::-1], "ZYX") @ bone.axis.T
        world[name] = world[bone.parent] @ local if bone.parent else local
    known = {name: target for name, target in _MAP.items() if name in world}
    smpl_world = {t: world[name] @ _rest_correction(bones[name]).T for name, t in known.items()}
    rotations = local_rotations(smpl_world, count)
    transl = values["root"][:, :3] * metres_per_unit
    return Clip(amc.stem, fps, rotations[:, 0], rotations[:, 1:], transl)

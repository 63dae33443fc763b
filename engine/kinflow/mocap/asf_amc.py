"""Acclaim ASF skeleton + AMC motion (CMU's own files) -> SMPL joint rotations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import AssetError
from ..rotations_np import euler_to_matrix
from ..core.skeleton import JOINT_INDEX, NUM_JOINTS, PARENTS
from .clip import Clip

_MAP = {
    "root": "pelvis",
    "lowerback": "spine1",
    "upperback": "spine2",
    "thorax": "spine3",
    "upperneck": "neck",
    "head": "head",
    "lfemur": "left_hip",
    "ltibia": "left_knee",
    "lfoot": "left_ankle",
    "ltoes": "left_foot",
    "rfemur": "right_hip",
    "rtibia": "right_knee",
    "rfoot": "right_ankle",
    "rtoes": "right_foot",
    "lclavicle": "left_collar",
    "lhumerus": "left_shoulder",
    "lradius": "left_elbow",
    "lhand": "left_wrist",
    "rclavicle": "right_collar",
    "rhumerus": "right_shoulder",
    "rradius": "right_elbow",
    "rhand": "right_wrist",
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
    return euler_to_matrix(
        np.radians([float(words["XYZ".index(a)]) for a in order])[::-1], order[::-1]
    )


def _read_asf(path: Path) -> tuple[dict[str, _Bone], list[str]]:
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError as error:
        raise _fail(path, f"cannot be read ({error.strerror})") from error
    bones = {"root": _Bone("root", np.zeros(3), np.eye(3), ("rx", "ry", "rz"))}
    order: list[str] = ["root"]
    section, name = "", ""
    fields: dict = {}
    try:
        for line in lines:
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            if words[0].startswith(":"):
                section = words[0]
            elif section == ":bonedata":
                if words[0] == "begin":
                    fields = {}
                elif words[0] == "end":
                    name = fields["name"][0]
                    direction = np.array([float(w) for w in fields["direction"][:3]])
                    bones[name] = _Bone(
                        name, direction, _axis(fields["axis"]), tuple(fields.get("dof", ()))
                    )
                else:
                    fields[words[0]] = words[1:]
            elif section == ":hierarchy" and words[0] not in ("begin", "end"):
                for child in words[1:]:
                    bones[child].parent = words[0]
                    order.append(child)
    except (KeyError, ValueError, IndexError) as error:
        raise _fail(path, f"bone '{name}' and what follows is not understood ({error})") from error
    if len(order) < 10:
        raise _fail(path, "has no skeleton")
    return bones, order


def _rest_correction(bones: dict[str, _Bone], name: str) -> np.ndarray:
    """Rotation that takes the bone's direction in the file's rest pose to its direction in the T-pose."""
    if name not in _T_POSE:
        return np.eye(3)
    a = bones[name].direction / np.linalg.norm(bones[name].direction)
    b = np.array(_T_POSE[name])
    v, c = np.cross(a, b), float(a @ b)
    k = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    return np.eye(3) + k + k @ k / (1 + c)


def read_amc(
    amc: str | Path, asf: str | Path, fps: float = 120.0, metres_per_unit: float = 0.0254 / 0.45
) -> Clip:
    """Reads a CMU trial. `asf` is the subject's skeleton. Raises AssetError naming file and bone.

    CMU's lengths are in units of 0.45 inch.
    """
    amc, asf = Path(amc), Path(asf)
    bones, order = _read_asf(asf)
    try:
        lines = amc.read_text("utf-8", "replace").splitlines()
    except OSError as error:
        raise _fail(amc, f"cannot be read ({error.strerror})") from error
    frames: list[dict[str, list[float]]] = []
    try:
        for line in lines:
            words = line.split()
            if not words or words[0][0] in "#:":
                continue
            if len(words) == 1 and words[0].isdigit():
                frames.append({})
            else:
                frames[-1][words[0]] = [float(w) for w in words[1:]]
    except (ValueError, IndexError) as error:
        raise _fail(amc, f"frame {len(frames)} is not understood") from error
    if not frames or any("root" not in frame or len(frame["root"]) != 6 for frame in frames):
        raise _fail(amc, "has no frames with a root")

    count = len(frames)
    world: dict[str, np.ndarray] = {}
    for name in order:
        bone = bones[name]
        angles = np.zeros((count, 3))
        for index, frame in enumerate(frames):
            values = frame.get(name, [0.0] * len(bone.dof))[-len(bone.dof) :] if bone.dof else []
            if len(values) != len(bone.dof):
                raise _fail(amc, f"frame {index + 1}: '{name}' should have {len(bone.dof)} numbers")
            for dof, value in zip(bone.dof, values, strict=True):
                angles[index, "xyz".index(dof[1])] = np.radians(value)
        motion = euler_to_matrix(angles[:, ::-1], "ZYX")
        local = bone.axis @ motion @ bone.axis.T
        world[name] = world[bone.parent] @ local if bone.parent else local

    smpl_world = {
        JOINT_INDEX[target]: world[n] @ _rest_correction(bones, n).T
        for n, target in _MAP.items()
        if n in world
    }
    rotations = np.tile(np.eye(3), (count, NUM_JOINTS, 1, 1))
    rotations[:, 0] = smpl_world[0]
    for joint in range(1, NUM_JOINTS):
        parent = smpl_world[PARENTS[joint]]
        smpl_world.setdefault(joint, parent)
        rotations[:, joint] = np.swapaxes(parent, -1, -2) @ smpl_world[joint]
    transl = np.array([frame["root"][:3] for frame in frames]) * metres_per_unit
    return Clip(amc.stem, fps, rotations[:, 0], rotations[:, 1:], transl)

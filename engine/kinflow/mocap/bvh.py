"""BVH of any skeleton -> SMPL joint rotations."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import AssetError, InvalidInputError
from ..rotations_np import euler_to_matrix
from ..core.skeleton import JOINT_INDEX, NUM_JOINTS, PARENTS
from .clip import Clip

# The names of common exporters; every map is joint name -> SMPL joint.
_CMU_LIMBS = {
    "UpLeg": "hip",
    "Leg": "knee",
    "Foot": "ankle",
    "ToeBase": "foot",
    "Shoulder": "collar",
    "Arm": "shoulder",
    "ForeArm": "elbow",
    "Hand": "wrist",
}
_SPINE = {
    "Hips": "pelvis",
    "Spine": "spine1",
    "Spine1": "spine2",
    "Spine2": "spine3",
    "Neck": "neck",
    "Head": "head",
}
MOTIONBUILDER_MAP = _SPINE | {
    f"{side}{part}": f"{side.lower()}_{joint}"
    for side in ("Left", "Right")
    for part, joint in _CMU_LIMBS.items()
}
MIXAMO_MAP = {f"mixamorig:{name}": joint for name, joint in MOTIONBUILDER_MAP.items()}
SMPL_MAP = {name: name for name in JOINT_INDEX}
DAZ_MAP = {
    "hip": "pelvis",
    "abdomen": "spine1",
    "chest": "spine3",
    "neck": "neck",
    "head": "head",
} | {
    f"{letter}{part}": f"{side}_{joint}"
    for letter, side in (("l", "left"), ("r", "right"))
    for part, joint in {
        "Thigh": "hip",
        "Shin": "knee",
        "Foot": "ankle",
        "Toe": "foot",
        "Collar": "collar",
        "Shldr": "shoulder",
        "ForeArm": "elbow",
        "Hand": "wrist",
    }.items()
}
JOINT_MAPS = {
    "motionbuilder": MOTIONBUILDER_MAP,
    "mixamo": MIXAMO_MAP,
    "smpl": SMPL_MAP,
    "daz": DAZ_MAP,
}
_LIMITS = {"joints": 1000, "frames": 1_000_000}


@dataclass
class _Joint:
    name: str
    parent: int
    offset: np.ndarray = field(default_factory=lambda: np.zeros(3))
    channels: tuple[str, ...] = ()
    first_channel: int = 0


def _parse(text: str, path: str) -> tuple[list[_Joint], np.ndarray, float]:
    def fail(line: int, why: str) -> AssetError:
        return AssetError(f"{path}, line {line}: {why}.", "Export the BVH file again.")

    joints: list[_Joint] = []
    stack: list[int] = []
    lines = text.splitlines()
    total, number = 0, 0
    in_end_site = 0
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words:
            continue
        head = words[0]
        try:
            if head in ("ROOT", "JOINT"):
                if len(joints) >= _LIMITS["joints"]:
                    raise fail(number, "too many joints")
                joints.append(_Joint(" ".join(words[1:]), stack[-1] if stack else -1))
                pending = len(joints) - 1
            elif head == "End":
                in_end_site, pending = 1, -1
            elif head == "{":
                stack.append(pending)
            elif head == "}":
                if stack.pop() == -1:
                    in_end_site = 0
            elif head == "OFFSET" and not in_end_site:
                joints[stack[-1]].offset = np.array([float(w) for w in words[1:4]])
            elif head == "CHANNELS":
                joint = joints[stack[-1]]
                joint.channels = tuple(words[2:])
                if len(joint.channels) != int(words[1]) or any(
                    c[1:] not in ("position", "rotation") or c[0] not in "XYZ"
                    for c in joint.channels
                ):
                    raise fail(number, "unknown channels")
                joint.first_channel = total
                total += len(joint.channels)
            elif head == "MOTION":
                break
        except (IndexError, ValueError, UnboundLocalError) as error:
            raise fail(number, "not understood") from error
    else:
        raise fail(len(lines), "no MOTION section")
    if not joints:
        raise fail(number, "no joints")
    try:
        count = int(lines[number].split(":")[1])
        frame_time = float(lines[number + 1].split(":")[1])
    except (IndexError, ValueError) as error:
        raise fail(number + 1, "the frame count or frame time is missing") from error
    if not 0 < count <= _LIMITS["frames"] or not 0 < frame_time < 10:
        raise fail(number + 1, "the frame count or frame time makes no sense")
    rows = [row for row in lines[number + 2 :] if row.strip()]
    if len(rows) < count:
        raise fail(len(lines), f"{count} frames are announced and {len(rows)} are there")
    try:
        motion = np.array([[float(word) for word in row.split()] for row in rows[:count]])
    except ValueError as error:
        raise fail(
            number + 3, "a frame holds something other than numbers or has the wrong length"
        ) from error
    if motion.shape != (count, total) or not np.isfinite(motion).all():
        raise fail(number + 3, f"each frame should hold {total} finite numbers")
    return joints, motion, 1 / frame_time


def _choose_map(names: set[str], path: str) -> dict[str, str]:
    best = max(JOINT_MAPS.values(), key=lambda joint_map: len(names & joint_map.keys()))
    if len(names & best.keys()) < 10:
        raise InvalidInputError(
            f"{path}: the joint names are of no skeleton known here.",
            "Give joint_map={BVH name: SMPL name}.",
        )
    return best


def read_bvh(
    path: str | Path, joint_map: dict[str, str] | None = None, metres_per_unit: float = 0.01
) -> Clip:
    """Reads a .bvh or .bvh.gz whose rest pose is a T-pose facing +Z.

    joint_map: BVH joint name -> SMPL joint name (the maps of JOINT_MAPS are tried when it is left out).
    Joints that the file has between two mapped ones are folded into the lower one; SMPL joints that the file
    lacks stay at rest. Raises AssetError (unreadable file, with the line) or InvalidInputError (unknown names).
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError) as error:
        raise AssetError(f"Cannot read {path}: {error}.", "Check the path.") from error
    joints, motion, fps = _parse(raw.decode("utf-8", "replace"), str(path))
    joint_map = joint_map or _choose_map({j.name for j in joints}, str(path))
    unknown = set(joint_map.values()) - JOINT_INDEX.keys()
    if unknown:
        raise InvalidInputError(f"joint_map names {sorted(unknown)}, which are no SMPL joints.")

    frames = len(motion)
    local = np.tile(np.eye(3), (frames, len(joints), 1, 1))
    for index, joint in enumerate(joints):
        columns = [(i, c[0]) for i, c in enumerate(joint.channels) if c.endswith("rotation")]
        if columns:
            angles = np.radians(motion[:, [joint.first_channel + i for i, _ in columns]])
            local[:, index] = euler_to_matrix(angles, "".join(axis for _, axis in columns))
    world = local.copy()
    smpl_world: dict[int, np.ndarray] = {}
    for index, joint in enumerate(joints):
        if joint.parent >= 0:
            world[:, index] = world[:, joint.parent] @ local[:, index]
        target = joint_map.get(joint.name)
        if target is not None:
            smpl_world[JOINT_INDEX[target]] = world[:, index]
    if 0 not in smpl_world:
        raise InvalidInputError(f"{path}: no joint is mapped to the pelvis.")

    rotations = np.tile(np.eye(3), (frames, NUM_JOINTS, 1, 1))
    rotations[:, 0] = smpl_world[0]
    for number in range(1, NUM_JOINTS):
        parent = smpl_world.setdefault(PARENTS[number], np.tile(np.eye(3), (frames, 1, 1)))
        smpl_world.setdefault(number, parent)
        rotations[:, number] = np.swapaxes(parent, -1, -2) @ smpl_world[number]

    root = joints[0]
    transl = np.tile(root.offset, (frames, 1))
    for column, channel in enumerate(root.channels):
        if channel.endswith("position"):
            transl[:, "XYZ".index(channel[0])] = motion[:, root.first_channel + column]
    name = path.name.split(".")[0]
    return Clip(name, fps, rotations[:, 0], rotations[:, 1:], transl * metres_per_unit)

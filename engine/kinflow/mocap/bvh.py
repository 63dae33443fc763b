"""BVH of any skeleton -> SMPL joint rotations."""

import gzip
import io
import os
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..core.skeleton import JOINT_INDEX
from ..errors import AssetError, InvalidInputError
from ..userfiles import check_size, limit_bytes, numbered_lines, parsing, read_bytes
from .clip import MAX_FRAMES, Clip, check_frames, euler_degrees, limbs_map, local_rotations

# The names of common exporters; every map is joint name -> SMPL joint.
_SPINE = {"Hips": "pelvis", "Spine": "spine1", "Spine1": "spine2", "Spine2": "spine3"}
_SPINE |= {"Neck": "neck", "Head": "head"}
_CMU = ("UpLeg", "Leg", "Foot", "ToeBase", "Shoulder", "Arm", "ForeArm", "Hand")
_DAZ = ("Thigh", "Shin", "Foot", "Toe", "Collar", "Shldr", "ForeArm", "Hand")


MOTIONBUILDER_MAP = _SPINE | limbs_map(_CMU, "Left", "Right")
JOINT_MAPS = {
    "motionbuilder": MOTIONBUILDER_MAP,
    "mixamo": {f"mixamorig:{name}": joint for name, joint in MOTIONBUILDER_MAP.items()},
    "smpl": {name: name for name in JOINT_INDEX},
    "daz": {"hip": "pelvis", "abdomen": "spine1", "chest": "spine3", "neck": "neck", "head": "head"}
    | limbs_map(_DAZ, "l", "r"),
}
MAX_MB = 256
MAX_JOINTS, MAX_NESTING = 1000, 200
_CHANNELS = {f"{axis}{kind}" for axis in "XYZ" for kind in ("position", "rotation")}


@dataclass(eq=False)
class _Joint:
    name: str
    parent: int
    offset: np.ndarray = field(default_factory=lambda: np.zeros(3))
    channels: tuple[str, ...] = ()
    first_channel: int = 0


class _Parser:
    """Reads a BVH's lines one after the other. Raises AssetError with the line."""

    def __init__(self, raw: bytes, path: Path) -> None:
        self.path = path
        self.number = 0
        self.lines = self._lines(raw)

    def _lines(self, raw: bytes) -> Iterator[list[str]]:
        for number, line in numbered_lines(raw, self.path):
            self.number = number
            if words := line.split():
                yield words

    def fail(self, why: str) -> AssetError:
        return AssetError(f"{self.path}, line {self.number}: {why}.", "Export the BVH file again.")

    def hierarchy(self) -> tuple[list[_Joint], int]:
        """The joints, parents first, and their number of channels together."""
        joints: list[_Joint] = []
        stack: list[_Joint | None] = []  # None: an end site
        announced: _Joint | None = None
        total = 0
        for head, *words in self.lines:
            try:
                if head == "MOTION":
                    break
                if head in ("ROOT", "JOINT"):
                    parent = stack[-1] if stack else None
                    announced = _Joint(" ".join(words), joints.index(parent) if parent else -1)
                    joints.append(announced)
                elif head == "End":
                    announced = None
                elif head == "{":
                    stack.append(announced)
                elif head == "}":
                    stack.pop()
                elif head in ("OFFSET", "CHANNELS") and stack[-1] is not None:
                    total += self._describe(stack[-1], head, words, total)
            except (IndexError, ValueError) as error:
                raise self.fail("not understood") from error
            if len(joints) > MAX_JOINTS or len(stack) > MAX_NESTING:
                raise self.fail("too many joints")
        else:
            raise self.fail("no MOTION section")
        if not joints:
            raise self.fail("no joints")
        return joints, total

    def _describe(self, joint: _Joint, head: str, words: list[str], total: int) -> int:
        """Sets a joint's offset or channels. Returns the number of channels that are new."""
        if head == "OFFSET":
            joint.offset = np.array([float(w) for w in words[:3]])
            if joint.offset.shape != (3,) or not np.isfinite(joint.offset).all():
                raise self.fail("an offset should be three finite numbers")
            return 0
        channels = tuple(words[1:])
        if joint.channels or len(channels) != int(words[0]) or not set(channels) <= _CHANNELS:
            raise self.fail("unknown channels")
        if len(set(channels)) != len(channels):
            raise self.fail("a channel is there twice")
        joint.channels, joint.first_channel = channels, total
        return len(channels)

    def motion(self, joints: int, channels: int) -> tuple[np.ndarray, float]:
        """Values (T, channels) as they stand in the file, and frames a second."""
        try:
            count = int(" ".join(next(self.lines)).split(":")[1])
            frame_time = float(" ".join(next(self.lines)).split(":")[1])
        except (IndexError, ValueError, StopIteration) as error:
            raise self.fail("the frame count or frame time is missing") from error
        if not 0 < count <= MAX_FRAMES or not 1e-5 < frame_time < 10:
            raise self.fail("the frame count or frame time makes no sense")
        check_frames(self.path, count, joints)
        values = array("d")
        for row, words in enumerate(self.lines):
            if row == count:
                break
            if len(words) != channels:
                raise self.fail(f"each frame should hold {channels} numbers")
            try:
                values.extend(map(float, words))
            except ValueError as error:
                raise self.fail("a frame holds something other than numbers") from error
        frames = len(values) // max(channels, 1)
        if frames < count:
            raise self.fail(f"{count} frames are announced and {frames} are there")
        motion = np.array(values).reshape(count, channels)
        if not np.isfinite(motion).all():
            raise self.fail(f"each frame should hold {channels} finite numbers")
        return motion, 1 / frame_time


def _choose_map(names: set[str], path: Path) -> dict[str, str]:
    best = max(JOINT_MAPS.values(), key=lambda joint_map: len(names & joint_map.keys()))
    if len(names & best.keys()) < 10:
        why = f"{path}: the joint names are of no skeleton known here."
        raise InvalidInputError(why, "Give joint_map={BVH name: SMPL name}.")
    return best


def _unpacked(path: Path) -> bytes:
    raw = read_bytes(path, MAX_MB)
    if path.suffix == ".gz":
        with parsing(path, "Compress it again.", kind="gzip file"):
            raw = gzip.GzipFile(fileobj=io.BytesIO(raw)).read(limit_bytes(MAX_MB) + 1)
        check_size(len(raw), MAX_MB, f"{path}, unpacked,")
    return raw


@dataclass(frozen=True, eq=False)
class Bvh:
    """A .bvh as it stands: joints, values (T, channels), frames a second, and which joint is which
    of SMPL's (BVH name -> SMPL name)."""

    path: Path
    joints: list[_Joint]
    motion: np.ndarray
    fps: float
    joint_map: dict[str, str]

    def rest_places(self) -> dict[str, np.ndarray]:
        """Where the rest pose has each of SMPL's joints that the file knows, in its units."""
        places: list[np.ndarray] = []
        for joint in self.joints:
            above = places[joint.parent] if joint.parent >= 0 else np.zeros(3)
            places.append(above + joint.offset)
        pairs = zip(self.joints, places, strict=True)
        return {self.joint_map[j.name]: place for j, place in pairs if j.name in self.joint_map}

    def clip(self, metres_per_unit: float) -> Clip:
        """Raises InvalidInputError where no joint is the pelvis."""
        world = self._world_rotations()
        if "pelvis" not in world:
            hint = "Give joint_map with the hips' name."
            raise InvalidInputError(f"{self.path}: no joint is mapped to the pelvis.", hint)
        rotations = local_rotations(world, len(self.motion))
        root = self.joints[0]
        transl = np.tile(root.offset, (len(self.motion), 1))
        for column, channel in enumerate(root.channels):
            if channel.endswith("position"):
                values = self.motion[:, root.first_channel + column]
                transl[:, "XYZ".index(channel[0])] = values
        name = self.path.name.split(".")[0]
        scaled = transl * metres_per_unit
        return Clip(name, self.fps, rotations[:, 0], rotations[:, 1:], scaled)

    def _world_rotations(self) -> dict[str, np.ndarray]:
        """Rotations in the world by SMPL joint name, each (T, 3, 3)."""
        world: list[np.ndarray] = []
        result = {}
        for joint in self.joints:
            columns = [(i, c[0]) for i, c in enumerate(joint.channels) if c.endswith("rotation")]
            angles = self.motion[:, [joint.first_channel + i for i, _ in columns]]
            turned = euler_degrees(angles, "".join(axis for _, axis in columns))
            turned = np.broadcast_to(turned, (len(self.motion), 3, 3))
            world.append(turned if joint.parent < 0 else world[joint.parent] @ turned)
            if joint.name in self.joint_map:
                result[self.joint_map[joint.name]] = world[-1]
        return result


def read_bvh_file(path: str | os.PathLike, joint_map: dict[str, str] | None = None) -> Bvh:
    """Parses a .bvh or .bvh.gz. Raises as `read_bvh`."""
    path = Path(path)
    parser = _Parser(_unpacked(path), path)
    joints, channels = parser.hierarchy()
    motion, fps = parser.motion(len(joints), channels)
    joint_map = joint_map or _choose_map({j.name for j in joints}, path)
    if unknown := set(joint_map.values()) - JOINT_INDEX.keys():
        why = f"joint_map names {sorted(unknown)}, which are no SMPL joints."
        raise InvalidInputError(why, f"SMPL's are {', '.join(JOINT_INDEX)}.")
    return Bvh(path, joints, motion, fps, joint_map)


def read_bvh(
    path: str | os.PathLike, joint_map: dict[str, str] | None = None, metres_per_unit: float = 0.01
) -> Clip:
    """Reads a .bvh or .bvh.gz whose rest pose is a T-pose facing +Z.

    joint_map: BVH joint name -> SMPL joint name (those of JOINT_MAPS are tried when it is left
    out). Joints that the file has between two mapped ones are folded into the lower one; SMPL
    joints that the file lacks stay at rest. Raises AssetError (unreadable file, with the line) or
    InvalidInputError (unknown names).
    """
    return read_bvh_file(path, joint_map).clip(metres_per_unit)

"""The source rig in SMPL's terms: joint places, bone -> joint map, the turn to SMPL's T-pose."""

from __future__ import annotations

import numpy as np

from ...core.skeleton import JOINT_INDEX, MIRROR, NUM_JOINTS
from .source import Source

# SMPL neutral's own pelvis, in its own coordinates (m): parameters then mean the same place in both bodies.
SMPL_PELVIS = np.array([0.0, -0.2233, 0.0282])
SMPL_PELVIS_ABOVE_HIPS = 0.083
COLLAR_RAISE = np.radians(9.0)


def smpl_joints(source: Source, v: np.ndarray) -> np.ndarray:
    """SMPL's 24 joints on a mesh in the source's rest pose. v (19158, 3) -> (24, 3)."""
    joints = np.zeros((NUM_JOINTS, 3))

    def put(name: str, *cubes: str) -> None:
        joints[JOINT_INDEX[name]] = np.mean([source.cube(v, c) for c in cubes], axis=0)

    put("spine1", "spine-3")
    put("spine2", "spine-2")
    put("spine3", "spine-1")
    put("neck", "neck")
    put("head", "head")
    for side, s in (("left", "l"), ("right", "r")):
        put(f"{side}_hip", f"{s}-upper-leg")
        put(f"{side}_knee", f"{s}-knee")
        put(f"{side}_ankle", f"{s}-ankle")
        put(f"{side}_foot", f"{s}-toe-2-1", f"{s}-toe-3-1")
        put(f"{side}_collar", f"{s}-clavicle")
        put(f"{side}_shoulder", f"{s}-shoulder")
        put(f"{side}_elbow", f"{s}-elbow")
        put(f"{side}_wrist", f"{s}-hand")
        put(f"{side}_hand", f"{s}-finger-3-1")
    hips = joints[1:3].mean(0)
    spine = joints[JOINT_INDEX["spine1"]]
    direction = (spine - hips) / np.linalg.norm(spine - hips)
    joints[0] = hips + SMPL_PELVIS_ABOVE_HIPS * direction
    return joints


def _bone_shares(bone: str) -> dict[str, float]:
    """How a source bone's weights are given to SMPL's joints."""
    name, _, side = bone.partition(".")
    side = {"L": "left_", "R": "right_"}.get(side, "")
    if name in ("root", "pelvis", "spine05"):
        return {"pelvis": 1.0}
    if name == "spine04":
        return {"pelvis": 0.5, "spine1": 0.5}
    if name == "spine03":
        return {"spine1": 1.0}
    if name in ("spine02", "breast"):
        return {"spine2": 1.0}
    if name == "spine01":
        return {"spine3": 1.0}
    if name in ("neck01", "neck02"):
        return {"neck": 1.0}
    if name == "neck03":
        return {"neck": 0.5, "head": 0.5}
    for prefix, joint in (
        ("clavicle", "collar"),
        ("shoulder01", "collar"),
        ("upperarm", "shoulder"),
        ("lowerarm", "elbow"),
        ("wrist", "wrist"),
        ("metacarpal", "wrist"),
        ("finger1-1", "wrist"),
        ("finger", "hand"),
        ("upperleg", "hip"),
        ("lowerleg", "knee"),
        ("foot", "ankle"),
        ("toe", "foot"),
    ):
        if name.startswith(prefix):
            return {side + joint: 1.0}
    return {"head": 1.0}


def bone_map(source: Source) -> dict[str, dict[int, float]]:
    """Source bone -> {SMPL joint index: share}."""
    return {
        bone: {JOINT_INDEX[j]: s for j, s in _bone_shares(bone).items()} for bone in source.weights
    }


def dense_weights(source: Source) -> np.ndarray:
    """Skinning weights (19158, 24), rows sum to 1, left-right symmetric; helpers without weights go to the head."""
    weights = np.zeros((len(source.base), NUM_JOINTS))
    for bone, shares in bone_map(source).items():
        index, value = source.weights[bone]
        for joint, share in shares.items():
            np.add.at(weights[:, joint], index, share * value)
    weights[weights.sum(1) == 0, JOINT_INDEX["head"]] = 1
    weights /= weights.sum(1, keepdims=True)
    return 0.5 * (weights + weights[source.mirror][:, list(MIRROR)])


def _frame(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Right-handed frame (columns) with first axis along x and second near y."""
    x = x / np.linalg.norm(x)
    z = np.cross(x, y)
    z /= np.linalg.norm(z)
    return np.stack((x, np.cross(z, x), z), -1)


def _minimal(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Shortest rotation from direction a to direction b."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    v = np.cross(a, b)
    k = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    return np.eye(3) + k + k @ k / (1 + a @ b)


def t_pose_rotations(source: Source, v: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Global rotation of each SMPL segment from the source's rest pose to SMPL's T-pose. -> (24, 3, 3).

    Arms along +-x with the elbow hinge vertical and palms down, legs straight down, feet forward and flat.
    """
    turn = np.tile(np.eye(3), (NUM_JOINTS, 1, 1))
    at = lambda name: joints[JOINT_INDEX[name]]  # noqa: E731
    for side, s, sign in (("left", "l", 1.0), ("right", "r", -1.0)):
        along, forward, down = np.array([sign, 0, 0]), np.array([0, 0, 1.0]), np.array([0, -1.0, 0])
        angle = sign * COLLAR_RAISE
        c, n = np.cos(angle), np.sin(angle)
        turn[JOINT_INDEX[f"{side}_collar"]] = [[c, -n, 0], [n, c, 0], [0, 0, 1]]
        upper = at(f"{side}_elbow") - at(f"{side}_shoulder")
        fore = at(f"{side}_wrist") - at(f"{side}_elbow")
        bend = fore - upper * (fore @ upper) / (upper @ upper)
        turn[JOINT_INDEX[f"{side}_shoulder"]] = _frame(along, forward) @ _frame(upper, bend).T
        turn[JOINT_INDEX[f"{side}_elbow"]] = (
            _frame(along, forward) @ _frame(fore, bend - fore * (bend @ fore) / (fore @ fore)).T
        )
        knuckles = source.cube(v, f"{s}-finger-2-1") - source.cube(v, f"{s}-finger-5-1")
        hand = at(f"{side}_hand") - at(f"{side}_wrist")
        turn[JOINT_INDEX[f"{side}_wrist"]] = _frame(along, forward) @ _frame(hand, knuckles).T
        fingers = source.cube(v, f"{s}-finger-3-3") - at(f"{side}_hand")
        relative = turn[JOINT_INDEX[f"{side}_wrist"]] @ fingers
        straighten = _minimal(relative, 0.6 * along * np.linalg.norm(relative) + 0.4 * relative)
        turn[JOINT_INDEX[f"{side}_hand"]] = straighten @ turn[JOINT_INDEX[f"{side}_wrist"]]
        turn[JOINT_INDEX[f"{side}_hip"]] = _minimal(at(f"{side}_knee") - at(f"{side}_hip"), down)
        turn[JOINT_INDEX[f"{side}_knee"]] = _minimal(at(f"{side}_ankle") - at(f"{side}_knee"), down)
        toes = at(f"{side}_foot") - at(f"{side}_ankle")
        yaw = -np.arctan2(toes[0], toes[2])
        c, n = np.cos(yaw), np.sin(yaw)
        turn[JOINT_INDEX[f"{side}_ankle"]] = turn[JOINT_INDEX[f"{side}_foot"]] = [
            [c, 0, n],
            [0, 1, 0],
            [-n, 0, c],
        ]
    return turn


# Bones along which a joint's twist is spread: bone -> (segment above, segment below, share of the below's rotation).
TWIST_BONES = {"upperarm01": ("collar", "shoulder", 0.5), "lowerarm02": ("elbow", "wrist", 0.6)}


def slerp(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    """Rotation `share` of the way from a to b. (..., 3, 3) -> (..., 3, 3)."""
    from ...rotations_np import axis_angle_to_matrix, matrix_to_axis_angle

    return a @ axis_angle_to_matrix(share * matrix_to_axis_angle(np.swapaxes(a, -1, -2) @ b))


def chain_positions(joints: np.ndarray, turn: np.ndarray, parents: tuple[int, ...]) -> np.ndarray:
    """Joint places after turning every segment globally. (24, 3), (24, 3, 3) -> (24, 3)."""
    result = joints.copy()
    for j in range(1, NUM_JOINTS):
        p = parents[j]
        result[j] = result[p] + turn[p] @ (joints[j] - joints[p])
    return result


def to_t_pose(
    source: Source, v: np.ndarray, weights: np.ndarray, parents: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Mesh and joints turned into SMPL's T-pose, pelvis at SMPL's place. -> (19158, 3), (24, 3)."""
    joints = smpl_joints(source, v)
    turn = t_pose_rotations(source, v, joints)
    posed = chain_positions(joints, turn, parents)
    # forearm twist spread over its two bones, so that palms-down does not wring the wrist
    moved = np.zeros_like(v)
    total = np.zeros(len(v))
    for bone, shares in bone_map(source).items():
        index, value = source.weights[bone]
        name, _, letter = bone.partition(".")
        side = {"L": "left_", "R": "right_"}.get(letter, "")
        for joint, share in shares.items():
            rotation = turn[joint]
            if name in TWIST_BONES:
                above, below, part = TWIST_BONES[name]
                if name == "lowerarm02":
                    rotation = slerp(
                        turn[JOINT_INDEX[side + above]], turn[JOINT_INDEX[side + below]], part
                    )
            local = (v[index] - joints[joint]) @ rotation.T + posed[joint]
            moved[index] += (share * value)[:, None] * local
            total[index] += share * value
    loose = total == 0
    moved[~loose] /= total[~loose, None]
    head = JOINT_INDEX["head"]
    moved[loose] = v[loose] - joints[head] + posed[head]
    # exact symmetry
    flip = np.array([-1.0, 1, 1])
    moved = 0.5 * (moved + moved[source.mirror] * flip)
    posed = 0.5 * (posed + posed[list(MIRROR)] * flip)
    shift = SMPL_PELVIS - posed[0]
    return moved + shift, posed + shift

"""The source rig in SMPL's terms: joint places, bone -> joint map, the turn to SMPL's T-pose."""

import numpy as np

from ...core.arrays import numpy_namespace as xp
from ...core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from ...core.skeleton import JOINT_INDEX, MIRROR, NUM_JOINTS, PARENTS
from ...mocap.clip import shortest_rotation
from .source import Source

# SMPL neutral's own pelvis, in its own coordinates (m): parameters then mean the same place in both
# bodies.
SMPL_PELVIS = np.array([0.0, -0.2233, 0.0282])
SMPL_PELVIS_ABOVE_HIPS = 0.083
LOWER_FOREARM_TWIST = 0.6  # share of the wrist's twist that the lower bone of two takes
COLLAR_RAISE = np.radians(9.0)
# helper cubes whose middle is a joint
CENTRAL_CUBES = {
    **{"spine1": ["spine-3"], "spine2": ["spine-2"], "spine3": ["spine-1"]},
    **{"neck": ["neck"], "head": ["head"]},
}
SIDED_CUBES = {
    **{"hip": ["upper-leg"], "knee": ["knee"], "ankle": ["ankle"], "foot": ["toe-2-1", "toe-3-1"]},
    **{"collar": ["clavicle"], "shoulder": ["shoulder"], "elbow": ["elbow"]},
    **{"wrist": ["hand"], "hand": ["finger-3-1"]},
}


def smpl_joints(source: Source, v: np.ndarray) -> np.ndarray:
    """SMPL's 24 joints on a mesh in the source's rest pose. v (19158, 3) -> (24, 3)."""
    joints = np.zeros((NUM_JOINTS, 3))
    for name, cubes in CENTRAL_CUBES.items():
        joints[JOINT_INDEX[name]] = np.mean([source.cube(v, c) for c in cubes], axis=0)
    for side, letter in (("left", "l"), ("right", "r")):
        for name, cubes in SIDED_CUBES.items():
            places = [source.cube(v, f"{letter}-{c}") for c in cubes]
            joints[JOINT_INDEX[f"{side}_{name}"]] = np.mean(places, axis=0)
    hips = joints[1:3].mean(0)
    spine = joints[JOINT_INDEX["spine1"]]
    direction = (spine - hips) / np.linalg.norm(spine - hips)
    joints[0] = hips + SMPL_PELVIS_ABOVE_HIPS * direction
    return joints


# joints of a source bone by its name, or by how the name begins
CENTRAL_SHARES = {
    **{"root": ["pelvis"], "pelvis": ["pelvis"], "spine05": ["pelvis"]},
    **{"spine04": ["pelvis", "spine1"], "spine03": ["spine1"], "spine02": ["spine2"]},
    **{"breast": ["spine2"], "spine01": ["spine3"], "neck01": ["neck"], "neck02": ["neck"]},
    "neck03": ["neck", "head"],
}
SIDED_PREFIXES = {
    **{"clavicle": "collar", "shoulder01": "collar", "upperarm": "shoulder", "lowerarm": "elbow"},
    **{"wrist": "wrist", "metacarpal": "wrist", "finger1-1": "wrist", "finger": "hand"},
    **{"upperleg": "hip", "lowerleg": "knee", "foot": "ankle", "toe": "foot"},
}


def bone_side(bone: str) -> tuple[str, str]:
    """A source bone's name without its letter, and its side as SMPL writes it."""
    name, _, letter = bone.partition(".")
    return name, {"L": "left_", "R": "right_"}.get(letter, "")


def _bone_joints(bone: str) -> list[str]:
    """SMPL's joints to which a source bone's weights are given, in equal shares."""
    name, side = bone_side(bone)
    limb = (side + joint for prefix, joint in SIDED_PREFIXES.items() if name.startswith(prefix))
    return CENTRAL_SHARES.get(name) or [next(limb, "head")]


def bone_map(source: Source) -> list[tuple[str, int, float]]:
    """Source bones, the SMPL joint that each goes to, and the share of its weights that does."""
    joints = {bone: _bone_joints(bone) for bone in source.weights}
    return [(b, JOINT_INDEX[j], 1 / len(names)) for b, names in joints.items() for j in names]


def dense_weights(source: Source) -> np.ndarray:
    """Skinning weights (19158, 24), rows sum to 1, left-right symmetric.

    Helpers without weights go to the head.
    """
    weights = np.zeros((len(source.base), NUM_JOINTS))
    for bone, joint, share in bone_map(source):
        index, value = source.weights[bone]
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
    return shortest_rotation(a / np.linalg.norm(a), b / np.linalg.norm(b))


def t_pose_rotations(source: Source, v: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Global rotation of each SMPL segment from the source's rest pose to the T-pose.

    Arms along +-x with the elbow hinge vertical and palms down, legs straight down, feet forward
    and flat. -> (24, 3, 3).
    """
    turn = np.tile(np.eye(3), (NUM_JOINTS, 1, 1))
    for side, letter in (("left", "l"), ("right", "r")):
        cubes = {n: source.cube(v, f"{letter}-finger-{n}") for n in ("2-1", "5-1", "3-3")}
        for turns in (_arm_turns(side, joints, cubes), _leg_turns(side, joints)):
            for name, rotation in turns.items():
                turn[JOINT_INDEX[f"{side}_{name}"]] = rotation
    return turn


def _arm_turns(
    side: str, joints: np.ndarray, fingers: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Global rotations of one arm's segments to the T-pose. fingers: places of their joints."""
    shoulder, elbow, wrist, hand = (
        joints[JOINT_INDEX[f"{side}_{name}"]] for name in ("shoulder", "elbow", "wrist", "hand")
    )
    sign = 1.0 if side == "left" else -1.0
    along, forward = np.array([sign, 0, 0]), np.array([0, 0, 1.0])
    upper, fore = elbow - shoulder, wrist - elbow
    bend = fore - upper * (fore @ upper) / (upper @ upper)
    knuckles = fingers["2-1"] - fingers["5-1"]
    target = _frame(along, forward)
    palm = target @ _frame(hand - wrist, knuckles).T
    tips = palm @ (fingers["3-3"] - hand)
    straight = _minimal(tips, 0.6 * along * np.linalg.norm(tips) + 0.4 * tips)
    return {
        "collar": axis_angle_to_matrix(xp, np.array([0.0, 0.0, sign * COLLAR_RAISE])),
        "shoulder": target @ _frame(upper, bend).T,
        "elbow": target @ _frame(fore, bend - fore * (bend @ fore) / (fore @ fore)).T,
        "wrist": palm,
        "hand": straight @ palm,
    }


def _leg_turns(side: str, joints: np.ndarray) -> dict[str, np.ndarray]:
    """Global rotations of one leg's segments to the T-pose."""
    hip, knee, ankle, foot = (
        joints[JOINT_INDEX[f"{side}_{name}"]] for name in ("hip", "knee", "ankle", "foot")
    )
    down, toes = np.array([0, -1.0, 0]), foot - ankle
    flat = axis_angle_to_matrix(xp, np.array([0.0, -np.arctan2(toes[0], toes[2]), 0.0]))
    upper, lower = _minimal(knee - hip, down), _minimal(ankle - knee, down)
    return {"hip": upper, "knee": lower, "ankle": flat, "foot": flat}


def _slerp(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    """Rotation `share` of the way from a to b. (3, 3) -> (3, 3)."""
    return a @ axis_angle_to_matrix(xp, share * matrix_to_axis_angle(xp, a.T @ b))


def to_t_pose(source: Source, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mesh and joints turned into SMPL's T-pose, pelvis at SMPL's place. -> (19158, 3), (24, 3)."""
    joints = smpl_joints(source, v)
    turn = t_pose_rotations(source, v, joints)
    posed = joints.copy()
    for j, parent in enumerate(PARENTS[1:], 1):
        posed[j] = posed[parent] + turn[parent] @ (joints[j] - joints[parent])
    moved, total = np.zeros_like(v), np.zeros(len(v))
    for bone, joint, share in bone_map(source):
        index, value = source.weights[bone]
        name, side = bone_side(bone)
        rotation = turn[joint]
        if name == "lowerarm02":  # twist spread, so that palms-down does not wring the wrist
            first, second = (turn[JOINT_INDEX[side + n]] for n in ("elbow", "wrist"))
            rotation = _slerp(first, second, LOWER_FOREARM_TWIST)
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

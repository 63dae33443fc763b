"""Pose correctives: what 24 joints with linear skinning need to look like the source rig.

The source rig spreads twist over its two-bone limbs and is skinned with dual quaternions, which
keep volume. Each corrective is driven by one entry of one joint's rotation matrix (R - I), chosen
greedily by how much of the difference it explains; left and right come together. At most MAX_KEYS
of the 207 entries are used.
"""

from dataclasses import dataclass

import numpy as np

from ...core.arrays import numpy_namespace as xp
from ...core.body import NUM_BETAS, BodyTable, Skeleton, pose_skeleton
from ...core.rotations import axis_angle_to_matrix, matrix_to_quaternion
from ...core.skeleton import JOINT_INDEX, JOINT_NAMES, MIRROR
from .regressor import BodyShape
from .rig import LOWER_FOREARM_TWIST, bone_map, bone_side
from .shape import Mesh
from .source import Source

MAX_KEYS = 40
MIN_OFFSET = 2e-4
LIMBS = ("hip", "knee", "ankle", "collar", "shoulder", "elbow", "wrist")
ACTIVE = [j for n, j in JOINT_INDEX.items() if n.split("_")[-1] in LIMBS]
ACTIVE += [JOINT_INDEX[n] for n in ("spine1", "spine2", "spine3", "neck", "head")]


def _posed(joints: np.ndarray, pose: np.ndarray) -> Skeleton:
    """Joints (24, 3) under local rotations (N, 24, 3, 3)."""
    table = BodyTable.of(joints, np.zeros((*joints.shape, NUM_BETAS)), np.zeros(0, int))
    return pose_skeleton(xp, table, pose, np.zeros((len(pose), NUM_BETAS)))


def _twist_about(rotation: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Twist part (swing-twist) of rotations about a unit axis. (N, 3, 3) -> axis-angle (N, 3)."""
    q = matrix_to_quaternion(xp, rotation)
    angle: np.ndarray = 2.0 * np.arctan2(q[:, 1:] @ axis, q[:, 0])
    return ((angle + np.pi) % (2 * np.pi) - np.pi)[:, None] * axis


@dataclass(frozen=True)
class PosedBone:
    """A source bone's share of a joint: turned about pivot (3,), which is then at place (N, 3)."""

    bone: str
    share: float
    rotation: np.ndarray
    pivot: np.ndarray
    place: np.ndarray


def source_bones(source: Source, joints: np.ndarray, pose: np.ndarray) -> list[PosedBone]:
    """Every source bone in SMPL's poses (N, 24, 3, 3)."""
    skeleton = _posed(joints, pose)
    bones = []
    for bone, joint, share in bone_map(source):
        turned = skeleton.world[:, joint] @ _spread_twist(bone, joint, pose)
        bones.append(PosedBone(bone, share, turned, joints[joint], skeleton.place[:, joint]))
    return bones


def _spread_twist(bone: str, joint: int, pose: np.ndarray) -> np.ndarray:
    """What a bone of a two-bone limb turns beside its joint. -> (N, 3, 3), or one for all."""
    name, side = bone_side(bone)
    x, down = np.array([1.0, 0, 0]), np.array([0.0, -1, 0])
    if name in ("upperarm01", "upperleg01"):
        twist = _twist_about(pose[:, joint], x if name == "upperarm01" else down)
        return axis_angle_to_matrix(xp, -0.5 * twist)
    if name in ("lowerarm01", "lowerarm02"):
        part = LOWER_FOREARM_TWIST if name == "lowerarm02" else 0.15
        twist = _twist_about(pose[:, JOINT_INDEX[side + "wrist"]], x)
        return axis_angle_to_matrix(xp, part * twist)
    return np.eye(3)


def _quaternion_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    w, x, y, z = np.moveaxis(a, -1, 0)
    w2, x2, y2, z2 = np.moveaxis(b, -1, 0)
    real = w * w2 - x * x2 - y * y2 - z * z2
    i = w * x2 + x * w2 + y * z2 - z * y2
    j = w * y2 - x * z2 + y * w2 + z * x2
    k = w * z2 + x * y2 - y * x2 + z * w2
    return np.stack((real, i, j, k), -1)


def _pure(vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) as quaternions (..., 4)."""
    return np.concatenate((np.zeros((*vectors.shape[:-1], 1)), vectors), -1)


def skin_source(source: Source, mesh: Mesh, index: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Source rig's posed vertices, dual-quaternion skinned.

    index (V,): which vertices; pose (N, 24, 3, 3) -> (N, V, 3).
    """
    where = -np.ones(len(mesh.vertices), int)
    where[index] = np.arange(len(index))
    real = np.zeros((len(pose), len(index), 4))
    dual, total = np.zeros_like(real), np.zeros(len(index))
    for posed in source_bones(source, mesh.joints, pose):
        rows, weight = source.weights[posed.bone]
        inside = where[rows] >= 0
        rows, weight = where[rows[inside]], posed.share * weight[inside]
        q = matrix_to_quaternion(xp, posed.rotation)
        shift = posed.place - posed.rotation @ posed.pivot
        d = 0.5 * _quaternion_product(_pure(shift), q)
        sign = np.where(np.einsum("nki,ni->nk", real[:, rows], q) < 0, -1.0, 1.0)
        real[:, rows] += (weight * sign)[..., None] * q[:, None]
        dual[:, rows] += (weight * sign)[..., None] * d[:, None]
        total[rows] += weight
    real[:, total <= 0, 0] = 1
    norm = np.linalg.norm(real, axis=-1, keepdims=True)
    real, dual = real / norm, dual / norm
    conjugate = real * np.array([1.0, -1, -1, -1])
    translation = 2 * _quaternion_product(dual, conjugate)[..., 1:]
    v = np.broadcast_to(mesh.vertices[index], translation.shape)
    turned = _quaternion_product(_quaternion_product(real, _pure(v)), conjugate)[..., 1:]
    return turned + translation


def blend_matrices(
    joints: np.ndarray, weights: np.ndarray, pose: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Linear-blend matrices of 24 joints at each vertex. -> (N, V, 3, 3), (N, V, 3)."""
    skeleton = _posed(joints, pose)
    offset = skeleton.place - (skeleton.world @ joints[..., None])[..., 0]
    world = np.einsum("vj,njab->nvab", weights, skeleton.world)
    return world, np.einsum("vj,nja->nva", weights, offset)


def fit_correctives(
    source: Source, mesh: Mesh, body: BodyShape, index: np.ndarray, poses: np.ndarray
) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """Chooses entries and their offsets.

    mesh: all T-posed source vertices, of which index (V,) are the body's; poses (N, 24, 3, 3).
    Returns features (K, 3) of (joint, row, column), offsets (K, V, 3), and how much they help (mm,
    before and after).
    """
    flat = _residuals(source, mesh, body, index, poses)
    entries = [(j, r, c) for j in ACTIVE for r in range(3) for c in range(3)]
    design: np.ndarray = np.stack([poses[:, j, r, c] - (r == c) for j, r, c in entries], 1)
    design_t = design.T.astype(np.float64)
    gram = design_t @ design + 1e-5 * len(poses) * np.eye(len(entries))
    cross = design_t @ flat
    position = {e: i for i, e in enumerate(entries)}
    twins = [(position[e], position[(MIRROR[e[0]], *e[1:])]) for e in entries]
    chosen = _choose(gram, cross, {(min(pair), max(pair)) for pair in twins})
    offsets = np.linalg.solve(gram[np.ix_(chosen, chosen)], cross[chosen])
    features = np.array([entries[i] for i in chosen])
    offsets = _symmetric(features, offsets.reshape(len(chosen), -1, 3), body.mirror)
    offsets[np.linalg.norm(offsets, axis=-1) < MIN_OFFSET] = 0
    left = flat - design[:, chosen] @ offsets.reshape(len(chosen), -1)
    print([f"{JOINT_NAMES[j]}[{r},{c}]" for j, r, c in features])
    return features, offsets, _lengths("before", flat) | _lengths("after", left)


def _residuals(
    source: Source, mesh: Mesh, body: BodyShape, index: np.ndarray, poses: np.ndarray
) -> np.ndarray:
    """What the T-posed vertices lack, so that linear skinning gives the source's. -> (N, 3 V)."""
    residual = []
    for chunk in np.array_split(poses, max(1, len(poses) // 20)):
        target = skin_source(source, mesh, index, chunk)
        blend, offset = blend_matrices(mesh.joints, body.lbs_weights, chunk)
        rest = np.linalg.solve(blend, (target - offset)[..., None])[..., 0]
        residual.append((rest - mesh.vertices[index]).astype(np.float32))
    return np.concatenate(residual).reshape(len(poses), -1)


def _choose(gram: np.ndarray, cross: np.ndarray, pairs: set[tuple[int, int]]) -> list[int]:
    """Entries, pair by pair the one that explains most of what is left.

    gram (E, E), cross (E, F) of the normal equations.
    """
    chosen: list[int] = []
    gram_left, cross_left = gram, cross
    while len(chosen) < MAX_KEYS:
        best, best_gain = None, -1.0
        for pair in pairs:
            new = [i for i in dict.fromkeys(pair) if i not in chosen]
            if not new or len(chosen) + len(new) > MAX_KEYS:
                continue
            by_new = np.linalg.solve(gram_left[np.ix_(new, new)], cross_left[new])
            gain = float(np.einsum("if,if->", cross_left[new], by_new))
            if gain > best_gain:
                best, best_gain = new, gain
        if best is None:
            break
        chosen += best
        both = np.concatenate((gram[chosen], cross[chosen]), 1)
        solved = np.linalg.solve(gram[np.ix_(chosen, chosen)], both)
        gram_left = gram - gram[:, chosen] @ solved[:, : len(gram)]
        cross_left = cross - gram[:, chosen] @ solved[:, len(gram) :]
    return chosen


def _lengths(when: str, flat: np.ndarray) -> dict[str, float]:
    """Mean and 99th percentile of offsets (N, 3 V), mm."""
    length = 1e3 * np.linalg.norm(flat.reshape(len(flat), -1, 3), axis=-1)
    return {f"mean_{when}_mm": length.mean(), f"p99_{when}_mm": np.percentile(length, 99)}


def _symmetric(features: np.ndarray, offsets: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Each corrective averaged with its twin's mirror image: mirrored poses, mirrored meshes."""
    flip = np.array([-1.0, 1, 1])
    sign = np.where((features[:, 1] == 0) ^ (features[:, 2] == 0), -1.0, 1.0)
    lookup = {tuple(f): i for i, f in enumerate(features.tolist())}
    twins = [lookup[(MIRROR[j], r, c)] for j, r, c in features.tolist()]
    return 0.5 * (offsets + sign[:, None, None] * offsets[twins][:, mirror] * flip)

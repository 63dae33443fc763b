"""Pose correctives: what 24 joints with linear skinning need to look like the source rig.

The source rig spreads twist over its two-bone limbs and is skinned with dual quaternions, which keep volume.
Each corrective is driven by one entry of one joint's rotation matrix (R - I), chosen greedily by how much of the
difference it explains; left and right come together. At most MAX_KEYS of the 207 entries are used.
"""

from __future__ import annotations

import numpy as np

from ...core.skeleton import JOINT_INDEX, JOINT_NAMES, MIRROR, NUM_JOINTS, PARENTS
from ...rotations_np import axis_angle_to_matrix, matrix_to_axis_angle, matrix_to_quaternion
from .rig import TWIST_BONES, bone_map
from .source import Source

MAX_KEYS = 40
MIN_OFFSET = 2e-4
ACTIVE = [
    j
    for n, j in JOINT_INDEX.items()
    if n.split("_")[-1] in ("hip", "knee", "ankle", "collar", "shoulder", "elbow", "wrist")
]
ACTIVE += [JOINT_INDEX[n] for n in ("spine1", "spine2", "spine3", "neck", "head")]


def global_rotations(pose: np.ndarray) -> np.ndarray:
    """(N, 24, 3, 3) local -> global."""
    world = pose.copy()
    for j in range(1, NUM_JOINTS):
        world[:, j] = world[:, PARENTS[j]] @ pose[:, j]
    return world


def _twist_about(rotation: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Twist part (swing-twist) of rotations about a unit axis. (N, 3, 3) -> (N, 3, 3)."""
    q = matrix_to_quaternion(rotation)
    along = q[:, 1:] @ axis
    angle: np.ndarray = 2.0 * np.arctan2(along, q[:, 0])
    angle = (angle + np.pi) % (2 * np.pi) - np.pi
    return axis_angle_to_matrix(angle[:, None] * axis)


def source_bone_transforms(source: Source, joints: np.ndarray, pose: np.ndarray):
    """Rotation and position of every source bone. -> bone -> (rotation (N,3,3), pivot (3,), position (N,3), share)."""
    world = global_rotations(pose)
    place = np.zeros((len(pose), NUM_JOINTS, 3))
    place[:, 0] = joints[0]
    for j in range(1, NUM_JOINTS):
        p = PARENTS[j]
        place[:, j] = place[:, p] + np.einsum("nab,b->na", world[:, p], joints[j] - joints[p])
    result = []
    for bone, shares in bone_map(source).items():
        name, _, letter = bone.partition(".")
        side = {"L": "left_", "R": "right_"}.get(letter, "")
        for joint, share in shares.items():
            rotation = world[:, joint]
            axis = np.array([1.0, 0, 0])
            if name in ("upperarm01", "upperleg01"):
                axis = axis if name == "upperarm01" else np.array([0.0, -1, 0])
                half = axis_angle_to_matrix(
                    -0.5 * matrix_to_axis_angle(_twist_about(pose[:, joint], axis))
                )
                rotation = rotation @ half
            elif name in ("lowerarm01", "lowerarm02"):
                wrist = JOINT_INDEX[side + "wrist"]
                part = TWIST_BONES["lowerarm02"][2] if name == "lowerarm02" else 0.15
                twist = matrix_to_axis_angle(_twist_about(pose[:, wrist], axis))
                rotation = rotation @ axis_angle_to_matrix(part * twist)
            result.append((bone, share, rotation, joints[joint], place[:, joint]))
    return result


def _quaternion_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    w, x, y, z = np.moveaxis(a, -1, 0)
    W, X, Y, Z = np.moveaxis(b, -1, 0)
    return np.stack(
        (
            w * W - x * X - y * Y - z * Z,
            w * X + x * W + y * Z - z * Y,
            w * Y - x * Z + y * W + z * X,
            w * Z + x * Y - y * X + z * W,
        ),
        -1,
    )


def skin_source(
    source: Source, vertices: np.ndarray, index: np.ndarray, joints: np.ndarray, pose: np.ndarray
) -> np.ndarray:
    """Source rig's posed vertices, dual-quaternion skinned. index: which vertices. -> (N, len(index), 3)."""
    bones = source_bone_transforms(source, joints, pose)
    where = -np.ones(len(vertices), int)
    where[index] = np.arange(len(index))
    real = np.zeros((len(pose), len(index), 4))
    dual = np.zeros_like(real)
    total = np.zeros(len(index))
    for bone, share, rotation, pivot, place in bones:
        rows, weight = source.weights[bone]
        inside = where[rows] >= 0
        rows, weight = where[rows[inside]], share * weight[inside]
        if not len(rows):
            continue
        q = matrix_to_quaternion(rotation)
        t = place - np.einsum("nab,b->na", rotation, pivot)
        pure = np.concatenate((np.zeros((len(pose), 1)), t), -1)
        d = 0.5 * _quaternion_product(pure, q)
        seen = real[:, rows]
        sign = np.where(np.einsum("nki,ni->nk", seen, q) < 0, -1.0, 1.0)
        real[:, rows] += (weight * sign)[..., None] * q[:, None]
        dual[:, rows] += (weight * sign)[..., None] * d[:, None]
        total[rows] += weight
    ok = total > 0
    real[:, ~ok, 0] = 1
    norm = np.linalg.norm(real, axis=-1, keepdims=True)
    real, dual = real / norm, dual / norm
    conjugate = real * np.array([1.0, -1, -1, -1])
    translation = 2 * _quaternion_product(dual, conjugate)[..., 1:]
    v = np.broadcast_to(vertices[index], translation.shape)
    pure = np.concatenate((np.zeros(v.shape[:-1] + (1,)), v), -1)
    turned = _quaternion_product(_quaternion_product(real, pure), conjugate)[..., 1:]
    return turned + translation


def blend_matrices(
    joints: np.ndarray, weights: np.ndarray, pose: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Linear-blend matrices of 24 joints at each vertex. -> (N, V, 3, 3), (N, V, 3)."""
    world = global_rotations(pose)
    place = np.zeros((len(pose), NUM_JOINTS, 3))
    place[:, 0] = joints[0]
    for j in range(1, NUM_JOINTS):
        p = PARENTS[j]
        place[:, j] = place[:, p] + np.einsum("nab,b->na", world[:, p], joints[j] - joints[p])
    offset = place - np.einsum("njab,jb->nja", world, joints)
    return np.einsum("vj,njab->nvab", weights, world), np.einsum("vj,nja->nva", weights, offset)


def fit_correctives(
    source: Source,
    full: np.ndarray,
    index: np.ndarray,
    joints: np.ndarray,
    weights: np.ndarray,
    poses: np.ndarray,
    mirror: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """Chooses entries and their offsets. full: all T-posed source vertices; index: body vertices; poses (N, 24, 3, 3).

    Returns features (K, 3) of (joint, row, column), offsets (K, V, 3), and how much they help (mm, before and after).
    """
    v = full[index]
    residual = []
    for chunk in np.array_split(poses, max(1, len(poses) // 20)):
        wanted = skin_source(source, full, index, joints, chunk)
        blend, offset = blend_matrices(joints, weights, chunk)
        rest = np.linalg.solve(blend, (wanted - offset)[..., None])[..., 0]
        residual.append((rest - v).astype(np.float32))
    residual = np.concatenate(residual)
    count = len(poses)
    flat = residual.reshape(count, -1)
    entries = [(j, r, c) for j in ACTIVE for r in range(3) for c in range(3)]
    design: np.ndarray = np.stack([poses[:, j, r, c] - (r == c) for j, r, c in entries], 1)
    design_t = design.T.astype(np.float64)
    gram = design_t @ design + 1e-3 * count * np.eye(len(entries)) * 0.01
    cross = design_t @ flat
    position = {e: i for i, e in enumerate(entries)}
    pairs = {
        tuple(sorted((position[(j, r, c)], position[(MIRROR[j], r, c)]))) for j, r, c in entries
    }
    chosen: list[int] = []
    while len(chosen) < MAX_KEYS:
        best, best_gain = None, -1.0
        if chosen:
            solve = np.linalg.solve(
                gram[np.ix_(chosen, chosen)], np.concatenate((gram[chosen], cross[chosen]), 1)
            )
            gram_left = gram - gram[:, chosen] @ solve[:, : len(entries)]
            cross_left = cross - gram[:, chosen] @ solve[:, len(entries) :]
        else:
            gram_left, cross_left = gram, cross
        for pair in pairs:
            new = [i for i in dict.fromkeys(pair) if i not in chosen]
            if not new or len(chosen) + len(new) > MAX_KEYS:
                continue
            gain = float(
                np.einsum(
                    "if,if->",
                    cross_left[new],
                    np.linalg.solve(gram_left[np.ix_(new, new)], cross_left[new]),
                )
            )
            if gain > best_gain:
                best, best_gain = new, gain
        if best is None:
            break
        chosen += best
    offsets = np.linalg.solve(gram[np.ix_(chosen, chosen)], cross[chosen]).reshape(
        len(chosen), -1, 3
    )
    features = np.array([entries[i] for i in chosen])
    offsets = _symmetric(features, offsets, mirror)
    offsets[np.linalg.norm(offsets, axis=-1) < MIN_OFFSET] = 0
    left = flat - design[:, chosen] @ offsets.reshape(len(chosen), -1)
    length = lambda a: np.linalg.norm(a.reshape(count, -1, 3), axis=-1)  # noqa: E731
    before, after = length(flat), length(left)
    report = {
        "mean_before_mm": 1e3 * before.mean(),
        "mean_after_mm": 1e3 * after.mean(),
        "p99_before_mm": 1e3 * np.percentile(before, 99),
        "p99_after_mm": 1e3 * np.percentile(after, 99),
    }
    print([f"{JOINT_NAMES[j]}[{r},{c}]" for j, r, c in features])
    return features, offsets, report


def _symmetric(features: np.ndarray, offsets: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Averages each corrective with the mirror image of its twin, so that mirrored poses give mirrored meshes."""
    flip = np.array([-1.0, 1, 1])
    sign = np.where((features[:, 1] == 0) ^ (features[:, 2] == 0), -1.0, 1.0)
    lookup = {tuple(f): i for i, f in enumerate(features.tolist())}
    twins = [lookup[(MIRROR[j], r, c)] for j, r, c in features.tolist()]
    return 0.5 * (offsets + sign[:, None, None] * offsets[twins][:, mirror] * flip)

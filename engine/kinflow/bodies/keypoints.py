"""Keypoint sets as sparse regressors on joints and surface vertices, for the default body and
SMPL's topology.

Detectors are trained on clicked points, which are not the joints of a skeleton. Where the default
detector sees hips, shoulders and ankles was measured on 17 renders of the default body with known
truth, in held-out poses seen from all sides (`benchmarks.calibrate_keypoints`: hips 16 mm further
in than the joints, shoulders 27 mm higher and 13 mm further in, ankles 23 mm higher; knees, elbows
and wrists within 5 mm). The places are kept as lengths, so SMPL's narrower hip joints are moved
outwards to the same place.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..core.arrays import Array
from ..core.skeleton import JOINT_INDEX, JOINT_NAMES, NUM_JOINTS
from ..errors import InvalidInputError
from .arrays import AnyBody, BodyArrays
from .keypoint_names import NAMES

# Half the distance between the hips and the shoulders as detectors see them, and how much higher,
# in metres.
HIP_HALF_WIDTH = 0.088
SHOULDER_INWARDS, SHOULDER_UP = 0.013, 0.027
ANKLE_UP = 0.023

# Landmarks of SMPL's 6890 vertices: published vertex ids (smplx.vertex_ids, VertexJointSelector).
_SMPL_VERTICES = {
    **{"nose": 332, "left_eye": 2800, "right_eye": 6260, "left_ear": 583, "right_ear": 4071},
    **{"left_big_toe": 3216, "left_small_toe": 3226, "left_heel": 3387},
    **{"right_big_toe": 6617, "right_small_toe": 6624, "right_heel": 6787},
    **{"left_thumb": 2746, "left_index": 2319, "left_pinky": 2673},
    **{"right_thumb": 6191, "right_index": 5782, "right_pinky": 6133},
}


@dataclass(frozen=True)
class KeypointRegressor:
    """keypoints = joint_weights (K, 24) @ joints + vertex_weights (K, n) @ vertices[index]."""

    names: tuple[str, ...]
    joint_weights: Array
    vertex_index: Array
    vertex_weights: Array

    def __call__(self, joints: Array, vertices: Array) -> Array:
        """joints (B, 24, 3), vertices (B, V, 3) or the chosen (B, n, 3) -> keypoints (B, K, 3)."""
        if vertices.shape[1] != len(self.vertex_index):
            vertices = vertices[:, self.vertex_index]
        return self.joint_weights @ joints + self.vertex_weights @ vertices


def _nearest(v: np.ndarray, place: np.ndarray, count: int) -> list[int]:
    return np.argsort(np.linalg.norm(v - place, axis=1), kind="stable")[:count].tolist()


def _default_landmarks(v: np.ndarray, joints: np.ndarray) -> dict[str, list[int]]:
    """Vertices of each landmark on the default body, found by their places on its T-pose."""
    skin = v[:13380]
    result: dict[str, list[int]] = {}
    nose = joints[JOINT_INDEX["head"]]
    front = (np.abs(skin[:, 0]) < 0.01) & (np.abs(skin[:, 1] - nose[1]) < 0.05)
    result["nose"] = [int(np.nonzero(front)[0][skin[front, 2].argmax()])]
    for side, sign, eye in (
        ("left", 1.0, slice(13380, 13452)),
        ("right", -1.0, slice(13452, 13524)),
    ):
        centre = v[eye].mean(0)
        in_front = centre + np.array([0, 0, 0.015])
        outer = in_front + np.array([sign * 0.014, 0, -0.004])
        result[f"{side}_eye"] = _nearest(skin, in_front, 2)
        result[f"{side}_eye_inner"] = _nearest(skin, in_front - [sign * 0.014, 0, 0], 1)
        result[f"{side}_eye_outer"] = _nearest(skin, outer, 1)
        result[f"mouth_{side}"] = _nearest(
            skin, v[result["nose"][0]] + [sign * 0.024, -0.035, -0.028], 1
        )
        head = np.abs(skin[:, 1] - centre[1]) < 0.02
        result[f"{side}_ear"] = [int(np.nonzero(head)[0][(sign * skin[head, 0]).argmax()])]
        hand = joints[JOINT_INDEX[f"{side}_hand"]]
        wrist = joints[JOINT_INDEX[f"{side}_wrist"]]
        result[f"{side}_index"] = _nearest(skin, hand + np.array([0, 0, 0.025]), 4)
        result[f"{side}_pinky"] = _nearest(skin, hand + np.array([-sign * 0.012, 0, -0.035]), 4)
        result[f"{side}_thumb"] = _nearest(skin, 0.45 * wrist + 0.55 * hand + [0, -0.02, 0.05], 4)
        ankle, ball = joints[JOINT_INDEX[f"{side}_ankle"]], joints[JOINT_INDEX[f"{side}_foot"]]
        foot = np.nonzero((skin[:, 1] < ankle[1] + 0.02) & (sign * skin[:, 0] > 0))[0]
        heel = foot[skin[foot, 2].argmin()]
        result[f"{side}_heel"] = _nearest(skin, skin[heel] + [0, -0.01, 0.005], 2)
        toes = foot[skin[foot, 2] > ball[2]]
        inner = toes[sign * (skin[toes, 0] - ball[0]) < 0]
        result[f"{side}_big_toe"] = [int(inner[skin[inner, 2].argmax()])]
        result[f"{side}_foot_index"] = _nearest(
            skin, skin[inner[skin[inner, 2].argmax()]] + [sign * 0.012, 0, -0.02], 3
        )
        outer = toes[sign * (skin[toes, 0] - ball[0]) > 0.028]
        outer = outer if len(outer) else toes
        result[f"{side}_small_toe"] = [int(outer[skin[outer, 2].argmax()])]
    return result


def _landmarks(body: BodyArrays) -> dict[str, list[int]]:
    if body.num_vertices == 6890:
        table = {name: [index] for name, index in _SMPL_VERTICES.items()}
        for side in ("left", "right"):
            for part in ("inner", "outer"):
                table[f"{side}_eye_{part}"] = table[f"{side}_eye"]
            table[f"mouth_{side}"] = table["nose"]
            table[f"{side}_foot_index"] = table[f"{side}_big_toe"]
        return table
    if body.num_vertices == 13524:
        return _default_landmarks(body.v_template, body.J_template)
    raise InvalidInputError(
        "Keypoints are known for the default body and SMPL's 6890 vertices, not for "
        f"{body.num_vertices}.",
        "Use such a body, or fit with keypoint_regressor of your own.",
    )


def _joint_mix(name: str, rest: dict[str, np.ndarray]) -> dict[str, float]:
    """Keypoints as mixes of joints, weights summing to 1. rest: the template's joints by name."""
    if name in ("neck", "mid_hip"):
        pair = ("left_shoulder", "right_shoulder") if name == "neck" else ("left_hip", "right_hip")
        mixes = [_joint_mix(side, rest) for side in pair]
        return {j: 0.5 * sum(m.get(j, 0) for m in mixes) for j in mixes[0] | mixes[1]}
    other = name.replace("left", "@").replace("right", "left").replace("@", "right")
    if name.endswith("hip"):
        width = abs(float(rest[name][0] - rest[other][0]))
        out = (HIP_HALF_WIDTH - 0.5 * width) / width
        return {name: 1 + out, other: -out}
    if name.endswith("shoulder"):
        inwards = SHOULDER_INWARDS / abs(float(rest[name][0] - rest[other][0]))
        up = SHOULDER_UP / float(np.linalg.norm(rest["neck"] - rest["spine3"]))
        return {name: 1 - inwards, other: inwards, "neck": up, "spine3": -up}
    if name.endswith("ankle"):
        knee = name.replace("ankle", "knee")
        up = ANKLE_UP / float(np.linalg.norm(rest[knee] - rest[name]))
        return {name: 1 - up, knee: up}
    return {name: 1.0}


def keypoint_regressor(body: AnyBody, keypoint_set: str) -> KeypointRegressor:
    """Regressor of a set ("coco17", "blazepose33", "body25") for this body's topology.

    Its arrays are of the body's own kind: numpy's for `BodyArrays`, tensors for a `Body`. Raises
    InvalidInputError for an unknown set, or a topology whose keypoints are not known.
    """
    if keypoint_set not in NAMES:
        raise InvalidInputError(
            f"Unknown keypoint set '{keypoint_set}'.", f"Use one of {', '.join(NAMES)}."
        )
    regressor = _build(body.arrays, keypoint_set)
    return regressor if body.arrays is body else body.backend.record(regressor)


@lru_cache(maxsize=32)
def _build(body: BodyArrays, keypoint_set: str) -> KeypointRegressor:
    landmarks = _landmarks(body)
    rest = dict(zip(JOINT_NAMES, body.J_template, strict=True))
    names = NAMES[keypoint_set]
    used = sorted({i for n in names if n in landmarks for i in landmarks[n]})
    joint_weights = np.zeros((len(names), NUM_JOINTS))
    vertex_weights = np.zeros((len(names), len(used)))
    for row, name in enumerate(names):
        if name in landmarks:
            for index in landmarks[name]:
                vertex_weights[row, used.index(index)] += 1 / len(landmarks[name])
        else:
            for joint, weight in _joint_mix(name, rest).items():
                joint_weights[row, JOINT_INDEX[joint]] += weight
    return KeypointRegressor(names, joint_weights, np.array(used, np.int64), vertex_weights)

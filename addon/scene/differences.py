"""How a pose differs from another one, in words (numpy only).

Joints are (24, 3) m in a frame whose Z is up. Limbs are told in the body's own torso, so that an
arm is behind whichever way the body faces.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kinflow.core.skeleton import JOINT_INDEX

BEST = "best"
MOVED, NODDED = 0.12, 0.06  # m that a limb's point, or the head, must have moved to be named
LEANING = 0.2  # sine of the angle
TURNED, TURNED_ROUND = np.radians(25), np.radians(110)
BEHIND = -0.05  # m before the shoulder: a hand is behind the body, and not just further back
AT_ONCE = 2  # phrases
# the torso's height in m: what makes a turn or a lean comparable with a limb's way
_TORSO = 0.5


class Phrase(NamedTuple):
    """Words, how far something moved for them in m, and whether that is worth words."""

    size: float
    text: str
    is_clear: bool


def tell_apart(poses: Sequence[np.ndarray], best: int = 0) -> list[str]:
    """What sets each pose apart from the best one: "right arm behind"; the best is "best".

    No two have the same words.
    """
    told: list[str] = []
    for number, pose in enumerate(poses):
        if number == best:
            told.append(BEST)
            continue
        found = phrases(pose, poses[best])
        clear = [p.text for p in found if p.is_clear] or [f"{found[0].text} a little"]
        wordings = [", ".join(clear[:k]) for k in range(AT_ONCE, len(clear) + 1)] or clear[:1]
        numbered = (f"{wordings[0]} ({k})" for k in itertools.count(2))
        told.append(next(w for w in itertools.chain(wordings, numbered) if w not in told))
    return told


def phrases(pose: np.ndarray, other: np.ndarray) -> list[Phrase]:
    """What is different in a pose, the greatest difference first."""
    found = [*_torso(pose, other), _head(pose, other)]
    for limb in _LIMBS:
        found += _pair(*(_limb(pose, other, side, limb) for side in ("left", "right")))
    return sorted(found, key=lambda p: (not p.is_clear, -p.size))


def torso_axes(joints: np.ndarray) -> np.ndarray:
    """Where the torso's left, up and forward point. -> (3, 3), a row each."""
    at = {name: joints[JOINT_INDEX[name]] for name in _CORNERS}
    up = at["left_shoulder"] + at["right_shoulder"] - at["left_hip"] - at["right_hip"]
    up = _unit(up)
    left = at["left_shoulder"] - at["right_shoulder"] + at["left_hip"] - at["right_hip"]
    left = _unit(left - (left @ up) * up)
    return np.stack((left, up, np.cross(left, up)))


_CORNERS = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
_LIMBS = {"arm": ("shoulder", "elbow", "wrist"), "leg": ("hip", "knee", "ankle")}


def _torso(pose: np.ndarray, other: np.ndarray) -> list[Phrase]:
    """How the torso is turned about the vertical, and leans, beside another."""
    axes, before = torso_axes(pose), torso_axes(other)
    turn = axes.T @ before
    # the twist about the vertical of the rotation from the one torso to the other
    angle = np.arctan2(turn[1, 0] - turn[0, 1], turn[0, 0] + turn[1, 1])
    c, s = np.cos(angle), np.sin(angle)
    untwisted = axes[1] @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    aside, _, ahead = before @ (untwisted - before[1])
    word = "turned left" if angle > 0 else "turned right"
    if abs(angle) > TURNED_ROUND:
        word = "turned round"
    way = 2 * np.sin(abs(angle) / 2) * _TORSO
    lean = ("forward" if ahead > 0 else "back") if abs(ahead) > abs(aside) else ""
    lean = lean or ("left" if aside > 0 else "right")
    leaning = max(abs(ahead), abs(aside))
    return [
        Phrase(way, word, abs(angle) > TURNED),
        Phrase(leaning * _TORSO, f"leaning {lean}", leaning > LEANING),
    ]


def _limb(pose: np.ndarray, other: np.ndarray, side: str, limb: str) -> Phrase:
    root, middle, end = (f"{side}_{joint}" for joint in _LIMBS[limb])
    ways = {name: _place(pose, root, name) - _place(other, root, name) for name in (middle, end)}
    size = {name: float(np.linalg.norm(way)) for name, way in ways.items()}
    bends = size[middle] > 1.5 * size[end]  # the hand stays where it was
    point = middle if bends else end
    name = point.replace("_", " ") if bends else f"{side} {limb}"
    outward = np.array([1.0 if side == "left" else -1.0, 1.0, 1.0])
    way = ways[point] * outward
    axis = int(np.abs(way).argmax())
    words = (("in", "out"), ("lowered", "raised"), ("back", "forward"))[axis]
    word = words[int(way[axis] > 0)]
    if word == "back" and limb == "arm" and _place(pose, root, point)[2] < BEHIND:
        word = "behind"
    return Phrase(size[point], f"{name} {word}", size[point] > MOVED)


def _pair(left: Phrase, right: Phrase) -> list[Phrase]:
    """A left and a right limb's, made one where both did the same: "arms raised"."""
    limb, _, way = left.text.removeprefix("left ").partition(" ")
    if not (left.is_clear and right.is_clear and right.text == f"right {limb} {way}"):
        return [left, right]
    return [Phrase(max(left.size, right.size), f"{limb}s {way}", True)]


def _head(pose: np.ndarray, other: np.ndarray) -> Phrase:
    way = _place(pose, "neck", "head") - _place(other, "neck", "head")
    axis = int(np.abs(way).argmax())
    words = (("to the right", "to the left"), ("lowered", "raised"), ("back", "forward"))[axis]
    size = float(np.linalg.norm(way))
    return Phrase(size, f"head {words[int(way[axis] > 0)]}", size > NODDED)


def _place(joints: np.ndarray, root: str, point: str) -> np.ndarray:
    """Where a joint is from another, (3,) m to the torso's left, up and forward."""
    return torso_axes(joints) @ (joints[JOINT_INDEX[point]] - joints[JOINT_INDEX[root]])


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)

"""Frames that are fitted by themselves: they tell the camera, and lead the others."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...core.arrays import numpy_namespace, to_numpy
from ...core.posterior import State
from ...core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from ...gravity import pitch_and_roll
from ...records import FITTED, FitResult, Hypothesis
from ..backend import Report, silent
from ..batches import Batch, usable
from ..fit import CPU_BATCH, Task, in_batches
from ..people import Means
from ..scene import Stated
from ..starts import state_of
from ..views import View
from .clip import Clip
from .path import best_path


@dataclass(frozen=True)
class Lead:
    """Keyframes by time (K,), and what was fitted in each: hypotheses, best first."""

    times: np.ndarray
    hypotheses: list[tuple[Hypothesis, ...]]

    def after(self, time: float, fitted: Hypothesis) -> Lead:
        """The same behind a frame that is known."""
        later = np.flatnonzero(self.times > time)
        times = np.concatenate(([time], self.times[later]))
        return Lead(times, [(fitted,), *(self.hypotheses[i] for i in later)])


def anchors(clip: Clip, count: int, means: Means, stated: Stated | None) -> list[FitResult]:
    """So many frames of the whole clip, before one camera and with one shape."""
    rows = [row for row, person in enumerate(clip.people) if usable(person)]
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int))
    task = Task(False, "lm", True, 0, stated)
    return _as_one_photo(clip.pick([rows[i] for i in chosen]), means, task, silent)


def lead(clip: Clip, stride: int, view: View, means: Means, report: Report) -> Lead:
    """Every `stride`-th frame that shows enough, before the clip's camera."""
    rows = [row for row, person in enumerate(clip.people) if usable(person)]
    chosen = sorted({*rows[::stride], *rows[-1:]})
    stated = None
    if not view.camera_assumed:
        stated = Stated(*pitch_and_roll(view.gravity), view.floor)
    results = []
    for begin in range(0, len(chosen), CPU_BATCH):
        part = clip.pick(chosen[begin : begin + CPU_BATCH])
        results += _as_one_photo(part, means, Task(False, "lm", False, 0, stated), report)
    kept = [i for i, result in enumerate(results) if result.status in FITTED]
    times = clip.times[[chosen[i] for i in kept]]
    return Lead(times, [results[i].hypotheses for i in kept])


def _as_one_photo(clip: Clip, means: Means, task: Task, report: Report) -> list[FitResult]:
    """Frames of a camera that stands still are as one photo of several people."""
    people = [
        replace(p, photo=0, image_path=None, mask=None, parts=None, camera=clip.camera)
        for p in clip.people
    ]
    everyone = Batch(people, [clip.camera] * len(people), [clip.who] * len(people))
    return in_batches(everyone, means, task, report)


def begin_from(found: Lead, times: np.ndarray, means: Means) -> State:
    """A state of every frame (T,) between the keyframes, led along the path that moves least."""
    chosen = [h[k] for h, k in zip(found.hypotheses, _path(found), strict=True)]
    keys = state_of(chosen, np.stack([h.z for h in chosen]), means)
    keys_at = found.times
    later = np.clip(np.searchsorted(keys_at, times), 1, max(1, len(keys_at) - 1))
    earlier, later = later - 1, np.minimum(later, len(keys_at) - 1)
    gap = np.maximum(keys_at[later] - keys_at[earlier], 1e-9)
    share = np.clip((times - keys_at[earlier]) / gap, 0, 1)
    return _between(keys, earlier, later, share, means)


def _between(
    keys: State, earlier: np.ndarray, later: np.ndarray, share: np.ndarray, means: Means
) -> State:
    xp = numpy_namespace
    z, root, betas, transl = (to_numpy(a) for a in (keys.z, keys.root, keys.betas, keys.transl))
    turn = matrix_to_axis_angle(xp, root[later] @ root[earlier].swapaxes(-1, -2))
    turned = axis_angle_to_matrix(xp, turn * share[:, None]) @ root[earlier]

    def mixed(values: np.ndarray) -> np.ndarray:
        return values[earlier] + share[:, None] * (values[later] - values[earlier])

    return means.backend.record(State(mixed(z), turned, mixed(betas), mixed(transl)))


def _path(found: Lead) -> list[int]:
    """Of each keyframe's hypotheses the one on the path that moves least."""
    joints = [np.stack([h.joints for h in hypotheses]) for hypotheses in found.hypotheses]
    energies = [np.array([h.energy for h in hypotheses]) for hypotheses in found.hypotheses]
    gaps = np.maximum(np.diff(found.times), 1e-9).tolist()
    return best_path(joints, energies, gaps)

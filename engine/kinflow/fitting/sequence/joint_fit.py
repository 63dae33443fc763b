"""One person through a clip: a camera and a shape from all of it, then window after window."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...bodies.arrays import AnyBody
from ...bodies.contacts import contact_names
from ...bodies.files import load_body_arrays
from ...core.arrays import pick, put_rows, to_numpy
from ...core.posterior import State
from ...errors import InvalidInputError
from ...gravity import gravity_of
from ...priors.arrays import PosePrior, prior_of
from ...records import CONTACT_NAMES, FITTED, Camera, FitResult, Observation
from ..backend import Report, backend_for, iterations, share, silent
from ..batches import usable
from ..config import LOSSES
from ..people import Means, People
from ..population import Who
from ..results import failed_result, results_of
from ..scene import Stated
from ..starts import state_of
from ..views import View, agreed
from .clip import Clip, spans, times_of
from .config import SequenceConfig
from .keyframes import anchors, begin_from, lead
from .window import Solved, Window, solve

if TYPE_CHECKING:
    from ...priors.prior import Prior

HELD = 2  # frames of the window before that the next begins with: a residual's reach
UNSEEN = "Not seen here; the pose follows the frames beside it."
EMPTY = "Nobody is seen here or near here in time."


@dataclass(frozen=True)
class _Means:
    """What everybody is fitted by, alone and together, and what is asked for."""

    alone: Means
    together: Means
    config: SequenceConfig
    parts: bool
    seed: int
    stated: Stated | None


def fit_sequence(
    observations: Sequence[Observation],
    *,
    frames: Sequence[float] | None = None,
    fps: float = 30.0,
    body: AnyBody | None = None,
    prior: Prior | PosePrior | str | Path | None = None,
    camera: Camera | None = None,
    losses: Sequence[str] = ("ka", "ba"),
    sex: str | None = None,
    age: str | None = None,
    pitch: float | None = None,
    roll: float | None = None,
    device: str = "auto",
    seed: int = 0,
    progress: Report | None = None,
    config: SequenceConfig | None = None,
) -> list[FitResult]:
    """Fits one person seen in successive frames: one shape, camera and floor, feet that stay.

    Results in the same order; `fit_windows` gives them a window at a time, in constant memory.
    frames: the number of each observation's frame, rising, at `fps` a second; without, one after
    another.
    camera: of all frames, which stands still; without, the first observation's.

    Frames of the whole clip tell the shape, and how the camera is held. Then windows of frames are
    solved together: led by every few frames that are fitted by themselves, and tied by captured
    people's accelerations and by contacts with the floor, of which every result tells how likely
    they are (`contacts`, of CONTACT_NAMES). A frame that shows too little follows those beside it
    (status "filled"); behind a cut, or a second and a half without a sighting, a motion begins
    anew. sex, age, pitch, roll: as for `fit`. Raises InvalidInputError for wrong arguments,
    CancelledError where progress returns False.
    """
    windows = fit_windows(
        observations,
        frames=frames,
        fps=fps,
        body=body,
        prior=prior,
        camera=camera,
        losses=losses,
        sex=sex,
        age=age,
        pitch=pitch,
        roll=roll,
        device=device,
        seed=seed,
        progress=progress,
        config=config,
    )
    return [result for window in windows for result in window]


def fit_windows(
    observations: Sequence[Observation],
    *,
    frames: Sequence[float] | None = None,
    fps: float = 30.0,
    body: AnyBody | None = None,
    prior: Prior | PosePrior | str | Path | None = None,
    camera: Camera | None = None,
    losses: Sequence[str] = ("ka", "ba"),
    sex: str | None = None,
    age: str | None = None,
    pitch: float | None = None,
    roll: float | None = None,
    device: str = "auto",
    seed: int = 0,
    progress: Report | None = None,
    config: SequenceConfig | None = None,
    known: Sequence[FitResult] = (),
) -> Iterator[list[FitResult]]:
    """The results of `fit_sequence`, a window at a time. known: results of the first windows, from
    which a fit that was cut off goes on as if it had not been."""
    config, report = config or SequenceConfig(), progress or silent
    if not len(observations):
        return
    _check(observations, losses)
    arrays = load_body_arrays() if body is None else body.arrays
    alone = Means(arrays, prior_of(prior), backend_for(device), config.frame)
    together = replace(alone, config=config.together)
    lens = camera or observations[0].camera or observations[0].assumed_camera()
    clip = Clip(observations, lens, times_of(observations, frames, fps), Who(sex, age))
    stated = None if pitch is None and roll is None else Stated(pitch or 0.0, roll or 0.0)
    means = _Means(alone, together, config, "ba" in losses, seed, stated)
    done = len(known)
    for span in spans(observations, clip.times):
        if done >= span.stop:
            continue
        if done < span.start:
            yield [_empty(clip, row, means) for row in range(done, span.start)]
        part = share(report, done / len(observations), len(span) / len(observations))
        yield from _span(clip.pick(span), known[span.start :], means, part)
        done = span.stop
    if done < len(observations):
        yield [_empty(clip, row, means) for row in range(done, len(observations))]


def _check(people: Sequence[Observation], losses: Sequence[str]) -> None:
    if len({p.keypoint_set for p in people}) > 1:
        raise InvalidInputError(
            "The frames of a sequence have different keypoint sets.", "Use one detector for a clip."
        )
    if unknown := set(losses) - set(LOSSES):
        raise InvalidInputError(f"Unknown loss {sorted(unknown)}.", "Use ka and ba.")


def _empty(clip: Clip, row: int, means: _Means) -> FitResult:
    return failed_result(clip.people[row], clip.camera, means.alone, "too_few_keypoints", EMPTY)


def _span(
    clip: Clip, known: Sequence[FitResult], means: _Means, report: Report
) -> Iterator[list[FitResult]]:
    """Frames that are one motion, a window at a time. known: results of the first of them."""
    config, count = means.config, len(clip.people)
    if len(known) < HELD or any(r.status not in FITTED for r in known[-HELD:]):
        last: list[FitResult] = []
        first = anchors(clip, config.anchors, means.alone, means.stated)
        model = replace(first[0], **vars(agreed([View.of(result) for result in first])))
        begin = 0
    else:
        last, model, begin = list(known[-HELD:]), known[-1], len(known) - HELD
    while begin < count:
        end = begin + config.window
        end = count if count - end < config.tail else end
        stay = (end if end == count else end - config.tail) - begin
        part = share(report, begin / count, (end - begin) / count)
        results = _window(clip.pick(range(begin, end)), stay, (model, last), means, part)
        yield results
        if begin + stay == count:
            return
        begin += stay - HELD
        if len(results) >= HELD and all(r.status in FITTED for r in results[-HELD:]):
            last, model = results[-HELD:], results[-1]
        else:
            last, begin = [], begin + HELD


def _window(
    clip: Clip,
    stay: int,
    known: tuple[FitResult, list[FitResult]],
    means: _Means,
    report: Report,
) -> list[FitResult]:
    """Solves a window. known: one who has the clip's shape and camera, and the results of the
    window's first frames. -> results of its first `stay` frames but for those."""
    started = time.perf_counter()
    (model, last), view = known, View.of(known[0])
    held = len(last)
    keys = lead(clip, means.config.stride, view, means.alone, share(report, 0, 0.4))
    if last:
        keys = keys.after(float(clip.times[held - 1]), last[-1].hypotheses[0])
    if not len(keys.times):
        return [_empty(clip, row, means) for row in range(held, stay)]
    start = begin_from(keys, clip.times, means.together)
    place = means.together.backend.asarray
    start = replace(start, betas=place(np.tile(model.betas, (len(clip.people), 1))))
    if last:
        before = state_of(last, np.stack([r.z for r in last]), means.together)
        start = put_rows(start, place(np.arange(held)), before)
    window = Window(clip, (held, 0), not last, means.parts, means.seed)
    progress = iterations(report, 0.4, 0.6, "whole clip")
    solved = solve(window, start, view, means.together, means.config, progress)
    results = results_in(clip, range(held, stay), solved, _view(view, solved.solution.state))
    seconds = (time.perf_counter() - started) / max(1, len(results))
    return [replace(result, timings={"fit_s": seconds}) for result in results]


def _view(view: View, state: State) -> View:
    """As a window has settled it."""
    if "floor" not in state.more:
        return view
    pitch, roll = np.degrees(to_numpy(state.more["gravity"])[0].astype(np.float64))
    floor = float(to_numpy(state.more["floor"])[0, 0])
    return replace(view, gravity=gravity_of(pitch, roll).astype(np.float32), floor=floor)


def results_in(clip: Clip, rows: range, solved: Solved, view: View) -> list[FitResult]:
    """Results of some rows of a window, with contacts and what was filled."""
    people, place = solved.people, solved.people.means.backend.asarray
    chosen = place(np.array(rows))
    owner = place(np.arange(len(rows)))
    some = replace(
        people,
        observations=[people.observations[i] for i in rows],
        cameras=[people.cameras[i] for i in rows],
    )
    results = results_of(some, pick(solved.solution, chosen), owner, [view] * len(rows))
    touch = None if solved.contact is None else _named(solved.contact.touch, people)
    answer = []
    for row, result in zip(rows, results, strict=True):
        if touch is not None:
            result = replace(result, contacts=touch[row])
        if not usable(clip.people[row]):
            result = replace(result, status="filled", message=UNSEEN)
        answer.append(result)
    return answer


def _named(touch: np.ndarray, people: People) -> np.ndarray:
    """Contacts of a body's points (T, C) -> of CONTACT_NAMES."""
    names = contact_names(people.means.body)
    columns = [touch[:, [i for i, n in enumerate(names) if n == name]] for name in CONTACT_NAMES]
    return np.stack([column.max(1) for column in columns], 1).astype(np.float32)

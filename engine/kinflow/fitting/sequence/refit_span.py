"""Some frames of a fitted clip again: after a contact was pinned, or a keypoint moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...bodies.arrays import AnyBody
from ...bodies.contacts import contact_names
from ...bodies.files import load_body_arrays
from ...errors import InvalidInputError
from ...priors.arrays import PosePrior, prior_of
from ...records import CONTACT_NAMES, FITTED, FitResult, Observation
from ..backend import Report, backend_for, iterations, silent
from ..people import Means
from ..population import Who
from ..starts import code_of, state_of
from ..views import View
from .clip import Clip, times_of
from .config import SequenceConfig
from .joint_fit import HELD, results_in
from .window import Window, solve

if TYPE_CHECKING:
    from ...priors.prior import Prior


@dataclass(frozen=True)
class Pin:
    """One of CONTACT_NAMES touches the floor, and stays, in frames `first` to `last` (both)."""

    contact: str
    first: int
    last: int


def refit_span(
    observations: Sequence[Observation],
    last: Sequence[FitResult],
    span: tuple[int, int],
    *,
    pins: Sequence[Pin] = (),
    frames: Sequence[float] | None = None,
    fps: float = 30.0,
    body: AnyBody | None = None,
    prior: Prior | PosePrior | str | Path | None = None,
    device: str = "auto",
    progress: Report | None = None,
    config: SequenceConfig | None = None,
) -> list[FitResult]:
    """Fits frames span[0] to span[1] (not included) again; the others stay, and they join them
    without a jump.

    observations and last: of all frames, in order, as `fit_sequence` took and gave them; shape,
    camera and floor stay. pins: of rows of these. Keypoints only. -> results of the span. Raises
    InvalidInputError where the span or a pin is not in the clip, or a frame of it was not fitted.
    """
    config, count = config or SequenceConfig(), len(last)
    begin, end = max(0, span[0] - HELD), min(count, span[1] + HELD)
    _check(len(observations), last, span, begin, end, pins)
    arrays = load_body_arrays() if body is None else body.arrays
    means = Means(arrays, prior_of(prior), backend_for(device), config.together)
    times = times_of(observations, frames, fps)
    rows = range(begin, end)
    clip = Clip([observations[i] for i in rows], last[begin].camera, times[begin:end], Who())
    known = [last[i] for i in rows]
    start = state_of(known, np.stack([code_of(r, means) for r in known]), means)
    pinned = _pinned(pins, rows, contact_names(arrays))
    held = (span[0] - begin, end - span[1])
    window = Window(clip, held, shares=False, parts=False, seed=0, pins=pinned)
    view = View.of(last[begin])
    steps = iterations(progress or silent, 0, 1, "frames")
    solved = solve(window, start, view, means, config, steps)
    return results_in(clip, range(held[0], len(rows) - held[1]), solved, view)


def _check(
    seen: int,
    last: Sequence[FitResult],
    span: tuple[int, int],
    begin: int,
    end: int,
    pins: Sequence[Pin],
) -> None:
    count = len(last)
    if seen != count or not 0 <= span[0] < span[1] <= count:
        raise InvalidInputError(
            f"Frames {span[0]} to {span[1]} are not in a clip of {count}.",
            "Give frames of the clip, and one observation for each result.",
        )
    if any(last[i].status not in FITTED for i in range(begin, end)):
        raise InvalidInputError(
            "A frame of the span was not fitted.", "Choose frames between two gaps of the clip."
        )
    for pin in pins:
        if pin.contact not in CONTACT_NAMES or not 0 <= pin.first <= pin.last < count:
            raise InvalidInputError(
                f"'{pin.contact}' cannot be pinned in frames {pin.first} to {pin.last}.",
                f"Give frames of the clip, and one of {', '.join(CONTACT_NAMES)}.",
            )


def _pinned(pins: Sequence[Pin], rows: range, names: tuple[str, ...]) -> np.ndarray:
    """(T, C) bool."""
    pinned = np.zeros((len(rows), len(names)), bool)
    frame = np.array(rows)
    for pin in pins:
        columns = np.array([name == pin.contact for name in names])
        pinned |= ((pin.first <= frame) & (frame <= pin.last))[:, None] & columns
    return pinned

"""Our own fits, a file each, as one motion."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..bodies.arrays import default_body_arrays
from ..errors import InvalidInputError
from ..records import FITTED, FitResult
from .motion import FPS, Motion


def read_fit(path: str | os.PathLike[str]) -> Motion:
    """A fit of `kinflow fit` as a motion of one frame, Y up. Raises AssetError or
    InvalidInputError.

    >>> import tempfile
    >>> read_fit(tempfile.mkdtemp() + "/none.npz")
    Traceback (most recent call last):
    kinflow.errors.AssetError: There is no file ...
    """
    fit = FitResult.load(path)
    return Motion.of_results([fit], body=_fitted_body(fit))


def read_fits(folder: str | os.PathLike[str], person: int = 0, fps: float = FPS) -> Motion:
    """The fits of one person in the folder of `kinflow fit --sequence`, in the order of the frames.

    A frame in between that was not fitted holds the pose before it, so that time stays right.
    Raises InvalidInputError where nobody of that number was fitted, AssetError for a damaged file.

    >>> import tempfile
    >>> read_fits(tempfile.mkdtemp(), person=2)
    Traceback (most recent call last):
    kinflow.errors.InvalidInputError: ... holds no fit of person 2. ...
    """
    ending = re.compile(rf"\.{person}\.npz$")
    paths = sorted(p for p in Path(folder).iterdir() if ending.search(p.name))
    fits = [fit for path in paths if (fit := _slim(FitResult.load(path))).status in FITTED]
    if not fits:
        raise InvalidInputError(
            f"{folder} holds no fit of person {person}.", "Persons are counted from 0."
        )
    by_frame = {fit.photo: fit for fit in reversed(fits)}
    frames = np.array(sorted(by_frame))
    held = np.searchsorted(frames, np.arange(frames[0], frames[-1] + 1), side="right") - 1
    results = [by_frame[int(frames[i])] for i in held]
    return Motion.of_results(results, fps, _fitted_body(FitResult.load(paths[0])))


def _slim(fit: FitResult) -> FitResult:
    """Without its mesh, of which a clip of an hour would fill the memory."""
    return replace(fit, vertices=fit.vertices[:0], faces=fit.faces[:0], hypotheses=())


def _fitted_body(fit: FitResult) -> str:
    """The default body's name, or "" where it was another one."""
    default = default_body_arrays()
    return default.name if len(fit.vertices) == default.num_vertices else ""

"""The usual ways to calm a motion that was fitted frame by frame: rivals of a sequence's fit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.signal import savgol_filter

from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.rotations import (
    axis_angle_to_matrix,
    matrix_to_axis_angle,
    matrix_to_sixd,
    sixd_to_matrix,
)

Parameters = dict[str, np.ndarray]
FPS = 30.0
ONE_EURO = [(cutoff, beta) for cutoff in (1.0, 3.0, 10.0, 30.0) for beta in (0.1, 1.0, 10.0)]
SAVITZKY = [(5, 2), (9, 2), (15, 2), (25, 2)]


def one_euro(values: np.ndarray, cutoff: float, beta: float) -> np.ndarray:
    """Casiez et al. 2012, along the first axis; cutoff in Hz, derivative's 1 Hz."""
    out, speed = values.copy(), np.zeros_like(values[0])
    for t in range(1, len(values)):
        change = (values[t] - out[t - 1]) * FPS
        speed = speed + _share(1.0) * (change - speed)
        out[t] = out[t - 1] + _share(cutoff + beta * np.abs(speed)) * (values[t] - out[t - 1])
    return out


def _share(cutoff: np.ndarray | float) -> np.ndarray | float:
    return 1 / (1 + FPS / (2 * np.pi * cutoff))


def savitzky_golay(values: np.ndarray, window: int, order: int) -> np.ndarray:
    """A polynomial about every frame."""
    odd = len(values) - 1 + len(values) % 2
    return np.asarray(savgol_filter(values, min(window, odd), order, axis=0))


def smoothed(frames: Parameters, way: Callable[[np.ndarray], np.ndarray]) -> Parameters:
    """Rotations as two columns each, the place, and the mean of the shapes."""
    turns = np.concatenate((frames["global_orient"][:, None], frames["body_pose"]), 1)
    columns = matrix_to_sixd(xp, axis_angle_to_matrix(xp, turns.astype(np.float64)))
    calm = matrix_to_axis_angle(xp, sixd_to_matrix(xp, way(columns)))
    betas = np.tile(frames["betas"].mean(0), (len(turns), 1))
    transl = way(frames["transl"].astype(np.float64))
    return {
        "global_orient": calm[:, 0],
        "body_pose": calm[:, 1:],
        "betas": betas,
        "transl": transl,
    }

"""Focal length from the perspective of the body itself, where no camera is known."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..records import Camera, FitResult

# of the first guess: from a wide phone lens to a short telephoto
FACTORS = (0.45, 0.65, 1.0, 1.5, 2.3)


def scaled(camera: Camera, factor: float) -> Camera:
    """The same photo through a lens of another focal length."""
    return replace(camera, fx=camera.fx * factor, fy=camera.fy * factor)


def estimate_focal(
    cameras: Sequence[Camera],
    fit_with: Callable[[list[Camera], list[FitResult] | None], list[FitResult]],
) -> list[Camera]:
    """Fits everybody through each of FACTORS and refines between the best and its neighbours by a
    parabola.

    The energy over the logarithm of the focal length is flat for people far away: the nearer the
    person, the surer the estimate. People of one photo are fitted with their own cameras; give them
    one camera where they should share it. cameras: first guesses, one a person. fit_with: a quick
    fit through given cameras, with starts to try besides. Failed fits keep their guess.
    """
    logs = np.log(FACTORS)
    energies = np.full((len(FACTORS), len(cameras)), np.inf)
    middle = FACTORS.index(1.0)
    first = fit_with(list(cameras), None)
    for row, factor in enumerate(FACTORS):
        # every lens also tries the pose found through the first one, as far away as it then has to
        # be: else the energies would compare local minima and not lenses
        moved = [replace(r, transl=r.transl * np.array([1, 1, factor], np.float32)) for r in first]
        results = first if row == middle else fit_with([scaled(c, factor) for c in cameras], moved)
        for column, result in enumerate(results):
            if result.hypotheses:
                energies[row, column] = result.hypotheses[0].energy
    chosen = []
    for camera, values in zip(cameras, energies.T, strict=True):
        best = int(np.argmin(values))
        if not np.isfinite(values[best]):
            chosen.append(camera)
            continue
        peak = logs[best]
        if 0 < best < len(FACTORS) - 1 and np.isfinite(values[best - 1 : best + 2]).all():
            curve = np.polyfit(logs[best - 1 : best + 2], values[best - 1 : best + 2], 2)
            if curve[0] > 0:
                peak = float(np.clip(-curve[1] / (2 * curve[0]), logs[best - 1], logs[best + 1]))
        chosen.append(scaled(camera, float(np.exp(peak))))
    return chosen

"""Symmetric systems whose blocks reach two neighbours: Cholesky, block by block."""

from __future__ import annotations

import numpy as np
from scipy.linalg import LinAlgError, cholesky, solve_triangular


def solve_blocks(
    own: np.ndarray, below: np.ndarray, second: np.ndarray, right: np.ndarray
) -> np.ndarray:
    """Blocks (T, n, n) of the diagonal, of each frame's successor and of the one after that: entry
    t of `below` stands in row t + 1, of `second` in row t + 2, both in column t. right (T, n, m) ->
    (T, n, m), NaN where the system is not positive definite.
    """
    count = len(own)
    factors, lower, lower2 = [], np.zeros_like(own), np.zeros_like(own)
    solved = right.copy()
    try:
        for t in range(count):
            block = own[t]
            if t > 0:
                block = block - lower[t - 1] @ lower[t - 1].T
                solved[t] -= lower[t - 1] @ solved[t - 1]
            if t > 1:
                block = block - lower2[t - 2] @ lower2[t - 2].T
                solved[t] -= lower2[t - 2] @ solved[t - 2]
            factor = cholesky(block, lower=True, check_finite=False)
            if not np.isfinite(factor[-1, -1]):
                raise LinAlgError
            if t + 1 < count:
                ahead = below[t] - (lower2[t - 1] @ lower[t - 1].T if t > 0 else 0)
                columns = [ahead.T, second[t].T] if t + 2 < count else [ahead.T]
                carried = _forward(factor, np.concatenate(columns, 1)).T
                lower[t] = carried[: len(factor)]
                if t + 2 < count:
                    lower2[t] = carried[len(factor) :]
            solved[t] = _forward(factor, solved[t])
            factors.append(factor)
    except LinAlgError:
        return np.full_like(right, np.nan)
    for t in range(count - 1, -1, -1):
        if t + 1 < count:
            solved[t] -= lower[t].T @ solved[t + 1]
        if t + 2 < count:
            solved[t] -= lower2[t].T @ solved[t + 2]
        solved[t] = solve_triangular(
            factors[t], solved[t], trans="T", lower=True, check_finite=False
        )
    return solved


def _forward(factor: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.asarray(solve_triangular(factor, right, lower=True, check_finite=False))

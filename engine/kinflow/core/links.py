"""Residuals that tie successive frames of one person: a term's `links`, and its energy's form."""

from __future__ import annotations

from dataclasses import dataclass

from .arrays import Array


@dataclass(frozen=True)
class Links:
    """r_t = sum_i c_ti f_(t+i) of features f (T, R) of each frame, over k + 1 frames.

    residual (T - k, R), weight (T - k, R) of the reweighted form, coefficients c (T - k, k + 1),
    rows (T, R, WIDTH): the features' Jacobian, as of `core.points`.
    """

    residual: Array
    weight: Array
    coefficients: Array
    rows: Array

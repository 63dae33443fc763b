"""train parts, train regressor."""

from __future__ import annotations

from typing import Any

from .common import say


def parts_options() -> type:
    """Options of `train parts`. Looked up late, because they stand beside what loads torch."""
    from ..training.part_network import TrainParts

    return TrainParts


def run_parts(command: Any) -> dict[str, Any]:
    from ..training.part_network import train_parts

    return train_parts(command, say)


def regressor_options() -> type:
    """Options of `train regressor`."""
    from ..training.regressor import TrainRegressor

    return TrainRegressor


def run_regressor(command: Any) -> dict[str, Any]:
    from ..training.regressor import train_regressor

    return train_regressor(command, say)

"""train parts."""

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

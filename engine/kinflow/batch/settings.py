"""What is done with every photo of a run, and the models that it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from ..records import FitResult, Observation

if TYPE_CHECKING:
    from ..bodies.model import Body
    from ..priors.prior import Prior

# of a photo, with their numbers in it
People = Sequence[tuple[int, tuple[Observation, FitResult]]]


@dataclass(frozen=True)
class Settings:
    """What is done with every photo; a run can only go on with the same ones."""

    prior: str = "light"
    body: str | None = None
    losses: tuple[str, ...] = ("ka", "ba")
    overlay: bool = True
    hypotheses: bool = False
    sheet: bool = False
    fov: float | None = None
    models: tuple[str, ...] = ()
    start: str = "both"
    search: str = "thorough"
    device: str = "auto"
    seed: int = 0
    sex: str | None = None
    age: str | None = None
    pitch: float | None = None
    roll: float | None = None


@lru_cache(maxsize=1)
def load_models(body: str | None, prior: str) -> tuple[Body, Prior]:
    """Body and prior by name or path, kept from unit to unit."""
    from ..bodies.files import load_body
    from ..priors.prior import load_prior

    return load_body(body), load_prior(prior)

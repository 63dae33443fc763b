"""What is known of people before the fit: sex and age group, and how tall such people are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..bodies.arrays import BodyArrays
from ..bodies.contacts import stature
from ..core.arrays import Backend
from ..core.terms.stature import Stature
from ..errors import InvalidInputError

SEXES, AGES = ("female", "male"), ("child", "teen", "adult")
# Stature in m, mean and deviation. Adults: NHANES 2015-2018; children of 3 to 12 and teens of 13 to
# 17 years: CDC's growth charts of 2000, from the median of the youngest to that of the oldest.
ADULTS = {None: (1.70, 0.102), "female": (1.613, 0.074), "male": (1.753, 0.074)}
YOUNG = {"child": (1.23, 0.17), "teen": (1.62, 0.10)}
CHILDREN = 0.03  # among people of whom nothing is said
MASCULINE = "Masculine"
# The component of the shape that tells the sexes apart is -1 and 1 in their means. Keypoints hardly
# show it: who is not said to be of one sex stays near the middle.
FIRM, UNSURE = 3.0, 3.0


@dataclass(frozen=True)
class Who:
    """sex of SEXES and age of AGES, or None where they are not known."""

    sex: str | None = None
    age: str | None = None


def everybody(
    sex: str | Sequence[str | None] | None, age: str | Sequence[str | None] | None, count: int
) -> list[Who]:
    """One value for all of `count` people, or one each. Raises InvalidInputError."""
    columns = []
    for name, value, known in (("sex", sex, SEXES), ("age", age, AGES)):
        values = [value] * count if value is None or isinstance(value, str) else list(value)
        if len(values) != count:
            raise InvalidInputError(
                f"{len(values)} values of {name} are given for {count} observations.",
                "Give one for all, or one each (None where it is not known).",
            )
        if wrong := [v for v in values if v is not None and v not in known]:
            raise InvalidInputError(f"Unknown {name} {wrong[0]!r}.", f"Use {', '.join(known)}.")
        columns.append(values)
    return [Who(*pair) for pair in zip(*columns, strict=True)]


def stature_term(body: BodyArrays, people: Sequence[Who], backend: Backend) -> Stature:
    """How tall these people are expected to be, and how masculine."""
    mean, direction = stature(body)
    masculine = np.array([name == MASCULINE for name in (*body.shape_names, *[""] * 10)][:10])
    mixtures = np.array([_mixture(who) for who in people])
    # with the standard normal of the shape beside it the component is normal about -1 or 1
    place = (FIRM + 1) / FIRM
    sex = np.array([{"male": place, "female": -place}.get(w.sex or "", 0.0) for w in people])
    firmness = np.array([FIRM if who.sex else UNSURE for who in people])
    columns = (*mixtures.transpose(2, 0, 1), sex, firmness)
    return Stature(
        mean,
        backend.asarray(direction.astype(float)),
        backend.asarray(masculine.astype(float)),
        *(backend.asarray(column) for column in columns),
    )


def _mixture(who: Who) -> list[tuple[float, float, float]]:
    """Share, mean and deviation of two groups."""
    if who.age in YOUNG:
        return [(1.0, *YOUNG[who.age]), (0.0, *ADULTS[None])]
    young = CHILDREN if who.age is None else 0.0
    return [(1 - young, *ADULTS[who.sex]), (young, *YOUNG["child"])]

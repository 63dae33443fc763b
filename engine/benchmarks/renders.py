"""Renders of `render_people`, what is true of them, and who of the observed is whom."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from kinflow import Camera, KinflowError

from .render_scenes import KINDS, SHOWN

FURTHEST = 0.25  # of a person's size: an observation further off is of nobody
FEWEST = 6  # keypoints shown: who shows fewer is not asked for


@dataclass(frozen=True)
class TruePerson:
    """joints (24, 3) m in the camera's frame, keypoints (33, 2) px, visibility (33,)."""

    joints: np.ndarray
    keypoints: np.ndarray
    visibility: np.ndarray

    @property
    def size(self) -> float:
        """The larger side of the body's extent, also beyond the rim, px."""
        return float(np.ptp(self.keypoints, axis=0).max())


@dataclass(frozen=True)
class Render:
    """A picture and its truth."""

    path: Path
    truth: dict[str, Any]

    @property
    def kind(self) -> str:
        return self.truth["kind"]

    @property
    def camera(self) -> Camera:
        return Camera(**self.truth["camera"])

    @cached_property
    def shown(self) -> list[dict[str, Any]]:
        """Of the truth, who shows enough to be asked for."""
        people = self.truth["people"]
        return [p for p in people if (np.array(p["visibility"]) == SHOWN).sum() >= FEWEST]

    @cached_property
    def people(self) -> list[TruePerson]:
        """`shown`, as arrays."""
        names = ("joints", "keypoints", "visibility")
        return [TruePerson(*(np.array(p[n]) for n in names)) for p in self.shown]

    def match(self, observed: Sequence[np.ndarray]) -> list[int | None]:
        """Which of the observed keypoints (33, 2) is each of `people`, the nearest pairs first."""
        apart = np.array(
            [[_apart(person, points) for points in observed] for person in self.people]
        )
        whose: list[int | None] = [None] * len(self.people)
        while apart.size and apart.min() < FURTHEST:
            person, index = np.unravel_index(apart.argmin(), apart.shape)
            whose[person] = int(index)
            apart[person], apart[:, index] = np.inf, np.inf
        return whose


def _apart(person: TruePerson, points: np.ndarray) -> float:
    """Median distance of the shown keypoints, as a share of the person's size."""
    shown = person.visibility == SHOWN
    distance = np.linalg.norm(points[shown] - person.keypoints[shown], axis=1)
    return float(np.median(distance)) / person.size


def load_renders(
    folder: Path, kinds: Sequence[str] = KINDS, count: int | None = None
) -> list[Render]:
    """The first `count` renders of each kind. Raises KinflowError where there is none."""
    renders = []
    for kind in kinds:
        paths = sorted(folder.glob(f"{kind}-*.json"))[:count]
        renders += [Render(p.with_suffix(".jpg"), json.loads(p.read_text("utf-8"))) for p in paths]
    if not renders:
        raise KinflowError(
            f"There are no renders in {folder}.",
            "Make them: python -m engine.benchmarks.render_people FOLDER (needs bpy).",
        )
    return renders

"""Drawn people with known truth, for the tests of the regressor."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch

from kinflow import Camera, Observation, load_body
from kinflow.guessing.network import State
from kinflow.training.synthetic import PHOTO, Crowd, People, make_people


@cache
def drawn_people() -> People:
    """24 of them, always the same."""
    return make_people(load_body(), Crowd(24, 3))


def observations_of(people: People) -> list[Observation]:
    """Their true keypoints, without masks and parts."""
    return [
        Observation(
            k, np.ones(17), "coco17", Camera(float(f), float(f), PHOTO / 2, PHOTO / 2, PHOTO, PHOTO)
        )
        for k, f in zip(people.keypoints, people.focal, strict=True)
    ]


class TheTruth(torch.nn.Module):
    """Stands in for a network that knows the answer."""

    def __init__(self, people: People, prior) -> None:
        super().__init__()
        rotations = torch.from_numpy(people.rotations)
        self.answer = State(
            prior.encode(rotations[:, 1:]), rotations[:, 0], torch.from_numpy(people.betas)
        )

    def forward(self, inputs, look):
        return self.answer

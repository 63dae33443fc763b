"""Photos of people without 3D, as the regressor's second stage takes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...guessing.inputs import CROP, Inputs
from ..synthetic import People
from .examples import Style, make_inputs

NUM_PIXELS = 192


@dataclass(frozen=True)
class Unlabelled:
    """Photos of N people: the network's inputs, and sampled pixels of their part maps.

    pixels (N, P, 2) px of the photo with labels (N, P), 0 where there is no part map.
    """

    inputs: Inputs
    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.inputs)

    def pick(self, rows: Tensor) -> Unlabelled:
        return Unlabelled(self.inputs.pick(rows), self.pixels[rows], self.labels[rows])

    def to(self, device: torch.device) -> Unlabelled:
        return Unlabelled(self.inputs.to(device), self.pixels.to(device), self.labels.to(device))


def unlabelled_of(inputs: Inputs, seed: int = 0) -> Unlabelled:
    """Samples the part maps' pixels."""
    random = np.random.default_rng(seed)
    pixels = np.zeros((len(inputs), NUM_PIXELS, 2), np.float32)
    labels = np.zeros((len(inputs), NUM_PIXELS), np.int64)
    for i, (plane, crop) in enumerate(zip(inputs.parts.numpy(), inputs.crop.numpy(), strict=True)):
        ys, xs = np.nonzero(plane)
        if len(xs):
            picks = random.choice(len(xs), NUM_PIXELS, replace=len(xs) < NUM_PIXELS)
            cells = np.stack((xs[picks], ys[picks]), 1) + random.random((NUM_PIXELS, 2))
            pixels[i], labels[i] = crop[:2] + cells / CROP * crop[2], plane[ys[picks], xs[picks]]
    return Unlabelled(inputs, torch.from_numpy(pixels), torch.from_numpy(labels))


def unlabelled_of_people(people: People, style: Style, seed: int = 0) -> Unlabelled:
    """Drawn people as photos without labels: detected once, as photos are."""
    return unlabelled_of(make_inputs(people, style, np.random.default_rng(seed)), seed)

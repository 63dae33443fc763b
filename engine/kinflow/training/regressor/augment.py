"""Other views of photos without labels: mirrored, rolled, cropped otherwise, keypoints left out.

Exact: a camera that is mirrored, or rolled about its axis, sees just this. What is kept back are
keypoints of the input alone; the loss still asks for them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from ...bodies.keypoint_names import COCO17
from ...bodies.parts import PART_NAMES
from ...guessing.inputs import CROP, Inputs
from .unlabelled import Unlabelled

MIN_SHOWN = 4


@dataclass(frozen=True)
class Augmentation:
    """How far other views differ.

    mirror: chance of a mirror image; roll: deviation in radians; shift, size: deviations of the
    crop's place (shares of it) and of its size (log); hide: chance that a keypoint is kept back.
    """

    mirror: float = 0.5
    roll: float = 0.25
    shift: float = 0.02
    size: float = 0.04
    hide: float = 0.08


class Dice:
    """Random numbers of one generator, on a device."""

    def __init__(self, generator: torch.Generator, device: torch.device) -> None:
        self.generator, self.device = generator, device

    def uniform(self, *shape: int) -> Tensor:
        return torch.rand(*shape, generator=self.generator).to(self.device)

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.generator).to(self.device)


@dataclass(frozen=True)
class Motion:
    """Mirrored and rolled cameras: photo' = centre + turn (photo - centre).

    centre (B, 2) px, mirrored (B,) bool, turn (B, 2, 2) = R diag(+-1, 1).
    """

    centre: Tensor
    mirrored: Tensor
    turn: Tensor

    @staticmethod
    def random(centre: Tensor, how: Augmentation, dice: Dice) -> Motion:
        mirrored = dice.uniform(len(centre)) < how.mirror
        angle = how.roll * dice.normal(len(centre))
        cos, sin = torch.cos(angle), torch.sin(angle)
        sign = torch.where(mirrored, -1.0, 1.0)
        turn = torch.stack((cos * sign, -sin, sin * sign, cos), -1).unflatten(-1, (2, 2))
        return Motion(centre, mirrored, turn)

    def forward(self, points: Tensor) -> Tensor:
        """Places (B, P, 2) px of the photo -> of the other view."""
        return self.centre[:, None] + (points - self.centre[:, None]) @ self.turn.mT

    def back(self, points: Tensor) -> Tensor:
        """The inverse of `forward`: `turn` is orthogonal."""
        return self.centre[:, None] + (points - self.centre[:, None]) @ self.turn


def augment(
    batch: Unlabelled, how: Augmentation, generator: torch.Generator
) -> tuple[Inputs, Unlabelled]:
    """Another view of everybody: what the network is shown, and all of it, for the losses."""
    inputs = batch.inputs
    dice = Dice(generator, inputs.keypoints.device)
    motion = Motion.random(inputs.centre, how, dice)
    crop = _other_crop(inputs.crop, motion, how, dice)
    mask, parts = _resample(inputs, crop, motion)
    keypoints, confidence = motion.forward(inputs.keypoints), inputs.confidence
    points_of, parts_of = _mirror_tables(keypoints.device)
    mirrored = motion.mirrored[:, None]
    parts = torch.where(mirrored[..., None], parts_of[parts.long()].to(torch.uint8), parts)
    labels = torch.where(mirrored, parts_of[batch.labels], batch.labels)
    keypoints = torch.where(mirrored[..., None], keypoints[:, points_of], keypoints)
    confidence = torch.where(mirrored, confidence[:, points_of], confidence)
    whole = Inputs(mask, parts, keypoints, confidence, inputs.focal, inputs.centre, crop)
    kept = torch.where(dice.uniform(*confidence.shape) < how.hide, 0.0, confidence)
    # somebody who would be left with too little is shown whole
    poor = (kept > 0).sum(1, keepdim=True) < MIN_SHOWN
    shown = replace(whole, confidence=torch.where(poor, confidence, kept))
    return shown, Unlabelled(whole, motion.forward(batch.pixels), labels)


def _other_crop(crop: Tensor, motion: Motion, how: Augmentation, dice: Dice) -> Tensor:
    """The same place in the other view, shifted and resized a little. (B, 3) -> (B, 3)."""
    side = crop[:, 2:]
    middle = motion.forward((crop[:, :2] + side / 2)[:, None])[:, 0]
    middle = middle + how.shift * dice.normal(len(crop), 2) * side
    side = side * torch.exp(how.size * dice.normal(len(crop)))[:, None]
    return torch.cat((middle - side / 2, side), 1)


def _resample(inputs: Inputs, crop: Tensor, motion: Motion) -> tuple[Tensor, Tensor]:
    """Mask and parts on another crop of the other view, not yet with swapped sides."""
    line = (torch.arange(CROP, device=crop.device, dtype=crop.dtype) + 0.5) / CROP
    cells = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1).flatten(0, 1)
    places = motion.back(crop[:, None, :2] + cells * crop[:, None, 2:])
    # places in the old crop, from -1 to 1
    grid = 2 * (places - inputs.crop[:, None, :2]) / inputs.crop[:, None, 2:] - 1
    grid = grid.unflatten(1, (CROP, CROP))

    def sample(plane: Tensor, mode: str) -> Tensor:
        planes = grid_sample(plane[:, None].float(), grid, mode, "zeros", align_corners=False)
        return planes[:, 0].round().to(torch.uint8)

    return sample(inputs.mask, "bilinear"), sample(inputs.parts, "nearest")


@lru_cache(maxsize=4)
def _mirror_tables(device: torch.device) -> list[Tensor]:
    """Mirror images of keypoints and of part labels."""
    return [torch.tensor(_swapped(names), device=device) for names in (COCO17, PART_NAMES)]


def _swapped(names: tuple[str, ...]) -> list[int]:
    other = {"left": "right", "right": "left"}
    sides = [name.split("_", 1) for name in names]
    return [names.index("_".join((other.get(side, side), *rest))) for side, *rest in sides]

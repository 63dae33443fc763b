"""Other views of photos without labels: mirrored, turned about the lens' axis, cropped a little otherwise, keypoints left out.

Exact: a camera that is mirrored, or rolled about its axis, sees just this. What is kept back are keypoints of the input
alone; the loss still asks for them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from ...bodies.parts import PART_NAMES
from ...bodies.keypoint_names import COCO17
from ...guess.inputs import CROP, Inputs


@dataclass(frozen=True)
class Augmentation:
    """Chance of a mirror image; deviation of the roll (radians), of the crop's place (shares) and of its size (log); chance
    that a keypoint is kept from the network."""

    mirror: float = 0.5
    roll: float = 0.25
    shift: float = 0.02
    size: float = 0.04
    hide: float = 0.08


def _swapped(names: tuple[str, ...]) -> list[int]:
    other = {"left": "right", "right": "left"}
    turned = [
        f"{other[n.split('_')[0]]}_{n.split('_', 1)[1]}" if n.split("_")[0] in other else n
        for n in names
    ]
    return [names.index(n) for n in turned]


@lru_cache(maxsize=4)
def _tables(device: torch.device) -> tuple[Tensor, Tensor]:
    """Mirror images of keypoints and of part labels."""
    return torch.tensor(_swapped(COCO17), device=device), torch.tensor(
        _swapped(PART_NAMES), device=device
    )


def augment(
    inputs: Inputs, pixels: Tensor, labels: Tensor, how: Augmentation, generator: torch.Generator
) -> tuple[Inputs, Inputs, Tensor, Tensor]:
    """Another view of everybody. pixels (B, P, 2) px of the photo, labels (B, P).

    -> what the network sees, the same with all keypoints for the losses, and the pixels and labels of that view.
    """
    device, count = inputs.keypoints.device, len(inputs)
    random = lambda *shape: torch.rand(*shape, generator=generator).to(device)  # noqa: E731
    normal = lambda *shape: torch.randn(*shape, generator=generator).to(device)  # noqa: E731
    points_of, parts_of = _tables(device)
    sign = torch.where(random(count) < how.mirror, -1.0, 1.0)
    angle = how.roll * normal(count)
    # photo' = centre + R M (photo - centre), with M = diag(sign, 1)
    cos, sin = torch.cos(angle), torch.sin(angle)
    turn = torch.stack((torch.stack((cos * sign, -sin), -1), torch.stack((sin * sign, cos), -1)), 1)
    move = lambda x: inputs.centre[:, None] + (x - inputs.centre[:, None]) @ turn.transpose(1, 2)  # noqa: E731

    side = inputs.crop[:, 2]
    middle = (
        move((inputs.crop[:, :2] + side[:, None] / 2)[:, None])[:, 0]
        + how.shift * normal(count, 2) * side[:, None]
    )
    new_side = side * torch.exp(how.size * normal(count))
    crop = torch.cat((middle - new_side[:, None] / 2, new_side[:, None]), 1)
    # for each cell of the new crop its place in the old one, from -1 to 1
    line = (torch.arange(CROP, device=device, dtype=torch.float32) + 0.5) / CROP
    cells = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1).flatten(0, 1)
    places = crop[:, None, :2] + cells * new_side[:, None, None]
    back = (
        inputs.centre[:, None] + (places - inputs.centre[:, None]) @ turn
    )  # the inverse of an orthogonal matrix
    grid = (2 * (back - inputs.crop[:, None, :2]) / side[:, None, None] - 1).unflatten(
        1, (CROP, CROP)
    )

    def sample(planes: Tensor, mode: str) -> Tensor:
        return torch.nn.functional.grid_sample(
            planes.float(), grid, mode=mode, padding_mode="zeros", align_corners=False
        )

    smooth = (
        sample(torch.cat((inputs.rgb, inputs.mask[:, None]), 1), "bilinear").round().to(torch.uint8)
    )
    parts = sample(inputs.parts[:, None], "nearest")[:, 0].to(torch.uint8)
    mirrored = sign < 0
    parts = torch.where(mirrored[:, None, None], parts_of[parts.long()].to(torch.uint8), parts)
    keypoints, confidence = move(inputs.keypoints), inputs.confidence
    keypoints = torch.where(mirrored[:, None, None], keypoints[:, points_of], keypoints)
    confidence = torch.where(mirrored[:, None], confidence[:, points_of], confidence)
    whole = Inputs(
        smooth[:, :3], smooth[:, 3], parts, keypoints, confidence, inputs.focal, inputs.centre, crop
    )
    hidden = random(*confidence.shape) < how.hide
    seen = replace(whole, confidence=torch.where(hidden, torch.zeros_like(confidence), confidence))
    # somebody who would be left with too little is shown whole
    poor = (seen.confidence > 0).sum(1) < 4
    seen = replace(seen, confidence=torch.where(poor[:, None], confidence, seen.confidence))
    return seen, whole, move(pixels), torch.where(mirrored[:, None], parts_of[labels], labels)

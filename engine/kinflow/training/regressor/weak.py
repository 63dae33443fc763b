"""WS: photos without 3D. KA, BA and the prior, with gradients through translation and projection."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ...errors import InvalidInputError
from ...guess.figure import Figure
from ...guess.inputs import CROP, Inputs
from ..synthetic import People
from .augment import Augmentation, augment
from .examples import Style, Truth, make_inputs
from .losses import SupervisedWeights, alignment, overlap, predict, supervised_descent

NUM_PIXELS = 192


@dataclass(frozen=True)
class WeakConfig:
    """How photos without 3D refine a regressor."""

    steps: int = 400
    batch: int = 40
    lr: float = 2e-4
    part: float = 4.0
    """Weight of BA; 0 is KA alone."""
    keypoint: float = 20.0
    latent: float = 0.01
    """Weight of the prior, |z|^2."""
    betas: float = 0.3
    """Of the shape, |betas|^2 / 10. With less, clothes that stand off the body make every body larger."""
    supervised: float = 0.5
    """Share of each batch that are drawn people with labels, so that depth is not forgotten."""
    augmentation: Augmentation = field(default_factory=Augmentation)


@dataclass(frozen=True)
class Unlabelled:
    """Photos of N people: what the network sees, and sampled pixels (N, P, 2) px of their part maps with labels (N, P),
    0 where there is none."""

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
    pixels, labels = (
        np.zeros((len(inputs), NUM_PIXELS, 2), np.float32),
        np.zeros((len(inputs), NUM_PIXELS), np.int64),
    )
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


def refine(
    net: torch.nn.Module,
    unlabelled: Unlabelled,
    config: WeakConfig,
    figure: Figure,
    seed: int = 0,
    people: People | None = None,
    report: Callable[[str], None] | None = None,
) -> torch.nn.Module:
    """A copy of the network, refined on photos without 3D. people: drawn ones with labels to mix in.

    Loss: keypoint * KA + part * BA + latent * |z|^2 + betas * |betas|^2. Raises InvalidInputError without photos.
    """
    if not len(unlabelled):
        raise InvalidInputError(
            "There is no photo to learn from.",
            "Give photos with people whose keypoints are seen clearly.",
        )
    device = figure.body.device
    torch.manual_seed(seed)
    random, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    net = copy.deepcopy(net).requires_grad_(True).train()
    unlabelled = unlabelled.to(device)
    optimiser = torch.optim.AdamW(net.parameters(), lr=config.lr, weight_decay=1e-4)
    mixed = 0 if people is None else round(config.supervised * config.batch)
    order = np.zeros(0, np.int64)
    started, running = time.perf_counter(), 0.0
    for step in range(config.steps):
        optimiser.param_groups[0]["lr"] = (
            config.lr
            * min(1.0, (step + 1) / 50)
            * 0.5
            * (1 + math.cos(math.pi * step / config.steps))
        )
        while len(order) < config.batch - mixed:
            order = np.concatenate((order, random.permutation(len(unlabelled))))
        rows, order = order[: config.batch - mixed], order[config.batch - mixed :]
        batch = unlabelled.pick(torch.from_numpy(rows).to(device))
        seen, whole, pixels, labels = augment(
            batch.inputs, batch.pixels, batch.labels, config.augmentation, generator
        )
        got = predict(figure, net, seen, whole)
        loss = config.keypoint * alignment(got, whole).mean()
        loss = (
            loss
            + config.latent * got.z.square().sum(-1).mean()
            + config.betas * got.betas.square().mean()
        )
        if config.part:
            loss = (
                loss
                + config.part * config.keypoint * overlap(figure, got, whole, pixels, labels).mean()
            )
        if mixed and people is not None:
            labelled = people.pick(random.integers(0, len(people), mixed))
            inputs = make_inputs(labelled, Style(), random).to(device)
            truth = Truth(*(t.to(device) for t in vars(Truth.of(labelled)).values()))
            share = mixed / config.batch
            loss = (1 - share) * loss + share * supervised_descent(
                figure, net, truth, inputs, SupervisedWeights()
            )
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        running = 0.98 * running + 0.02 * float(loss.detach()) if step else float(loss.detach())
        if report is not None and step % 200 == 199:
            report(
                f"photos {step + 1}/{config.steps}  loss {running:.3f}  {time.perf_counter() - started:.0f} s"
            )
    return net.eval()

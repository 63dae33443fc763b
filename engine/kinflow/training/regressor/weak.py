"""WS: photos without 3D. KA, BA and the prior, with gradients through placing and projection."""

import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ...errors import InvalidInputError
from ...guessing.figure import Figure, Placed
from ...guessing.network import Regressor
from ...terminal import counted
from ..schedule import RunningMean, descend, warm_cosine
from ..synthetic import People
from .augment import Augmentation, augment
from .losses import alignment, overlap, predict
from .supervised import SupervisedConfig, Training, drawn_loss
from .unlabelled import Unlabelled

REPORT_EVERY = 200


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
    """Of the shape, |betas|^2 / 10. With less, loose clothes make every body larger."""
    supervised: float = 0.5
    """Share of each batch that are drawn people with labels, so that depth is not forgotten."""
    augmentation: Augmentation = field(default_factory=Augmentation)


def refine(
    net: Regressor,
    unlabelled: Unlabelled,
    config: WeakConfig,
    training: Training,
    people: People | None = None,
) -> Regressor:
    """A copy of the network, refined on photos without 3D. people: drawn ones to mix in.

    Loss: keypoint * (KA + part * BA) + latent * |z|^2 + betas * |betas|^2 / 10. Raises
    InvalidInputError without photos.
    """
    if not len(unlabelled):
        hint = "Give photos with people whose keypoints are seen clearly."
        raise InvalidInputError("There is no photo to learn from.", hint)
    figure, seed = training.figure, training.seed
    torch.manual_seed(seed)
    random, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    net = copy.deepcopy(net).requires_grad_(True).train()
    optimiser = torch.optim.AdamW(net.parameters(), lr=config.lr, weight_decay=1e-4)
    mixed = 0 if people is None else round(config.supervised * config.batch)
    share = mixed / config.batch
    batches = _batches(unlabelled.to(figure.body.device), config.batch - mixed, random)
    running, started = RunningMean(0.02), time.perf_counter()
    for step in counted(range(config.steps), "Training", "steps"):
        optimiser.param_groups[0]["lr"] = config.lr * warm_cosine(step, config.steps, 50)
        shown, photos = augment(next(batches), config.augmentation, generator)
        placed = predict(figure, net, shown, photos.inputs)
        loss = _photo_loss(figure, placed, photos, config)
        if mixed and people is not None:
            drawn = people.pick(random.integers(0, len(people), mixed))
            loss_drawn = drawn_loss(figure, net, drawn, SupervisedConfig(), random)
            loss = (1 - share) * loss + share * loss_drawn
        descend(net, optimiser, loss)
        running.add(loss)
        if step % REPORT_EVERY == REPORT_EVERY - 1:
            took = f"{time.perf_counter() - started:.0f} s"
            training.report(f"photos {step + 1}/{config.steps}  loss {running.value:.3f}  {took}")
    return net.eval()


def _photo_loss(figure: Figure, placed: Placed, photos: Unlabelled, config: WeakConfig) -> Tensor:
    """The loss of `refine` on photos. -> ()."""
    loss = config.latent * placed.z.square().sum(-1).mean()
    loss = loss + config.betas * placed.betas.square().mean()
    loss = loss + config.keypoint * alignment(placed, photos.inputs).mean()
    if config.part:
        loss = loss + config.part * config.keypoint * overlap(figure, placed, photos).mean()
    return loss


def _batches(
    unlabelled: Unlabelled, size: int, random: np.random.Generator
) -> Iterator[Unlabelled]:
    """Batches without end, everybody as often as everybody else."""
    order = np.zeros(0, np.int64)
    while True:
        while len(order) < size:
            order = np.concatenate((order, random.permutation(len(unlabelled))))
        rows, order = order[:size], order[size:]
        yield unlabelled.pick(torch.from_numpy(rows).to(unlabelled.pixels.device))

"""FS: full supervision without end, from people that are drawn."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.random import Generator
from torch import nn

from ...bodies.files import load_body
from ...errors import InvalidInputError
from ...guessing.figure import Figure
from ...guessing.network import BACKBONES, NETWORK_PRIOR, STEPS, Regressor
from ...priors.prior import load_prior
from ...terminal import counted
from ..schedule import RunningMean, descend, warm_cosine
from ..synthetic import People, Report
from .evaluate import Score, score
from .examples import Style, Truth, make_inputs
from .losses import SupervisedWeights, supervised_descent

REPORT_EVERY = 1000
OVERLAPS = 100


def silent(text: str) -> None:
    """A report that nobody reads."""


@dataclass(frozen=True)
class Training:
    """What both stages share: body and prior, the seed, and who is told how it goes."""

    figure: Figure
    seed: int = 0
    report: Report = silent

    @staticmethod
    def on(device: torch.device, seed: int = 0, report: Report = silent) -> Training:
        """With the default body and the prior that the regressor answers in."""
        figure = Figure(load_body().to(device), load_prior(NETWORK_PRIOR).to(device))
        return Training(figure, seed, report)


@dataclass(frozen=True)
class SupervisedConfig:
    """How drawn people teach a regressor. descent: learned steps after its first answer."""

    steps: int = 2400
    batch: int = 48
    lr: float = 1e-3
    backbone: str = "small"
    descent: int = STEPS
    style: Style = field(default_factory=Style)
    weights: SupervisedWeights = field(default_factory=SupervisedWeights)


def train_supervised(
    people: People, config: SupervisedConfig, training: Training, validation: People | None = None
) -> tuple[Regressor, list[list[str]]]:
    """Trains a regressor on drawn people.

    -> the network, rows of its curve (step, loss, validation px, mIoU, MPJPE mm). Raises
    InvalidInputError for an unknown backbone.
    """
    if config.backbone not in BACKBONES:
        hint = f"Use one of {', '.join(BACKBONES)}."
        raise InvalidInputError(f"Unknown backbone '{config.backbone}'.", hint)
    torch.manual_seed(training.seed)
    random = np.random.default_rng(training.seed)
    net = Regressor(config.backbone, config.descent).to(training.figure.body.device)
    optimiser = torch.optim.AdamW(net.parameters(), lr=config.lr, weight_decay=1e-4)
    rows: list[list[str]] = []
    running, started = RunningMean(0.01), time.perf_counter()
    for step in counted(range(config.steps), "Training", "steps"):
        optimiser.param_groups[0]["lr"] = config.lr * warm_cosine(step, config.steps, 200)
        chosen = people.pick(random.integers(0, len(people), config.batch))
        loss = drawn_loss(training.figure, net, chosen, config, random)
        descend(net, optimiser, loss)
        running.add(loss)
        if step % REPORT_EVERY == REPORT_EVERY - 1 or step == config.steps - 1:
            result = Score(*[float("nan")] * 3)
            if validation is not None:
                result = score(training.figure, net, validation, config.style, overlaps=OVERLAPS)
            errors = (f"{result.pixels:.2f}", f"{result.part_iou:.4f}", f"{result.mpjpe:.1f}")
            rows.append([str(step + 1), f"{running.value:.4f}", *errors])
            training.report(
                f"{step + 1}/{config.steps}  loss {running.value:.3f}  2D {errors[0]} px  "
                f"mIoU {errors[1]}  MPJPE {errors[2]} mm  {time.perf_counter() - started:.0f} s"
            )
    return net.eval(), rows


def drawn_loss(
    figure: Figure, net: nn.Module, people: People, config: SupervisedConfig, random: Generator
) -> torch.Tensor:
    """Loss FS of drawn people, corrupted anew. -> ()."""
    inputs = make_inputs(people, config.style, random).to(figure.body.device)
    truth = Truth.of(people, figure.body.device)
    return supervised_descent(figure, net, truth, inputs, config.weights)

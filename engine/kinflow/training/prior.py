"""Training a prior by our recipe or the paper's; deterministic by seed."""

import csv
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TextIO

import numpy as np
import torch

from ..core.arrays import numpy_backend, numpy_namespace
from ..core.representations import dimension
from ..errors import InvalidInputError
from ..mocap.dataset import Recording, load_recordings
from ..priors.storage import PriorHeader, flow_of, save_prior
from ..terminal import counted
from .data import TrainingData, clip_interval, prepare_data
from .density import DensityFlow
from .finish import Companions, centred, extras
from .schedule import warm_cosine
from .settle import VOLUME_EVERY, VOLUME_WEIGHT, sample_loss, volume_loss

LIFT = 0.04  # thickness of the lifted data
CHUNK, LOOK_EVERY = 50, 500
MIXED = (0.5, 0.15)  # shares of a batch that are recombined: for the likelihood, then for samples
SOURCE = "CMU Graphics Lab Motion Capture Database (mocap.cs.cmu.edu; NSF EIA-0196217)"
Report = Callable[[str], None]
Logs = tuple[Report, TextIO]
Architecture = Literal["light", "realnvp"]
Representation = Literal["6d", "axis_angle", "matrix"]
RecipeName = Literal["rounded", "coupling", "paper"]


@dataclass(frozen=True)
class Recipe:
    """batch, Adam's lr, total steps, how lr falls, and by how much kinks are rounded."""

    batch: int
    lr: float
    steps: int
    schedule: Literal["exponential", "cosine"]
    eps: float
    settle: int = 0
    """Further steps that look at samples too (kinflow.training.settle), from half the rate."""
    even: bool = False
    """Whether the volume is kept even near the middle."""

    def lr_at(self, step: int) -> float:
        """Adam's step size."""
        if step >= self.steps:
            return 0.5 * self.lr * warm_cosine(step - self.steps, self.settle, 100)
        if self.schedule == "exponential":
            return self.lr * float(0.99 ** (step // 10_000))
        return self.lr * warm_cosine(step, self.steps, 300)


RECIPES = {
    "rounded": Recipe(256, 1e-3, 40_000, "cosine", 1.0, 8000, even=True),
    # four times as many parameters learn the training performers by heart when trained longer
    "coupling": Recipe(256, 1e-3, 12_500, "cosine", 1.0, 2500, even=True),
    # Zanfir et al. 2020, supplement: batch 64, Adam 1e-4, decay 0.99 every 10,000 steps, 200,000
    # steps; PReLU
    "paper": Recipe(64, 1e-4, 200_000, "exponential", 0.0),
}
SHIPPED: dict[str, tuple[Architecture, Representation, RecipeName]] = {
    "realnvp": ("realnvp", "6d", "coupling"),
    "light": ("light", "6d", "rounded"),
    "light-aa": ("light", "axis_angle", "rounded"),
    "light-rotmat": ("light", "matrix", "rounded"),
    "light-paper": ("light", "6d", "paper"),
}


@dataclass(frozen=True)
class TrainPrior:
    """Train a pose prior on a folder of clips."""

    mocap: Path
    """Folder with clips.csv and the clips that it lists."""
    out: Path
    """Where checkpoint and curve go (without suffix); with --all a folder."""
    all: bool = False
    """Every shipped prior but light-paper, as prior-NAME."""
    architecture: Architecture = "light"
    representation: Representation = "6d"
    recipe: RecipeName | None = None
    """By default rounded for light and coupling for realnvp; paper is the publication's own."""
    without: str = ""
    """A kind of motion (clips.csv) that is left out."""
    steps: int | None = None
    """Fewer steps than the recipe's, for trying things."""
    seed: int = 0
    json: bool = False
    """Print one machine-readable line at the end."""

    def recipe_name(self) -> RecipeName:
        """The recipe, by default the architecture's own."""
        return self.recipe or ("coupling" if self.architecture == "realnvp" else "rounded")

    def chosen_recipe(self) -> Recipe:
        """The recipe with its steps."""
        recipe = RECIPES[self.recipe_name()]
        steps = self.steps or recipe.steps
        return replace(recipe, steps=steps, settle=recipe.settle * steps // recipe.steps)


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)


def train_prior(config: TrainPrior, report: Report = _to_stderr) -> list[Path]:
    """Trains one prior, or with `all` every shipped one, side by side, each on one thread; these
    report to stderr. Returns the checkpoints' paths.

    Raises AssetError for unusable clips, InvalidInputError for a coupling flow of an odd dimension.
    """
    if config.all:
        # a thread each: flows of this size gain nothing from more
        start = (multiprocessing.get_context("spawn"), torch.set_num_threads, (1,))
        with ProcessPoolExecutor(os.cpu_count(), *start) as pool:
            return [path for paths in pool.map(train_prior, _shipped(config)) for path in paths]
    if config.architecture == "realnvp" and dimension(config.representation) % 2:
        raise InvalidInputError("realnvp needs an even dimension.", "Use --representation 6d.")
    recordings = load_recordings(config.mocap)
    companions = Companions.of(recordings, config.seed, config.without)
    return [_train(config, recordings, companions, report)]


def _shipped(config: TrainPrior) -> list[TrainPrior]:
    """What `all` trains."""
    one = replace(config, all=False)
    return [
        replace(one, out=config.out / f"prior-{name}", architecture=a, representation=r, recipe=by)
        for name, (a, r, by) in SHIPPED.items()
        if by != "paper"
    ]


def _train(
    config: TrainPrior, recordings: Sequence[Recording], companions: Companions, report: Report
) -> Path:
    started = time.perf_counter()
    data = prepare_data(recordings, config.representation, LIFT, config.seed, config.without)
    recipe = config.chosen_recipe()
    architecture, representation = config.architecture, config.representation
    header = PriorHeader(architecture, representation, LIFT, SOURCE, eps=recipe.eps)
    config.out.parent.mkdir(parents=True, exist_ok=True)
    with config.out.with_suffix(".csv").open("w", newline="") as curve:
        tensors = minimise(data, recipe, header, config.seed, (report, curve))
    if recipe.eps:  # the publication's own recipe is kept to the letter
        tensors = centred(tensors, header)
    seconds = time.perf_counter() - started
    recipe_text = (
        f"{config.recipe_name()}, seed {config.seed}, {recipe.steps} + {recipe.settle} steps"
    )
    header = replace(header, recipe=recipe_text, notes=_measures(tensors, header, data, report))
    path = config.out.with_suffix(".safetensors")
    save_prior(path, tensors, header, extras(tensors, header, companions))
    report(f"{path}: {seconds:.0f} s")
    return path


def minimise(
    data: TrainingData, recipe: Recipe, header: PriorHeader, seed: int, logs: Logs
) -> dict[str, np.ndarray]:
    """Adam on the mean negative log-density, at the end on samples too. -> the flow's arrays."""
    torch.manual_seed(seed)
    net = DensityFlow(header, data.mean, data.covariance)
    optimiser = torch.optim.Adam(net.parameters(), lr=recipe.lr, fused=True)
    random, look = np.random.default_rng(seed), _Look(net, data, logs)
    last = recipe.steps + recipe.settle
    for step in counted(range(last), "Training", "steps"):
        settling = step >= recipe.steps
        if step % CHUNK == 0:
            shape = (CHUNK, recipe.batch)
            drawn = torch.from_numpy(data.pool.draw(shape, LIFT, random, MIXED[settling]))
        x = drawn[step % CHUNK]
        optimiser.param_groups[0]["lr"] = recipe.lr_at(step)
        loss = -net.log_prob(x).mean()
        look.add(-loss.item())
        if recipe.even and step % VOLUME_EVERY == 0:
            loss = loss + VOLUME_EVERY * VOLUME_WEIGHT * volume_loss(net)
        if settling and step % 2:
            # every other step, twice as much
            samples = net.sample(torch.randn_like(x))
            loss = loss + 2 * sample_loss(samples, x, header.representation)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        net.restrain()
        if (step + 1) % LOOK_EVERY == 0 or step + 1 == last:
            look.write(step + 1, last)
    return net.tensors()


class _Look:
    """The curve of a training: log-densities of batches and of the validation performers."""

    def __init__(self, net: DensityFlow, data: TrainingData, logs: Logs) -> None:
        self.net, self.validation = net, torch.from_numpy(data.validation)
        self.report, stream = logs
        self.rows, self.started = csv.writer(stream), time.perf_counter()
        self.rows.writerow(["step", "train_log_prob", "validation_log_prob", "seconds"])
        self.values: list[float] = []

    def add(self, value: float) -> None:
        """A batch's mean log-density, nats."""
        self.values.append(value)

    @torch.no_grad()
    def write(self, step: int, last: int) -> None:
        """A row of the means since the last."""
        value, seconds = self.net.log_prob(self.validation).mean().item(), self._seconds()
        row = [step, f"{np.mean(self.values):.3f}", f"{value:.3f}", f"{seconds:.1f}"]
        self.rows.writerow(row)
        self.report(f"{step:>7}/{last}  validation {value:8.3f}  {seconds:5.0f} s")
        self.values.clear()

    def _seconds(self) -> float:
        return time.perf_counter() - self.started


def _measures(
    tensors: dict[str, np.ndarray], header: PriorHeader, data: TrainingData, report: Report
) -> dict[str, float]:
    """Log-density of the test performers, against one Gaussian's, with intervals."""
    flow = numpy_backend(np.float64).record(flow_of(tensors, header)).with_inverses(numpy_namespace)
    value = flow.log_density(numpy_namespace, data.test.astype(np.float64))
    gaussian = data.gaussian_log_prob(data.test)
    notes: dict[str, float] = {}
    for name, array in {"test_log_prob": value, "test_gain": value - gaussian}.items():
        poses = data.test_poses
        mean, low, high = clip_interval(array, poses.clip, poses.performer)
        report(f"{name:>14}: {mean:8.2f} nats [{low:.2f}, {high:.2f}]")
        notes |= {f"{name}_mean": mean, f"{name}_low": low, f"{name}_high": high}
    return notes

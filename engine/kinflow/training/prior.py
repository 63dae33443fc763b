"""Training a prior by the paper's recipe or a named other one; resumable, deterministic by seed."""

import csv
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import array_api_compat.torch as xp
import numpy as np
import torch
from torch import Tensor

from ..core.representations import dimension
from ..devices import pick_device
from ..errors import InvalidInputError
from ..priors.storage import PriorHeader, flow_of, read_prior_file, save_prior
from ..tensorfile import read_tensors, write_tensors
from .data import TrainingData, clip_interval, prepare_data
from .gradient import DensityNet
from .initialise import whitening_start
from .limits import Settling, settle
from .projection_pursuit import pursuit_start
from .steps import CHUNK, Chunk, Recipe

START_SLOPE = 0.8  # at exactly 1 a PReLU has no gradient that could bend it
PURSUIT_SAMPLE = 40_000
SOURCE = "CMU Graphics Lab Motion Capture Database (mocap.cs.cmu.edu; NSF EIA-0196217)"
Report = Callable[[str], None]

RECIPES = {
    # Zanfir et al. 2020, supplement: batch 64, Adam 1e-4, decay 0.99 every 10,000 steps, 200,000
    # steps
    "paper": Recipe(64, 1e-4, 200_000, "exponential"),
    # ours, from the pursuit start: keeps what the start found and refines it
    "refine": Recipe(256, 2e-4, 30_000, "cosine", 50.0),
    # ours: larger batches, a tenfold rate that falls to zero; as good after a fifth of the time
    "cosine": Recipe(256, 1e-3, 30_000, "cosine", 50.0),
}


@dataclass(frozen=True)
class TrainPrior:
    """Train a pose prior on a folder of CMU clips."""

    mocap: Path
    """Folder with cmu/ and, if there is one, cmu_upper/."""
    out: Path
    """Where checkpoint, CSV and plot go (without suffix)."""
    architecture: Literal["light", "realnvp"] = "light"
    representation: Literal["6d", "axis_angle", "matrix"] = "6d"
    recipe: Literal["paper", "refine", "cosine"] = "paper"
    sigma: float = 0.04
    """Thickness that lifts the data off their manifold."""
    start: Literal["whitening", "pursuit"] = "whitening"
    steps: int | None = None
    """Fewer steps than the recipe's, for trying things."""
    settle_steps: int = 3000
    """Last steps of `light` that keep its samples inside the joints' ranges
    (kinflow.training.limits); 0 for none."""
    limit_weight: float = 30.0
    seed: int = 0
    device: str = "auto"
    """auto, cpu or cuda."""
    json: bool = False
    """Print one machine-readable line at the end."""

    def chosen_recipe(self) -> Recipe:
        """The recipe with its steps."""
        recipe = RECIPES[self.recipe]
        return replace(recipe, steps=self.steps or recipe.steps)

    def header(self, step: int) -> PriorHeader:
        """What the checkpoint of a step says of itself."""
        recipe = f"{self.recipe}, start {self.start}, seed {self.seed}"
        recipe += f", best on validation at step {step}"
        return PriorHeader(self.architecture, self.representation, self.sigma, SOURCE, recipe)


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)


def train_prior(config: TrainPrior, report: Report = _to_stderr) -> Path:
    """Trains, keeps the state on disk every few thousand steps, keeps the best on validation.

    Returns the checkpoint's path. Run again with the same config it goes on where it stopped.
    Raises InvalidInputError for a coupling flow of an odd dimension.
    """
    dim = dimension(config.representation)
    if config.architecture == "realnvp" and dim % 2:
        raise InvalidInputError("realnvp needs an even dimension.", "Use --representation 6d.")
    data = prepare_data(config.mocap, config.representation, config.sigma, config.seed)
    net = DensityNet(config.architecture, dim, pick_device(config.device))
    _start(net, config, data)
    chunk = Chunk(net, data.pool, config.sigma, config.chosen_recipe())
    _Run(config, data, chunk, report).to_the_end()
    return _finish(config, data, report)


def _start(net: DensityNet, config: TrainPrior, data: TrainingData) -> None:
    generator = torch.Generator().manual_seed(config.seed)
    if config.start == "pursuit":
        sample = data.pool.draw(PURSUIT_SAMPLE, config.sigma, generator)
        pursuit_start(net, sample, generator)
    else:
        whitening_start(net, data.mean.float(), data.covariance.float(), START_SLOPE, generator)


class _Run:
    """Chunks of steps, between which the best is kept and the state written."""

    def __init__(
        self, config: TrainPrior, data: TrainingData, chunk: Chunk, report: Report
    ) -> None:
        self.config, self.data, self.chunk, self.report = config, data, chunk, report
        self.state_path = config.out.with_suffix(".state")
        self.csv_path = config.out.with_suffix(".csv")
        config.out.parent.mkdir(parents=True, exist_ok=True)
        self.step, self.best = _resume(self.state_path, chunk)
        if self.step == 0:
            self.csv_path.write_text("step,train_nll,validation_log_prob,lr,steps_per_second\n")

    def to_the_end(self) -> None:
        total = self.chunk.recipe.steps
        interval = max(CHUNK, total // 100 // CHUNK * CHUNK)
        started, first, losses = time.perf_counter(), self.step, []
        while self.step < total:
            # seeded by step, so that an interrupted run goes on as the uninterrupted one would
            seed = self.config.seed * 1_000_003 + self.step
            losses.append(self.chunk.run(self.step, min(CHUNK, total - self.step), seed))
            self.step = min(self.step + CHUNK, total)
            if self.step % interval == 0 or self.step == total:
                rate = (self.step - first) / (time.perf_counter() - started)
                self._keep(float(torch.cat(losses).mean()), rate)
                losses.clear()

    def _keep(self, loss: float, rate: float) -> None:
        """Measures on validation, keeps the best, writes the state."""
        step, total = self.step, self.chunk.recipe.steps
        tensors, header = self.chunk.net.tensors(), self.config.header(step)
        flow = flow_of(tensors, header)
        value = float(flow.log_density(xp, self.data.validation).mean())
        lr = self.chunk.recipe.lr_at(step)
        with self.csv_path.open("a", newline="") as stream:
            row = [step, f"{loss:.4f}", f"{value:.4f}", f"{lr:.3e}", f"{rate:.1f}"]
            csv.writer(stream).writerow(row)
        if value > self.best:
            self.best = value
            save_prior(_best_path(self.config), _arrays(tensors), header)
        _save_state(self.state_path, step, self.best, self.chunk)
        left = (total - step) / rate / 60
        self.report(
            f"{step:>7}/{total}  validation {value:8.3f} (best {self.best:.3f})  "
            f"{rate:5.0f} steps/s  {left:4.1f} min left"
        )


def _best_path(config: TrainPrior) -> Path:
    return config.out.with_suffix(".best")


def _arrays(tensors: dict[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def _finish(config: TrainPrior, data: TrainingData, report: Report) -> Path:
    """Settles the best, measures it on the test clips, writes it with its numbers."""
    arrays, _, header = read_prior_file(_best_path(config))
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    if config.architecture == "light" and config.settle_steps:
        plan = Settling(config.settle_steps, config.limit_weight, config.seed)
        tensors = settle(tensors, header, data.pool, plan, report)
        recipe = f"{header.recipe}, then {config.settle_steps} steps with joint limits"
        header = replace(header, recipe=recipe)
    precise = flow_of({n: t.double() for n, t in tensors.items()}, header)
    value = precise.log_density(xp, data.test.double()).numpy()
    gaussian = data.gaussian_log_prob(data.test).numpy()
    measures = {"test_log_prob": value, "test_gaussian": gaussian, "test_gain": value - gaussian}
    notes: dict[str, float] = {}
    for name, array in measures.items():
        mean, low, high = clip_interval(array, data.test_clip)
        report(f"{name:>14}: {mean:8.2f} nats [{low:.2f}, {high:.2f}]")
        notes |= {f"{name}_mean": mean, f"{name}_low": low, f"{name}_high": high}
    path = config.out.with_suffix(".safetensors")
    save_prior(path, _arrays(tensors), replace(header, notes=notes))
    return path


def _save_state(path: Path, step: int, best: float, chunk: Chunk) -> None:
    state = chunk.optimiser.state[chunk.parameter]
    arrays = {
        "flat": chunk.net.flat.cpu().numpy(),
        "exp_avg": state["exp_avg"].cpu().numpy(),
        "exp_avg_sq": state["exp_avg_sq"].cpu().numpy(),
    }
    write_tensors(path, arrays, {"step": str(step), "best": repr(best)})


def _resume(path: Path, chunk: Chunk) -> tuple[int, float]:
    """Takes a written state up. -> the step and the best on validation until then."""
    if not path.exists():
        return 0, -math.inf
    arrays, metadata = read_tensors(path)
    flat, average, squares = (
        torch.from_numpy(arrays[name].copy()) for name in ("flat", "exp_avg", "exp_avg_sq")
    )
    device = chunk.net.flat.device
    chunk.net.flat.copy_(flat)
    step = int(metadata["step"])
    chunk.optimiser.state[chunk.parameter] = {
        "step": torch.tensor(float(step), device=device),
        "exp_avg": average.to(device),
        "exp_avg_sq": squares.to(device),
    }
    return step, float(metadata["best"])

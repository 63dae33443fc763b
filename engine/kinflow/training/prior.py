"""Training a prior by the paper's recipe or a named other one; resumable, deterministic by seed."""

from __future__ import annotations

import csv
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ..devices import pick_device
from ..errors import InvalidInputError
from ..mocap.augment import hand_noise
from ..mocap.dataset import PosePool, load_clips, real_poses, training_pool
from ..priors.architectures import Flow
from ..priors.representations import REPRESENTATIONS, Representation, lift
from ..priors.storage import PriorHeader, save_prior
from ..tensorfile import read_tensors, write_tensors
from .gradient import DensityNet
from .initialise import whitening_start
from .limits import settle
from .projection_pursuit import pursuit_start

CHUNK = 500
START_SLOPE = 0.8  # at exactly 1 a PReLU has no gradient that could bend it


@dataclass(frozen=True)
class Recipe:
    """batch, Adam's lr, total steps, and how lr falls."""

    batch: int
    lr: float
    steps: int
    schedule: Literal["exponential", "cosine"]
    clip_norm: float | None = None

    def lr_at(self, step: int) -> float:
        if self.schedule == "exponential":
            return self.lr * 0.99 ** (step // 10_000)
        warmup = min(1.0, (step + 1) / 300)
        return self.lr * warmup * 0.5 * (1 + math.cos(math.pi * step / self.steps))


RECIPES = {
    # Zanfir et al. 2020, supplement: batch 64, Adam 1e-4, decay 0.99 every 10,000 steps, 200,000 steps
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
    """Last steps of `light` that keep its samples inside the joints' ranges (kinflow.training.limits); 0 for none."""
    limit_weight: float = 30.0
    seed: int = 0
    device: str = "auto"
    """auto, cpu or cuda."""
    json: bool = False
    """Print one machine-readable line at the end."""


@dataclass(frozen=True)
class TrainingData:
    """Vectors in one representation: pool (N, D) with weights (N,), lifted held-out sets."""

    pool: Tensor
    weights: Tensor
    validation: Tensor
    test: Tensor
    test_clip: np.ndarray
    mean: Tensor
    covariance: Tensor


def prepare_data(config: TrainPrior, representation: Representation) -> TrainingData:
    """Reads the clips and turns them into the flow's own space."""
    clips = load_clips(config.mocap / "cmu")
    upper = config.mocap / "cmu_upper"
    pool: PosePool = training_pool(clips, load_clips(upper) if upper.is_dir() else [], config.seed)
    generator = torch.Generator().manual_seed(config.seed + 1)
    numpy_generator = np.random.default_rng(config.seed + 1)

    def vectors(poses: np.ndarray) -> Tensor:
        return representation.to_vector(torch.from_numpy(poses.astype(np.float32)))

    held_out = {}
    for split in ("validation", "test"):
        real = real_poses(clips, split)
        held_out[split] = lift(
            vectors(hand_noise(real.poses, numpy_generator)), config.sigma, generator
        )
        clip_of_test = real.clip
    x, weights = vectors(pool.poses), torch.from_numpy(pool.weights)
    mean = (weights[:, None] * x.double()).sum(0)
    centred = x.double() - mean
    covariance = (centred * weights[:, None]).T @ centred
    covariance += config.sigma**2 * torch.eye(representation.dim, dtype=torch.float64)
    return TrainingData(
        x, weights, held_out["validation"], held_out["test"], clip_of_test, mean, covariance
    )


def gaussian_log_prob(data: TrainingData, x: Tensor) -> Tensor:
    """Log-density of one full-covariance Gaussian of the lifted training data. x (B, D) -> (B,)."""
    normal = torch.distributions.MultivariateNormal(data.mean, data.covariance)
    return normal.log_prob(x.double())


def clip_interval(
    values: np.ndarray, clip: np.ndarray, seed: int = 0, rounds: int = 2000
) -> tuple[float, float, float]:
    """Mean over frames with a 95% bootstrap interval over clips, not frames."""
    names = np.unique(clip)
    sums = np.array([values[clip == n].sum() for n in names])
    counts = np.array([(clip == n).sum() for n in names])
    picks = np.random.default_rng(seed).integers(0, len(names), (rounds, len(names)))
    means = sums[picks].sum(1) / counts[picks].sum(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(values.mean()), float(low), float(high)


def train_prior(
    config: TrainPrior, report: Callable[[str], None] = lambda line: print(line, file=sys.stderr)
) -> Path:
    """Trains, keeps the state on disk every few thousand steps, writes the best checkpoint on validation.

    Returns the checkpoint's path. Run again with the same config it goes on where it stopped.
    """
    representation = REPRESENTATIONS[config.representation]
    if config.architecture == "realnvp" and representation.dim % 2:
        raise InvalidInputError("realnvp needs an even dimension.", "Use --representation 6d.")
    recipe = RECIPES[config.recipe]
    total = config.steps or recipe.steps
    recipe = Recipe(recipe.batch, recipe.lr, total, recipe.schedule, recipe.clip_norm)
    device = pick_device(config.device)
    data = prepare_data(config, representation)
    generator = torch.Generator().manual_seed(config.seed)
    net = DensityNet(config.architecture, representation.dim, device)
    if config.start == "pursuit":
        sample = lift(
            data.pool[torch.multinomial(data.weights, 40_000, True, generator=generator)],
            config.sigma,
            generator,
        )
        pursuit_start(net, sample, generator)
    else:
        whitening_start(net, data.mean.float(), data.covariance.float(), START_SLOPE, generator)
    parameter = torch.nn.Parameter(net.flat)
    parameter.grad = net.grad
    rate = torch.tensor(recipe.lr, device=device) if device.type == "cuda" else recipe.lr
    optimiser = torch.optim.Adam([parameter], lr=rate, fused=True, capturable=device.type == "cuda")
    state_path, csv_path = config.out.with_suffix(".state"), config.out.with_suffix(".csv")
    config.out.parent.mkdir(parents=True, exist_ok=True)
    step, best = _resume(state_path, net, optimiser, parameter)
    if step == 0:
        csv_path.write_text("step,train_nll,validation_log_prob,lr,steps_per_second\n")
    pool, weights = data.pool.to(device), data.weights.to(device)
    best_flow = config.out.with_suffix(".best")
    interval = max(CHUNK, total // 100 // CHUNK * CHUNK)
    started, done, running = time.perf_counter(), 0, []
    chunk = Chunk(net, optimiser, parameter, pool, config.sigma, recipe)
    while step < total:
        # seeded by step, so that an interrupted run goes on as the uninterrupted one would
        running.append(
            chunk.run(weights, step, min(CHUNK, total - step), config.seed * 1_000_003 + step)
        )
        step, done = min(step + CHUNK, total), done + CHUNK
        if step % interval and step < total:
            continue
        flow = net.to_flow()
        value = flow.log_prob(data.validation).mean().item()
        rate = done / (time.perf_counter() - started)
        loss = float(torch.cat(running).mean())
        running.clear()
        with csv_path.open("a", newline="") as stream:
            csv.writer(stream).writerow(
                [step, f"{loss:.4f}", f"{value:.4f}", f"{recipe.lr_at(step):.3e}", f"{rate:.1f}"]
            )
        if value > best:
            best = value
            _save(best_flow, flow, config, step, {})
        _save_state(state_path, step, best, net, optimiser, parameter)
        report(
            f"{step:>7}/{total}  validation {value:8.3f} (best {best:.3f})  {rate:5.0f} steps/s  {(total - step) / rate / 60:4.1f} min left"
        )
    return _finish(config, data, best_flow, report)


class Chunk:
    """CHUNK training steps with all their data drawn before: a step then touches tensors on the device alone.

    On a GPU one step is captured as a CUDA graph and replayed; elsewhere the same step is called.
    """

    def __init__(
        self,
        net: DensityNet,
        optimiser: torch.optim.Optimizer,
        parameter: torch.nn.Parameter,
        pool: Tensor,
        sigma: float,
        recipe: Recipe,
    ) -> None:
        self.net, self.optimiser, self.parameter, self.pool, self.sigma, self.recipe = (
            net,
            optimiser,
            parameter,
            pool,
            sigma,
            recipe,
        )
        device = pool.device
        self.rows = torch.zeros(CHUNK, recipe.batch, dtype=torch.long, device=device)
        self.noise = torch.zeros(CHUNK, recipe.batch, pool.shape[1], device=device)
        self.rates = torch.zeros(CHUNK, device=device)
        self.losses = torch.zeros(CHUNK, device=device)
        self.index = torch.zeros(1, dtype=torch.long, device=device)
        self.graph: torch.cuda.CUDAGraph | None = None

    def run(self, weights: Tensor, step: int, count: int, seed: int) -> Tensor:
        """Runs `count` steps and returns their losses (count,)."""
        generator = torch.Generator(self.pool.device).manual_seed(seed)
        self.rows.copy_(
            torch.multinomial(weights, self.rows.numel(), True, generator=generator).view_as(
                self.rows
            )
        )
        self.noise.normal_(generator=generator)
        self.rates.copy_(torch.tensor([self.recipe.lr_at(step + k) for k in range(CHUNK)]))
        if self.pool.is_cuda:
            self._run_captured(count)
        else:
            for k in range(count):
                self.optimiser.param_groups[0]["lr"] = self.recipe.lr_at(step + k)
                self.losses[k] = self._step(
                    self.pool[self.rows[k]] + self.sigma * self.noise[k], newton=False
                )
        return self.losses[:count].clone()

    def _step(self, x: Tensor, newton: bool) -> Tensor:
        loss = self.net.loss_and_grad(x, newton)
        if self.recipe.clip_norm:
            norm = self.net.grad.norm()
            self.net.grad.mul_((self.recipe.clip_norm / (norm + 1e-6)).clamp(max=1.0))
        self.optimiser.step()
        return loss

    def _captured_step(self) -> None:
        self.optimiser.param_groups[0]["lr"].copy_(self.rates.index_select(0, self.index)[0])
        x = (
            self.pool.index_select(0, self.rows.index_select(0, self.index)[0])
            + self.sigma * self.noise.index_select(0, self.index)[0]
        )
        self.losses.index_copy_(0, self.index, self._step(x, newton=True)[None])
        self.index.add_(1)

    def _run_captured(self, count: int) -> None:
        # exact inverse at the start of every chunk, followed by products from there; log|det V| is added to the losses
        self.net.renew_inverse()
        self.index.zero_()
        before = count
        if self.graph is None:
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(min(3, count)):  # warm-up steps are real steps
                    self._captured_step()
            torch.cuda.current_stream().wait_stream(stream)
            count -= min(3, count)
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self._captured_step()
        for _ in range(count):
            self.graph.replay()
        self.losses[:before] -= torch.linalg.slogdet(self.net.p["V"])[1].sum()


def _save(path: Path, flow: Flow, config: TrainPrior, step: int, notes: dict[str, float]) -> None:
    header = PriorHeader(
        config.architecture,
        config.representation,
        config.sigma,
        "CMU Graphics Lab Motion Capture Database (mocap.cs.cmu.edu; NSF EIA-0196217)",
        f"{config.recipe}, start {config.start}, seed {config.seed}, best on validation at step {step}",
        notes=notes,
    )
    save_prior(path, flow, header)


def _finish(
    config: TrainPrior, data: TrainingData, best_flow: Path, report: Callable[[str], None]
) -> Path:
    from ..priors.storage import load_flow

    flow, header, _ = load_flow(best_flow)
    if config.architecture == "light" and config.settle_steps:
        representation = REPRESENTATIONS[config.representation]
        flow = settle(
            flow,
            representation,
            data.pool,
            data.weights,
            config.sigma,
            config.settle_steps,
            config.limit_weight,
            config.seed,
            report,
        )
        header = replace(
            header, recipe=f"{header.recipe}, then {config.settle_steps} steps with joint limits"
        )
    value = flow.double().log_prob(data.test.double()).detach().numpy()
    gauss = gaussian_log_prob(data, data.test).numpy()
    notes = {"test_gain_mean": 0.0}
    for name, array in (
        ("test_log_prob", value),
        ("test_gaussian", gauss),
        ("test_gain", value - gauss),
    ):
        mean, low, high = clip_interval(array, data.test_clip)
        report(f"{name:>14}: {mean:8.2f} nats [{low:.2f}, {high:.2f}]")
        notes |= {f"{name}_mean": mean, f"{name}_low": low, f"{name}_high": high}
    path = config.out.with_suffix(".safetensors")
    save_prior(path, flow.float(), replace(header, notes=notes))
    return path


def _save_state(
    path: Path,
    step: int,
    best: float,
    net: DensityNet,
    optimiser: torch.optim.Adam,
    parameter: torch.nn.Parameter,
) -> None:
    state = optimiser.state[parameter]
    arrays = {
        "flat": net.flat.cpu().numpy(),
        "exp_avg": state["exp_avg"].cpu().numpy(),
        "exp_avg_sq": state["exp_avg_sq"].cpu().numpy(),
    }
    write_tensors(path, arrays, {"step": str(step), "best": repr(best)})


def _resume(
    path: Path, net: DensityNet, optimiser: torch.optim.Adam, parameter: torch.nn.Parameter
) -> tuple[int, float]:
    if not path.exists():
        return 0, -math.inf
    arrays, metadata = read_tensors(path)
    net.flat.copy_(torch.from_numpy(arrays["flat"].copy()))
    step = int(metadata["step"])
    optimiser.state[parameter] = {
        "step": torch.tensor(float(step), device=net.flat.device),
        "exp_avg": torch.from_numpy(arrays["exp_avg"].copy()).to(net.flat.device),
        "exp_avg_sq": torch.from_numpy(arrays["exp_avg_sq"].copy()).to(net.flat.device),
    }
    return step, float(metadata["best"])

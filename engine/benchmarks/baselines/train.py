"""python -m benchmarks.baselines.train MOCAP_FOLDER: trains the baselines on the priors' poses.

Same poses, mirroring and balance as the flows'. The Gaussians get the flows' noise
(sigma 0.04) too; the VPoser sees clean poses, as published. Writes ../data/baselines.safetensors
and ../curves/vposer.csv.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import array_api_compat.torch as xp
import numpy as np
import torch
from torch import Tensor

from kinflow.bodies.files import load_body
from kinflow.bodies.model import Body
from kinflow.core.arrays import numpy_namespace
from kinflow.core.body import pose_skeleton
from kinflow.core.representations import to_matrix, to_vector
from kinflow.core.rotations import geodesic_angle
from kinflow.mocap.dataset import (
    PosePool,
    Recording,
    captured_poses,
    load_recordings,
    training_pool,
)
from kinflow.tensorfile import write_tensors
from kinflow.training.data import Pool
from kinflow.training.schedule import warm_cosine

from . import FILE
from .linear import NUM_JOINTS, AffinePrior, with_hands
from .vposer import LATENT, VPoser

SIGMA, BATCH, STEPS, LR = 0.04, 256, 20_000, 1e-3
SAMPLE = 30_000
# shares of recombined poses, each as validation performers prefer: of 0.15 and 0.5 for the VPoser
# by its errors, of 0 to 0.5 for the Gaussians by precision of samples and nats together
MIXED_VPOSER, MIXED_LINEAR = 0.5, 0.15
WEIGHT_KL, WEIGHT_ROTATION, WEIGHT_JOINTS = 0.005, 1.0, 4.0
CURVE = Path(__file__).parent.parent / "curves" / "vposer.csv"


@dataclass(frozen=True)
class Trial:
    """A VPoser and the body that its losses are measured on."""

    net: VPoser
    body: Body

    def joints(self, rotations: Tensor) -> Tensor:
        """(N, 21, 3, 3) -> (N, 24, 3) m."""
        pose = with_hands(xp, rotations)
        full = torch.cat((torch.eye(3).expand(len(pose), 1, 3, 3), pose), 1)
        betas = torch.zeros(len(pose), self.body.num_betas)
        return pose_skeleton(xp, self.body.table, full, betas).place

    def loss(self, truth: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """The whole loss and its KL. truth (N, 21, 3, 3), noise (N, 32). -> (), ()."""
        mean, log_deviation = self.net.encode(to_vector(xp, "6d", truth))
        rotations = to_matrix(xp, "6d", self.net.decode(mean + noise * log_deviation.exp()))
        kl = (0.5 * (mean**2 + (2 * log_deviation).exp()) - log_deviation - 0.5).sum(-1).mean()
        cosine = ((rotations * truth).sum((-1, -2)) - 1) / 2
        rotation = torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6)).mean()
        place = (self.joints(rotations) - self.joints(truth)).abs().sum(-1).mean()
        return WEIGHT_KL * kl + WEIGHT_ROTATION * rotation + WEIGHT_JOINTS * place, kl

    @torch.no_grad()
    def errors(self, truth: Tensor) -> tuple[float, float]:
        """Of reconstructions, degrees and mm."""
        mean, _ = self.net.encode(to_vector(xp, "6d", truth))
        decoded = to_matrix(xp, "6d", self.net.decode(mean))
        degrees = torch.rad2deg(geodesic_angle(xp, decoded, truth)).mean()
        apart = (self.joints(decoded) - self.joints(truth)).norm(dim=-1).mean()
        return float(degrees), 1e3 * float(apart)


def train_vposer(
    pool: PosePool, validation: Tensor, seed: int = 0
) -> tuple[VPoser, list[list[object]]]:
    """On the flows' batches, without their lift. validation: rotations (N, 21, 3, 3).

    Returns the net and the rows of its curve.
    """
    torch.manual_seed(seed)
    matrices = Pool(pool.poses.reshape(len(pool.poses), -1), pool.weights)
    random = np.random.default_rng(seed)
    trial = Trial(VPoser(), load_body())
    optimiser = torch.optim.Adam(trial.net.parameters(), lr=LR)
    rows: list[list[object]] = []
    for step in range(STEPS):
        optimiser.param_groups[0]["lr"] = LR * warm_cosine(step, STEPS, 300)
        x = matrices.draw((BATCH,), 0.0, random, MIXED_VPOSER)
        drawn = torch.from_numpy(x).unflatten(1, (23, 3, 3))
        loss, kl = trial.loss(drawn[:, :NUM_JOINTS], torch.randn(BATCH, LATENT))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 1000 == 999:
            degrees, mm = trial.errors(validation)
            values = (f"{float(loss):.4f}", f"{float(kl):.2f}", f"{degrees:.3f}", f"{mm:.2f}")
            rows.append([step + 1, *values])
            print(*rows[-1], flush=True)
    return trial.net, rows


def fit_linear(pool: PosePool) -> dict[str, np.ndarray]:
    """One Gaussian and a mixture of eight, of axis-angles lifted as the flow `light-aa`'s are."""
    theta = to_vector(numpy_namespace, "axis_angle", pool.poses)
    random = np.random.default_rng(1)
    drawn = Pool(theta, pool.weights).draw((SAMPLE,), SIGMA, random, MIXED_LINEAR)
    drawn = drawn[:, : 3 * NUM_JOINTS].astype(np.float64)
    shares, means, covariances = fit_mixture(drawn, random)
    return {
        "gaussian.mean": drawn.mean(0),
        "gaussian.covariance": np.cov(drawn.T),
        "mixture.weights": shares,
        "mixture.means": means,
        "mixture.covariances": covariances,
    }


def fit_mixture(
    x: np.ndarray, random: np.random.Generator, components: int = 8, rounds: int = 60
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Expectation maximisation from components about random poses. x (N, D) -> shares (K,), means
    (K, D), covariances (K, D, D).
    """
    centres = x[random.choice(len(x), components, False)]
    nearest = ((x[:, None] - centres) ** 2).sum(-1).argmin(1)
    belongs = np.eye(components)[nearest]
    for _ in range(rounds):
        counts = belongs.sum(0)
        means = (belongs.T @ x) / counts[:, None]
        covariances = np.stack(
            [
                ((x - m) * w[:, None]).T @ (x - m) / w.sum()
                for m, w in zip(means, belongs.T, strict=True)
            ]
        )
        covariances += 1e-5 * np.eye(x.shape[1])
        parts = zip(means, covariances, counts / len(x), strict=True)
        densities = np.stack(
            [AffinePrior.gaussian("", m, c).log_density(x) + np.log(s) for m, c, s in parts], 1
        )
        belongs = np.exp(densities - densities.max(1, keepdims=True))
        belongs /= belongs.sum(1, keepdims=True)
    return counts / len(x), means, covariances


def train_baselines(
    recordings: Sequence[Recording], out: Path, curve: Path, without: str = ""
) -> None:
    """All of them, to a file that `load_baselines` reads; `without`: a kind that is left out."""
    pool = training_pool(recordings, without=without)
    validation = captured_poses(recordings, "validation").poses[:, :NUM_JOINTS]
    arrays = fit_linear(pool)
    net, rows = train_vposer(pool, torch.from_numpy(validation))
    with open(curve, "w", newline="") as stream:
        header = ["step", "train_loss", "kl", "validation_degrees", "validation_mm"]
        csv.writer(stream).writerows([header, *rows])
    # the encoder is for starts alone: half precision does
    arrays |= {f"vposer.{k}": v.numpy() for k, v in net.state_dict().items()}
    halves = ("vposer.encoder",)
    kept = {
        k: np.asarray(v, np.float16 if k.startswith(halves) else np.float32)
        for k, v in arrays.items()
    }
    write_tensors(out, kept, {"kinflow_kind": "baselines", "format_version": "1"})


if __name__ == "__main__":
    train_baselines(load_recordings(Path(sys.argv[1])), FILE, CURVE)

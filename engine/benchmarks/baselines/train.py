"""python -m benchmarks.baselines.train MOCAP_FOLDER: trains the baselines on the priors' poses.

Same poses, mirroring and balance as the flows, as many poses drawn as `light` sees in the paper's
recipe (12.8 million). The Gaussians get the flows' noise (sigma 0.04) too; the VPoser sees clean
poses, as published. Writes ../data/baselines.safetensors and ../curves/vposer.csv. Needs
scikit-learn.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from pathlib import Path

import array_api_compat.torch as xp
import numpy as np
import torch
from torch import Tensor

from kinflow.bodies.files import load_body
from kinflow.bodies.model import Body
from kinflow.core.body import pose_skeleton
from kinflow.core.representations import to_matrix, to_vector
from kinflow.core.rotations import geodesic_angle
from kinflow.mocap.dataset import load_clips, real_poses, training_pool
from kinflow.tensorfile import write_tensors
from kinflow.training.data import Pool
from kinflow.training.schedule import warm_cosine

from . import FILE
from .linear import NUM_JOINTS, with_hands
from .vposer import LATENT, VPoser

SIGMA, BATCH, STEPS, LR = 0.04, 256, 50_000, 1e-3
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


def train_vposer(poses: Tensor, weights: Tensor, validation: Tensor, seed: int = 0) -> VPoser:
    """poses, validation: rotations (N, 21, 3, 3)."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    trial = Trial(VPoser(), load_body())
    optimiser = torch.optim.Adam(trial.net.parameters(), lr=LR)
    rows = []
    for step in range(STEPS):
        optimiser.param_groups[0]["lr"] = LR * warm_cosine(step, STEPS, 300)
        chosen = torch.multinomial(weights, BATCH, True, generator=generator)
        noise = torch.randn(BATCH, LATENT, generator=generator)
        loss, kl = trial.loss(poses[chosen], noise)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 1000 == 999:
            degrees, mm = trial.errors(validation)
            values = (f"{float(loss):.4f}", f"{float(kl):.2f}", f"{degrees:.3f}", f"{mm:.2f}")
            rows.append([step + 1, *values])
            print(*rows[-1], flush=True)
    with open(CURVE, "w", newline="") as stream:
        header = ["step", "train_loss", "kl", "validation_degrees", "validation_mm"]
        csv.writer(stream).writerows([header, *rows])
    return trial.net


def main(mocap: Path) -> None:
    from sklearn.mixture import GaussianMixture

    clips = load_clips(mocap / "cmu")
    pool = training_pool(clips, load_clips(mocap / "cmu_upper"), 0)
    poses, weights = torch.from_numpy(pool.poses)[:, :NUM_JOINTS], torch.from_numpy(pool.weights)
    validation = torch.from_numpy(real_poses(clips, "validation").poses)[:, :NUM_JOINTS]
    generator = torch.Generator().manual_seed(1)
    vectors = Pool(to_vector(xp, "6d", poses), weights).draw(60_000, SIGMA, generator)
    theta = to_vector(xp, "axis_angle", to_matrix(xp, "6d", vectors)).numpy()
    mixture = GaussianMixture(8, reg_covar=1e-5, random_state=0, n_init=2, max_iter=300).fit(theta)
    state = train_vposer(poses, weights, validation).state_dict()
    arrays = {f"vposer.{k}": v.numpy() for k, v in state.items() if k.startswith("decoder")} | {
        "gaussian.mean": theta.mean(0),
        "gaussian.covariance": np.cov(theta.T),
        "mixture.weights": mixture.weights_,
        "mixture.means": mixture.means_,
        "mixture.covariances": mixture.covariances_,
    }
    floats = {k: np.asarray(v, np.float32) for k, v in arrays.items()}
    write_tensors(FILE, floats, {"kinflow_kind": "baselines", "format_version": "1"})


if __name__ == "__main__":
    main(Path(sys.argv[1]))

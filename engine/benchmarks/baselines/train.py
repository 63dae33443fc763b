"""python -m benchmarks.baselines.train MOCAP_FOLDER: trains the baselines on the priors' own training poses.

Same poses, mirroring and balance as the flows, as many poses drawn as `light` sees in the paper's recipe (12.8 million).
The Gaussians get the flows' noise (sigma 0.04) too; the VPoser sees clean poses, as published. Writes ../data/baselines.safetensors and curves/vposer.csv. Needs scikit-learn.
"""

from __future__ import annotations

import csv
import math
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kinflow.bodies.files import load_body
from kinflow.bodies.kinematics import global_transforms
from kinflow.priors.representations import lift
from kinflow.mocap.dataset import load_clips, real_poses, training_pool
from kinflow.rotations import geodesic_angle, matrix_to_axis_angle, matrix_to_sixd, sixd_to_matrix
from kinflow.tensorfile import write_tensors

from . import FILE
from .linear import NUM_JOINTS
from .vposer import LATENT, VPoser

SIGMA, BATCH, STEPS, LR = 0.04, 256, 50_000, 1e-3
WEIGHT_KL, WEIGHT_ROTATION, WEIGHT_JOINTS = 0.005, 1.0, 4.0
CURVE = Path(__file__).parent.parent / "curves" / "vposer.csv"


def train_vposer(
    pool: Tensor, weights: Tensor, validation: Tensor, joints_rest: Tensor, seed: int = 0
) -> VPoser:
    """pool, validation: rotations (N, 21, 3, 3)."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    net = VPoser()
    optimiser = torch.optim.Adam(net.parameters(), lr=LR)
    rows_log = []

    def joints(rotations: Tensor) -> Tensor:
        eye = torch.eye(3)
        full = torch.cat(
            (eye.expand(len(rotations), 1, 3, 3), rotations, eye.expand(len(rotations), 2, 3, 3)), 1
        )
        return global_transforms(full, joints_rest.expand(len(full), -1, -1))[1]

    def loss(truth: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_deviation = net.encode(matrix_to_sixd(truth).flatten(1))
        rotations = sixd_to_matrix(
            net.decode(mean + noise * log_deviation.exp()).unflatten(-1, (NUM_JOINTS, 6))
        )
        kl = (0.5 * (mean**2 + (2 * log_deviation).exp()) - log_deviation - 0.5).sum(-1).mean()
        cosine = ((rotations * truth).sum((-1, -2)) - 1) / 2
        rotation = torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6)).mean()
        place = (joints(rotations) - joints(truth)).abs().sum(-1).mean()
        return kl, rotation, place

    for step in range(STEPS):
        optimiser.param_groups[0]["lr"] = (
            LR * min(1.0, (step + 1) / 300) * 0.5 * (1 + math.cos(math.pi * step / STEPS))
        )
        rows = torch.multinomial(weights, BATCH, True, generator=generator)
        truth = pool[rows]
        kl, rotation, place = loss(truth, torch.randn(BATCH, LATENT, generator=generator))
        total = WEIGHT_KL * kl + WEIGHT_ROTATION * rotation + WEIGHT_JOINTS * place
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        if step % 1000 == 999:
            with torch.no_grad():
                mean, _ = net.encode(matrix_to_sixd(validation).flatten(1))
                decoded = sixd_to_matrix(net.decode(mean).unflatten(-1, (NUM_JOINTS, 6)))
                degrees = float(torch.rad2deg(geodesic_angle(decoded, validation)).mean())
                millimetres = 1e3 * float(
                    (joints(decoded) - joints(validation)).norm(dim=-1).mean()
                )
            rows_log.append(
                [
                    step + 1,
                    f"{float(total):.4f}",
                    f"{float(kl):.2f}",
                    f"{degrees:.3f}",
                    f"{millimetres:.2f}",
                ]
            )
            print(*rows_log[-1], flush=True)
    with open(CURVE, "w", newline="") as stream:
        csv.writer(stream).writerows(
            [["step", "train_loss", "kl", "validation_degrees", "validation_mm"], *rows_log]
        )
    return net


def main(mocap: Path) -> None:
    clips = load_clips(mocap / "cmu")
    pool = training_pool(clips, load_clips(mocap / "cmu_upper"), 0)
    poses, weights = torch.from_numpy(pool.poses)[:, :NUM_JOINTS], torch.from_numpy(pool.weights)
    validation = torch.from_numpy(real_poses(clips, "validation").poses)[:, :NUM_JOINTS]
    generator = torch.Generator().manual_seed(1)
    drawn = poses[torch.multinomial(weights, 60_000, True, generator=generator)]
    noisy = sixd_to_matrix(lift(matrix_to_sixd(drawn), SIGMA, generator))
    theta = matrix_to_axis_angle(noisy).flatten(1).numpy()
    from sklearn.mixture import GaussianMixture

    mixture = GaussianMixture(8, reg_covar=1e-5, random_state=0, n_init=2, max_iter=300).fit(theta)
    net = train_vposer(poses, weights, validation, load_body().J_template[None])
    arrays = {
        "gaussian.mean": theta.mean(0),
        "gaussian.covariance": np.cov(theta.T),
        "mixture.weights": mixture.weights_,
        "mixture.means": mixture.means_,
        "mixture.covariances": mixture.covariances_,
    } | {
        f"vposer.{k}": v.detach().numpy()
        for k, v in net.state_dict().items()
        if k.startswith("decoder")
    }
    write_tensors(
        FILE,
        {k: np.asarray(v, np.float32) for k, v in arrays.items()},
        {"kinflow_kind": "baselines", "format_version": "1"},
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))

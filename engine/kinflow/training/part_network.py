"""A small network from a person's mask and keypoint heatmaps to the 14 body parts.

kinflow train parts --out FOLDER: draws people, trains, prints the mIoU on held-out people against
the nearest-limb baseline, and writes part-network.onnx (`perception.part_labels` runs it).
"""

from __future__ import annotations

import csv
import importlib.util
import itertools
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..bodies.files import load_body
from ..bodies.parts import NUM_PARTS
from ..drawing.zbuffer import mask_iou
from ..errors import KinflowError
from ..perception.nearest_limb import nearest_limb
from ..perception.part_labels import CROP, heatmaps
from ..terminal import counted
from . import synthetic
from .schedule import RunningMean, warm_cosine
from .synthetic import Crowd, DetectorNoise, People, Report

NUM_KEYPOINTS = 17
WIDTHS = (24, 48, 80, 104)
CLASSES = NUM_PARTS + 1


@dataclass(frozen=True)
class TrainParts:
    """Train the body-part network on drawn people."""

    out: Path
    """Folder for part-network.onnx, its curve and the drawn people."""
    people: int = 12000
    steps: int = 3000
    batch: int = 16
    lr: float = 2e-3
    seed: int = 0
    device: str = "auto"
    json: bool = False


class PartNetwork(nn.Module):
    """U-Net on (1 + 17, CROP, CROP): mask and heatmaps -> logits of CLASSES."""

    down: Any
    up: Any

    def __init__(self) -> None:
        super().__init__()
        sizes = (1 + NUM_KEYPOINTS, *WIDTHS)
        self.down = nn.ModuleList(_block(a, b) for a, b in itertools.pairwise(sizes))
        self.up = nn.ModuleList(_block(a + b, a) for a, b in itertools.pairwise(WIDTHS))
        self.head = nn.Conv2d(WIDTHS[0], CLASSES, 1)

    def forward(self, x: Tensor) -> Tensor:
        kept = []
        for i, block in enumerate(self.down):
            x = block(x if i == 0 else nn.functional.max_pool2d(x, 2))
            kept.append(x)
        for i in range(len(self.up) - 1, -1, -1):
            x = nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = self.up[i](torch.cat((kept[i], x), 1))
        return self.head(x)


def _block(fan_in: int, fan_out: int) -> nn.Sequential:
    first, second = (nn.Conv2d(width, fan_out, 3, padding=1) for width in (fan_in, fan_out))
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU())


@dataclass(frozen=True)
class Batch:
    """Corrupted people: planes (N, 18, CROP, CROP) of masks and heatmaps, true labels (N, CROP,
    CROP), and what the planes were made of."""

    planes: Tensor
    labels: Tensor
    masks: np.ndarray
    points: np.ndarray
    confidence: np.ndarray

    @staticmethod
    def of(people: People, noise: DetectorNoise, random: np.random.Generator) -> Batch:
        points, confidence = synthetic.corrupt_keypoints(people.crop_keypoints(), noise, random)
        pairs = [synthetic.corrupt_mask(p, noise, random) for p in people.parts]
        masks, labels = (np.stack(column) for column in zip(*pairs, strict=True))
        planes = np.concatenate((masks[:, None], heatmaps(points, confidence)), 1)
        truth = torch.from_numpy(labels.astype(np.int64))
        return Batch(torch.from_numpy(planes), truth, masks, points, confidence)

    def loss(self, net: nn.Module) -> Tensor:
        """Cross entropy of the mask's pixels: only those are ever asked. -> ()."""
        weight = (self.planes[:, 0] > 0.3).float()
        loss = nn.functional.cross_entropy(net(self.planes), self.labels, reduction="none")
        return (loss * weight).sum() / weight.sum().clamp_min(1)


def mean_iou(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Mean over parts of the IoU over all people. (N, H, W) each."""
    return float(np.mean([mask_iou(predicted == p, truth == p) for p in range(1, CLASSES)]))


@torch.no_grad()
def evaluate(
    net: nn.Module, people: People, noise: DetectorNoise, seed: int = 99
) -> tuple[float, float]:
    """mIoU of the network and of the nearest limb, on the same corrupted inputs."""
    batch = Batch.of(people, noise, np.random.default_rng(seed))
    logits = torch.cat([net(chunk) for chunk in batch.planes.split(64)])
    predicted = np.where(batch.masks > 0.5, logits.argmax(1).numpy(), 0)
    each = zip(batch.masks, batch.points, batch.confidence, strict=True)
    baseline = np.stack([nearest_limb(m > 0.5, p, c) for m, p, c in each])
    truth = batch.labels.numpy()
    return mean_iou(predicted, truth), mean_iou(baseline, truth)


def train_parts(config: TrainParts, report: Report) -> dict[str, float]:
    """Trains and exports; returns the two mIoU on people that were not trained on."""
    torch.manual_seed(config.seed)
    config.out.mkdir(parents=True, exist_ok=True)
    people = synthetic.drawn(config.out / "people.npz", Crowd(config.people, config.seed), report)
    held_out = synthetic.make_people(load_body(), Crowd(300, config.seed + 1000))
    noise, random = DetectorNoise(), np.random.default_rng(config.seed)
    net = PartNetwork()
    optimiser = torch.optim.AdamW(net.parameters(), lr=config.lr, weight_decay=1e-3)
    rows, running, started = [], RunningMean(0.02), time.perf_counter()
    for step in counted(range(config.steps), "Training", "steps"):
        optimiser.param_groups[0]["lr"] = config.lr * warm_cosine(step, config.steps, 200)
        chosen = people.pick(random.integers(0, len(people), config.batch))
        loss = Batch.of(chosen, noise, random).loss(net)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        running.add(loss)
        if step % 500 == 499:
            ours, baseline = evaluate(net, held_out, noise)
            rows.append([step + 1, f"{running.value:.4f}", f"{ours:.4f}", f"{baseline:.4f}"])
            scores = f"mIoU {ours:.3f}  nearest limb {baseline:.3f}"
            took = f"{time.perf_counter() - started:.0f} s"
            report(f"{step + 1}/{config.steps}  loss {running.value:.3f}  {scores}  {took}")
            torch.save(net.state_dict(), config.out / "part-network.pt")
    with open(config.out / "part-network.csv", "w", newline="") as stream:
        header = ["step", "train_loss", "held_out_miou", "nearest_limb_miou"]
        csv.writer(stream).writerows([header, *rows])
    export_part_network(net, config.out / "part-network.onnx")
    ours, baseline = evaluate(net, held_out, noise)
    return {"miou": ours, "nearest_limb_miou": baseline}


def export_part_network(net: PartNetwork, path: Path) -> None:
    """Writes the network as ONNX. Raises KinflowError where the package onnx is missing."""
    if importlib.util.find_spec("onnx") is None:
        raise KinflowError("The package onnx is not installed.", "pip install onnx")
    planes = torch.zeros(1, 1 + NUM_KEYPOINTS, CROP, CROP)
    names: dict[str, Any] = {"input_names": ["planes"], "output_names": ["logits"]}
    with warnings.catch_warnings():
        # torch's newer way needs one package more
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(net, (planes,), str(path), dynamo=False, opset_version=13, **names)

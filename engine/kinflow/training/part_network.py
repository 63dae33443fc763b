"""A small network from a person's mask and keypoint heatmaps to the 14 body parts.

kinflow train parts --out FOLDER: draws people, trains, prints the mIoU on held-out people against the nearest-limb
baseline, and writes part-network.onnx (`perception.part_labels` runs it with OpenCV).
"""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..bodies.files import load_body
from ..bodies.parts import NUM_PARTS
from ..errors import KinflowError
from ..perception.nearest_limb import nearest_limb
from .synthetic import (
    CROP,
    DetectorNoise,
    People,
    corrupt_keypoints,
    corrupt_mask,
    heatmaps,
    make_people,
)

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
        self.down = nn.ModuleList(_block(a, b) for a, b in zip(sizes[:-1], sizes[1:], strict=True))
        self.up = nn.ModuleList(
            _block(a + b, a) for a, b in zip(WIDTHS[:-1], WIDTHS[1:], strict=True)
        )
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
    return nn.Sequential(
        nn.Conv2d(fan_in, fan_out, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(fan_out, fan_out, 3, padding=1),
        nn.ReLU(),
    )


def make_batch(
    people: People, noise: DetectorNoise, random: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Corrupted inputs (N, 18, CROP, CROP) and true labels (N, CROP, CROP)."""
    points, confidence = corrupt_keypoints(people.crop_keypoints(), noise, random)
    masks, labels = zip(*(corrupt_mask(p, noise, random) for p in people.parts), strict=True)
    planes = np.concatenate((np.stack(masks)[:, None], heatmaps(points, confidence)), 1)
    return torch.from_numpy(planes), torch.from_numpy(np.stack(labels).astype(np.int64))


def mean_iou(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Mean over parts of the IoU over all people. (N, H, W) each."""
    values = []
    for part in range(1, CLASSES):
        union = ((predicted == part) | (truth == part)).sum()
        values.append(((predicted == part) & (truth == part)).sum() / max(1, union))
    return float(np.mean(values))


@torch.no_grad()
def evaluate(
    net: nn.Module, people: People, noise: DetectorNoise, seed: int = 99
) -> tuple[float, float]:
    """mIoU of the network and of the nearest limb, on the same corrupted inputs."""
    random = np.random.default_rng(seed)
    points, confidence = corrupt_keypoints(people.crop_keypoints(), noise, random)
    masks, labels = zip(*(corrupt_mask(p, noise, random) for p in people.parts), strict=True)
    planes = torch.from_numpy(
        np.concatenate((np.stack(masks)[:, None], heatmaps(points, confidence)), 1)
    )
    logits = torch.cat([net(chunk) for chunk in planes.split(64)])
    predicted = np.where(np.stack(masks) > 0.5, logits.argmax(1).numpy(), 0)
    baseline = np.stack(
        [nearest_limb(m > 0.5, p, c) for m, p, c in zip(masks, points, confidence, strict=True)]
    )
    truth = np.stack(labels)
    return mean_iou(predicted, truth), mean_iou(baseline, truth)


def train_parts(config: TrainParts, report: Callable[[str], None]) -> dict[str, float]:
    """Trains and exports; returns the two mIoU on people that were not trained on."""
    torch.manual_seed(config.seed)
    config.out.mkdir(parents=True, exist_ok=True)
    body = load_body()
    drawn = config.out / "people.npz"
    if drawn.exists():
        people = People.load(drawn)
    else:
        people = make_people(
            body,
            config.people,
            config.seed,
            progress=lambda n: (
                report(f"{n} of {config.people} people drawn") if n % 1600 == 0 else None
            ),
        )
        people.save(drawn)
    held_out = make_people(body, 300, config.seed + 1000)
    noise, random = DetectorNoise(), np.random.default_rng(config.seed)
    net = PartNetwork()
    optimiser = torch.optim.AdamW(net.parameters(), lr=config.lr, weight_decay=1e-3)
    rows, started, running = [], time.perf_counter(), 0.0
    for step in range(config.steps):
        warm = min(1.0, (step + 1) / 200)
        optimiser.param_groups[0]["lr"] = (
            config.lr * warm * 0.5 * (1 + math.cos(math.pi * step / config.steps))
        )
        planes, labels = make_batch(
            people.pick(random.integers(0, len(people), config.batch)), noise, random
        )
        # only pixels of the mask are ever asked
        weight = (planes[:, 0] > 0.3).float()
        loss = nn.functional.cross_entropy(net(planes), labels, reduction="none")
        loss = (loss * weight).sum() / weight.sum().clamp_min(1)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        running = 0.98 * running + 0.02 * float(loss.detach()) if step else float(loss.detach())
        if step % 500 == 499:
            ours, baseline = evaluate(net, held_out, noise)
            rows.append([step + 1, f"{running:.4f}", f"{ours:.4f}", f"{baseline:.4f}"])
            report(
                f"{step + 1}/{config.steps}  loss {running:.3f}  mIoU {ours:.3f}  nearest limb {baseline:.3f}  {time.perf_counter() - started:.0f} s"
            )
            torch.save(net.state_dict(), config.out / "part-network.pt")
    with open(config.out / "part-network.csv", "w", newline="") as stream:
        csv.writer(stream).writerows(
            [["step", "train_loss", "held_out_miou", "nearest_limb_miou"], *rows]
        )
    export_part_network(net, config.out / "part-network.onnx")
    ours, baseline = evaluate(net, held_out, noise)
    return {"miou": ours, "nearest_limb_miou": baseline}


def export_part_network(net: PartNetwork, path: Path) -> None:
    """Writes the network as ONNX, node by node."""
    try:
        from onnx import TensorProto, checker, helper, numpy_helper, save
    except ImportError as error:
        raise KinflowError("The package onnx is not installed.", "pip install onnx") from error
    nodes: list = []
    weights: list = []

    def add(kind: str, inputs: list[str], output: str | None = None, **attributes) -> str:
        name = output or f"n{len(nodes)}"
        nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def constant(array: np.ndarray) -> str:
        weights.append(numpy_helper.from_array(array, f"w{len(weights)}"))
        return weights[-1].name

    def convolve(layer: Any, x: str, output: str | None = None) -> str:
        size = layer.kernel_size[0]
        inputs = [x, constant(layer.weight.detach().numpy()), constant(layer.bias.detach().numpy())]
        return add("Conv", inputs, output, kernel_shape=[size, size], pads=[size // 2] * 4)

    def block(layers: Any, x: str) -> str:
        return add("Relu", [convolve(layers[2], add("Relu", [convolve(layers[0], x)]))])

    x, kept = "planes", []
    for i, layers in enumerate(net.down):
        x = block(layers, x if i == 0 else add("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2]))
        kept.append(x)
    scales = constant(np.array([1, 1, 2, 2], np.float32))
    for i in range(len(net.up) - 1, -1, -1):
        x = add(
            "Resize",
            [x, "", scales],
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
        x = block(net.up[i], add("Concat", [kept[i], x], axis=1))
    convolve(net.head, x, "logits")
    value = lambda name, channels: helper.make_tensor_value_info(
        name, TensorProto.FLOAT, [1, channels, CROP, CROP]
    )  # noqa: E731
    graph = helper.make_graph(
        nodes,
        "kinflow_parts",
        [value("planes", 1 + NUM_KEYPOINTS)],
        [value("logits", CLASSES)],
        weights,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="kinflow", ir_version=8
    )
    checker.check_model(model, full_check=True)
    save(model, str(path))

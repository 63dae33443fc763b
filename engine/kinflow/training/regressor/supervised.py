"""FS: full supervision without end, from people that are drawn."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...bodies.files import load_body
from ...devices import pick_device
from ...errors import InvalidInputError
from ...guess.figure import Figure
from ...priors.prior import load_prior
from ...guess.network import BACKBONES, STEPS, Regressor, save_regressor
from ...rotations import axis_angle_to_matrix
from ..synthetic import Casting, People, make_people
from .evaluate import Score, score
from .examples import Style, Truth, make_inputs
from .losses import SupervisedWeights, supervised_descent
from .weak import WeakConfig, refine, unlabelled_of_people

Report = Callable[[str], None]
# The second generator, which full supervision never sees: other shapes, cameras from above, wider lenses, other styles.
OTHER_CASTING = Casting(
    betas=1.3, tilt=(0.3, 0.25), roll=0.25, focal=(260.0, 700.0), share=(0.4, 0.9)
)
OTHER_STYLE = Style(no_photo=0.0, no_parts=0.0, no_mask=0.0, texture=0.35, clutter=8)


@dataclass(frozen=True)
class TrainRegressor:
    """Train the photo regressor: full supervision on drawn people, then photos without 3D."""

    out: Path
    """Folder for regressor.safetensors, its curve and the drawn people."""
    people: int = 16000
    steps: int = 2400
    batch: int = 48
    lr: float = 1e-3
    poses: tuple[Path, ...] = ()
    """Captured poses (.npz with `pose` (N, 23, 3)) for the people without labels; without, the priors' samples."""
    unlabelled: int = 6000
    """Drawn people whose 3D is not used, for the second stage; 0 leaves it out."""
    photos: Path | None = None
    """A folder of your own photos for the second stage instead of drawn people."""
    coco: Path | None = None
    """A COCO keypoint annotation file (person_keypoints_*.json); its photos stand in --photos."""
    open_images: Path | None = None
    """An OpenImages box file (*-annotations-bbox.csv); its photos stand in --photos."""
    limit: int = 20000
    """People at most from --photos."""
    start: Path | None = None
    """A regressor to go on from; leaves out full supervision."""
    weak: WeakConfig = field(default_factory=WeakConfig)
    backbone: str = "small"
    seed: int = 0
    device: str = "auto"
    json: bool = False


def drawn(
    path: Path, count: int, seed: int, casting: Casting, poses: Tensor | None, report: Report
) -> People:
    """People from a file, drawn first where it is not there."""
    if path.exists():
        return People.load(path)
    people = make_people(
        load_body(),
        count,
        seed,
        poses,
        lambda n: report(f"{n} of {count} people drawn") if n % 1600 == 0 else None,
        casting,
    )
    people.save(path)
    return people


def captured_poses(paths: tuple[Path, ...], count: int, seed: int) -> Tensor | None:
    """`count` captured poses, each as often as every other. -> (count, 23, 3, 3), None without files."""
    if not paths:
        return None
    rows = []
    for path in paths:
        try:
            with np.load(path, allow_pickle=False) as data:
                rows.append(torch.from_numpy(np.array(data["pose"], np.float32)))
        except (OSError, ValueError, KeyError) as error:
            raise InvalidInputError(
                f"{path} holds no poses ({error}).", "Give a .npz with `pose` (N, 23, 3)."
            ) from error
    poses = axis_angle_to_matrix(torch.cat(rows))
    generator = torch.Generator().manual_seed(seed)
    order = torch.cat(
        [torch.randperm(len(poses), generator=generator) for _ in range(-(-count // len(poses)))]
    )
    return poses[order[:count]]


def train_supervised(
    people: People,
    steps: int,
    batch: int,
    lr: float,
    seed: int,
    device: torch.device,
    report: Report,
    backbone: str = "small",
    validation: People | None = None,
    descent: int = STEPS,
) -> tuple[Regressor, list[list[str]]]:
    """Trains a regressor on drawn people, with `descent` steps after its first answer. -> the network, rows of its curve (step, loss, validation px, mIoU, MPJPE mm)."""
    if backbone not in BACKBONES:
        raise InvalidInputError(
            f"Unknown backbone '{backbone}'.", f"Use one of {', '.join(BACKBONES)}."
        )
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    figure = Figure.of(load_body().to(device), load_prior("light").to(device))
    net = Regressor(backbone, descent).to(device)
    optimiser = torch.optim.AdamW(net.parameters(), lr=lr, weight_decay=1e-4)
    style, weights = Style(), SupervisedWeights()
    rows, started, running = [], time.perf_counter(), 0.0
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = (
            lr * min(1.0, (step + 1) / 200) * 0.5 * (1 + math.cos(math.pi * step / steps))
        )
        chosen = people.pick(random.integers(0, len(people), batch))
        inputs = make_inputs(chosen, style, random).to(device)
        truth = Truth(*(t.to(device) for t in vars(Truth.of(chosen)).values()))
        loss = supervised_descent(figure, net, truth, inputs, weights)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        running = 0.99 * running + 0.01 * float(loss.detach()) if step else float(loss.detach())
        if step % 1000 == 999 or step == steps - 1:
            result = (
                Score(float("nan"), float("nan"), float("nan"))
                if validation is None
                else score(figure, net, validation, style, overlaps=100)
            )
            rows.append(
                [
                    str(step + 1),
                    f"{running:.4f}",
                    f"{result.pixels:.2f}",
                    f"{result.part_iou:.4f}",
                    f"{result.mpjpe:.1f}",
                ]
            )
            report(
                f"{step + 1}/{steps}  loss {running:.3f}  2D {result.pixels:.1f} px  mIoU {result.part_iou:.3f}  MPJPE {result.mpjpe:.0f} mm  "
                f"{time.perf_counter() - started:.0f} s"
            )
    return net.eval(), rows


def train_regressor(config: TrainRegressor, report: Report) -> dict[str, float | int]:
    """Both stages; writes regressor.safetensors. -> numbers on held-out drawn people of the second generator."""
    from ...guess.network import load_regressor
    from .sources import unlabelled_photos

    config.out.mkdir(parents=True, exist_ok=True)
    device = pick_device(config.device)
    figure = Figure.of(load_body().to(device), load_prior("light").to(device))
    validation = drawn(
        config.out / "validation.npz", 300, config.seed + 1000, OTHER_CASTING, None, report
    )
    people = drawn(config.out / "people.npz", config.people, config.seed, Casting(), None, report)
    if config.start is not None:
        net = load_regressor(config.start).requires_grad_(True).to(device)
    else:
        net, curve = train_supervised(
            people,
            config.steps,
            config.batch,
            config.lr,
            config.seed,
            device,
            report,
            config.backbone,
            validation,
        )
        with open(config.out / "regressor.csv", "w", newline="") as stream:
            csv.writer(stream).writerows(
                [["step", "train_loss", "pixels", "part_miou", "mpjpe_mm"], *curve]
            )
        save_regressor(
            config.out / "regressor-fs.safetensors",
            net,
            recipe=f"FS {config.steps} steps",
            data="drawn people",
        )
    before = score(figure, net, validation, OTHER_STYLE)
    report(f"after full supervision: {before.text()}")
    answer: dict[str, float | int] = {
        "fs_px": before.pixels,
        "fs_miou": before.part_iou,
        "fs_mpjpe_mm": before.mpjpe,
    }
    unlabelled = None
    if config.photos is not None:
        unlabelled, kept, dropped = unlabelled_photos(
            config.photos, config.coco, config.open_images, config.limit, config.seed, report
        )
        answer |= {"kept": kept, "dropped": dropped}
    elif config.unlabelled:
        poses = captured_poses(config.poses, config.unlabelled, config.seed + 5)
        crowd = drawn(
            config.out / "unlabelled.npz",
            config.unlabelled,
            config.seed + 5,
            OTHER_CASTING,
            poses,
            report,
        )
        unlabelled = unlabelled_of_people(crowd, OTHER_STYLE, config.seed)
    if unlabelled is not None:
        net = refine(net, unlabelled, config.weak, figure, config.seed, people, report)  # type: ignore[assignment]
        after = score(figure, net, validation, OTHER_STYLE)
        report(f"after photos without 3D: {after.text()}")
        answer |= {"ws_px": after.pixels, "ws_miou": after.part_iou, "ws_mpjpe_mm": after.mpjpe}
    save_regressor(
        config.out / "regressor.safetensors",
        net,
        f"FS {config.steps} + WS {config.weak.steps} steps",
        "drawn people; poses CMU",
    )
    return answer

"""`kinflow train regressor`: full supervision on drawn people, then photos without 3D."""

import csv
from dataclasses import dataclass, field
from pathlib import Path

import array_api_compat.torch as xp
import numpy as np
import torch
from torch import Tensor

from ...core.rotations import axis_angle_to_matrix
from ...devices import pick_device
from ...errors import InvalidInputError
from ...guessing.network import Regressor, load_regressor, save_regressor
from ..synthetic import Casting, Crowd, People, Report, drawn
from .evaluate import score
from .examples import Style
from .sources import PhotoSource, unlabelled_photos
from .supervised import SupervisedConfig, Training, train_supervised
from .unlabelled import Unlabelled, unlabelled_of_people
from .weak import WeakConfig, refine

# The second generator, which full supervision never sees: other shapes, cameras from above, wider
# lenses, and no missing part maps.
OTHER_CASTING = Casting(1.3, (0.3, 0.25), roll=0.25, focal=(260.0, 700.0), share=(0.4, 0.9))
OTHER_STYLE = Style(no_parts=0.0, no_mask=0.0)


@dataclass(frozen=True)
class TrainRegressor:
    """Train the photo regressor: full supervision on drawn people, then photos without 3D."""

    out: Path
    """Folder for regressor.safetensors, its curve and the drawn people."""
    people: int = 40_000
    steps: int = 8000
    batch: int = 48
    lr: float = 1e-3
    poses: tuple[Path, ...] = ()
    """Captured poses (.npz with `pose` (N, 23, 3)) for the people without labels; without, the
    priors' samples."""
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


def captured_poses(paths: tuple[Path, ...], count: int, seed: int) -> Tensor | None:
    """`count` captured poses, each as often as every other.

    -> (count, 23, 3, 3), None without files. Raises InvalidInputError for a file without poses.
    """
    if not paths:
        return None
    rows = []
    for path in paths:
        try:
            with np.load(path, allow_pickle=False) as data:
                rows.append(torch.from_numpy(np.array(data["pose"], np.float32)))
        except (OSError, ValueError, KeyError) as error:
            hint = "Give a .npz with `pose` (N, 23, 3)."
            raise InvalidInputError(f"{path} holds no poses ({error}).", hint) from error
    poses = axis_angle_to_matrix(xp, torch.cat(rows))
    generator = torch.Generator().manual_seed(seed)
    rounds = range(-(-count // len(poses)))
    order = torch.cat([torch.randperm(len(poses), generator=generator) for _ in rounds])
    return poses[order[:count]]


def train_regressor(config: TrainRegressor, report: Report) -> dict[str, float | int]:
    """Both stages; writes regressor.safetensors.

    -> numbers on held-out drawn people of the second generator.
    """
    config.out.mkdir(parents=True, exist_ok=True)
    training = Training.on(pick_device(config.device), config.seed, report)
    held_out = Crowd(300, config.seed + 1000, OTHER_CASTING)
    validation = drawn(config.out / "validation.npz", held_out, report)
    people = drawn(config.out / "people.npz", Crowd(config.people, config.seed), report)
    if config.start is not None:
        net = load_regressor(config.start).requires_grad_(True).to(training.figure.body.device)
    else:
        net = _full_supervision(config, training, people, validation)
    answer: dict[str, float | int] = {}

    def measure(stage: str, key: str) -> None:
        result = score(training.figure, net, validation, OTHER_STYLE)
        report(f"after {stage}: {result.text()}")
        answer[f"{key}_px"], answer[f"{key}_miou"] = result.pixels, result.part_iou
        answer[f"{key}_mpjpe_mm"] = result.mpjpe

    measure("full supervision", "fs")
    unlabelled, counts = _without_3d(config, report)
    answer |= counts
    if unlabelled is not None:
        net = refine(net, unlabelled, config.weak, training, people)
        measure("photos without 3D", "ws")
    recipe = f"FS {config.steps} + WS {config.weak.steps} steps"
    save_regressor(config.out / "regressor.safetensors", net, recipe, "drawn people; poses CMU")
    return answer


def _full_supervision(
    config: TrainRegressor, training: Training, people: People, validation: People
) -> Regressor:
    """The first stage, with its curve and a checkpoint of its own."""
    schooling = SupervisedConfig(config.steps, config.batch, config.lr, config.backbone)
    net, curve = train_supervised(people, schooling, training, validation)
    with open(config.out / "regressor.csv", "w", newline="") as stream:
        header = ["step", "train_loss", "pixels", "part_miou", "mpjpe_mm"]
        csv.writer(stream).writerows([header, *curve])
    recipe = f"FS {config.steps} steps"
    save_regressor(config.out / "regressor-fs.safetensors", net, recipe, "drawn people")
    return net


def _without_3d(
    config: TrainRegressor, report: Report
) -> tuple[Unlabelled | None, dict[str, float | int]]:
    """The second stage's people, None where it is left out, and how many were kept and dropped."""
    if config.photos is not None:
        source = PhotoSource(config.photos, config.coco, config.open_images, config.limit)
        unlabelled, kept, dropped = unlabelled_photos(source, config.seed, report)
        return unlabelled, {"kept": kept, "dropped": dropped}
    if not config.unlabelled:
        return None, {}
    seed = config.seed + 5
    poses = captured_poses(config.poses, config.unlabelled, seed)
    crowd = Crowd(config.unlabelled, seed, OTHER_CASTING, poses)
    people = drawn(config.out / "unlabelled.npz", crowd, report)
    return unlabelled_of_people(people, OTHER_STYLE, config.seed), {}

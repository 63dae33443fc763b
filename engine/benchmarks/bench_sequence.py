"""kinflow bench sequence: captured clips as a detector would see them, by frames and as a whole.

Keypoints with Gaussian noise that is new in every frame, 6 % missing, and limbs that are not seen
for a while. Acceleration error: mean norm of the difference of accelerations of pelvis-aligned
joints, mm a frame squared.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import array_api_compat.torch as xp
import numpy as np
import torch
from torch import Tensor

from kinflow import Camera, FitResult, Observation, fit, load_body
from kinflow.bodies.keypoints import keypoint_regressor
from kinflow.commands.bench import BenchSequence
from kinflow.core.rotations import axis_angle_to_matrix
from kinflow.core.skeleton import METRIC_JOINTS
from kinflow.core.terms.smoothness import SmoothWeights
from kinflow.fitting.sequence import SequenceConfig, fit_sequence
from kinflow.terminal import counted

from .make_clips import DATA, FRAMES
from .tables import interval, joint_errors

SIZE, FOCAL = 480, 640.0
CAMERA = Camera(FOCAL, FOCAL, SIZE / 2, SIZE / 2, SIZE, SIZE)
LIMBS = ((7, 9), (8, 10), (13, 15), (14, 16))  # of COCO's: elbow and wrist, knee and ankle
SCALES = (0.2, 0.5, 1.0)
BASE = "frame by frame"


@dataclass(frozen=True)
class Clip:
    """Observations of T frames and the true joints (T, 24, 3) m in the camera's frame."""

    people: list[Observation]
    joints: np.ndarray


def load_clips(name: str, noise: float, seed: int) -> list[Clip]:
    """Captured clips before a camera, with keypoints as a detector would find them."""
    random = np.random.default_rng(seed)
    with np.load(DATA / name) as data:
        columns = [torch.from_numpy(data[k]) for k in ("pose", "global_orient", "transl")]
    return [_observed(*clip, noise, random) for clip in zip(*columns, strict=True)]


def _observed(
    pose: Tensor, root: Tensor, transl: Tensor, noise: float, random: np.random.Generator
) -> Clip:
    joints, points = _before_camera(pose, root, transl, random)
    count = len(pose)
    missing = random.random((count, 17)) < 0.06
    confidence = np.where(missing, 0.0, random.uniform(0.6, 1.0, (count, 17)))
    for limb in LIMBS:
        if random.random() < 0.5:
            start = random.integers(0, count - 12)
            confidence[start : start + random.integers(4, 12), list(limb)] = 0
    pixels = CAMERA.project(points) + noise * random.normal(size=(count, 17, 2))
    pairs = zip(pixels, confidence, strict=True)
    return Clip([Observation(p, c, "coco17", CAMERA) for p, c in pairs], joints)


def _before_camera(
    pose: Tensor, root: Tensor, transl: Tensor, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Joints (T, 24, 3) and COCO's keypoints (T, 17, 3) of somebody who is seen whole all the time.

    Of a random shape, turned any way about the vertical. Axis-angles (T, 23, 3), (T, 3); m.
    """
    yaw = random.uniform(0, 2 * np.pi)
    turns = torch.tensor([[0.1, 0.0, 0.0], [np.pi, 0.0, 0.0], [0.0, yaw, 0.0]])
    first, second, third = axis_angle_to_matrix(xp, turns.float())
    view = first @ second @ third
    betas = torch.from_numpy(random.normal(0, 0.8, (1, 10)).astype(np.float32))
    body = load_body()
    vertices, joints = body(
        view @ axis_angle_to_matrix(xp, root),
        axis_angle_to_matrix(xp, pose),
        betas.expand(len(pose), -1),
        (transl - transl.mean(0)) @ view.T,
    )
    reach = float(vertices[..., :2].abs().amax() * FOCAL / (0.46 * SIZE))
    away = torch.tensor([0.0, 0.0, reach + float(-vertices[..., 2].min())])
    points = keypoint_regressor(body, "coco17")(joints, vertices) + away
    return (joints + away).numpy(), points.double().numpy()


def errors(results: list[FitResult], truth: np.ndarray) -> tuple[float, float, float]:
    """MPJPE, PA-MPJPE (mm) and acceleration error (mm a frame squared) of one clip."""
    joints = np.stack([r.joints for r in results])
    plain, aligned = joint_errors(joints, truth).mean(1)
    apart = _acceleration(joints) - _acceleration(truth)
    return float(plain), float(aligned), 1e3 * float(np.linalg.norm(apart, axis=-1).mean())


def _acceleration(joints: np.ndarray) -> np.ndarray:
    """About the pelvis. (T, 24, 3) -> (T - 2, 22, 3)."""
    return np.diff((joints - joints[:, :1])[:, list(METRIC_JOINTS)], 2, axis=0)


def scaled(scale: float) -> SequenceConfig:
    """The usual smoothness with all deviations scaled."""
    usual = vars(SmoothWeights())
    return SequenceConfig(smooth=SmoothWeights(**{k: v * scale for k, v in usual.items()}))


def best_scale(trial: list[Clip]) -> float:
    """The scale of the lowest MPJPE on validation clips."""
    means = {}
    for scale in counted(SCALES, "Scales of the deviations", "scales"):
        way = partial(fit_sequence, losses=("ka",), device="cpu", config=scaled(scale))
        means[scale] = np.mean([errors(way(c.people), c.joints)[0] for c in trial])
    text = ", ".join(f"{s}: {v:.1f} mm" for s, v in means.items())
    print(f"validation MPJPE by scale of the deviations: {text}")
    return min(SCALES, key=lambda scale: means[scale])


def run(options: BenchSequence) -> dict[str, float]:
    """Prints the table; the smoothness is picked on validation clips."""
    torch.set_num_threads(options.threads)
    best = best_scale(load_clips("validation_clips.npz", options.noise, options.seed + 1))
    clips = load_clips("heldout_clips.npz", options.noise, options.seed)
    print(
        f"{len(clips)} held-out clips of {FRAMES} frames, {options.noise} px noise, "
        f"{options.threads} thread(s)"
    )
    print(
        f"{'':>15} {'MPJPE mm':>20} {'vs frames':>23} {'PA mm':>7} {'acceleration mm':>20} "
        f"{'vs frames':>23} {'ms a frame':>10}"
    )
    usual = {"losses": ("ka",), "device": "cpu"}
    ways: dict[str, Callable[[list[Observation]], list[FitResult]]] = {
        BASE: partial(fit, **usual),
        "one shape": partial(fit, shared_betas=True, **usual),
        "sequence": partial(fit_sequence, config=scaled(best), **usual),
    }
    answer, base = {}, None
    for name, way in ways.items():
        started = time.perf_counter()
        shown = counted(clips, name, "clips")
        table = np.array([errors(way(clip.people), clip.joints) for clip in shown])
        ms = 1e3 * (time.perf_counter() - started) / (FRAMES * len(clips))
        print_row(name, table, base, ms)
        base = table if base is None else base
        answer |= {f"{name} mpjpe": float(table[:, 0].mean())}
        answer |= {f"{name} acceleration": float(table[:, 2].mean())}
    return answer


def print_row(name: str, table: np.ndarray, base: np.ndarray | None, ms: float) -> None:
    """Errors of every clip (N, 3), and their paired differences from the base's."""
    clip = np.arange(len(table))
    plain, jitter = (interval(table[:, k], clip) for k in (0, 2))
    versus = ["" if base is None else interval(table[:, k] - base[:, k], clip) for k in (0, 2)]
    print(
        f"{name:>15} {plain:>20} {versus[0]:>23} {table[:, 1].mean():>7.1f} {jitter:>20} "
        f"{versus[1]:>23} {ms:>10.0f}",
        flush=True,
    )

"""kinflow bench sequence: captured clips as a detector would see them, fitted frame by frame and as a whole.

Keypoints with Gaussian noise that is new in every frame, 6 % missing, and limbs that are not seen for a while.
Acceleration error: mean norm of the difference of accelerations of pelvis-aligned joints, mm a frame squared.
"""

from __future__ import annotations

import time

import numpy as np
import torch

from kinflow import Camera, FitResult, Observation, fit, load_body
from kinflow.bodies.keypoints import keypoint_regressor
from kinflow.commands.bench import BenchSequence
from kinflow.fitting.sequence import SequenceConfig, fit_sequence
from kinflow.fitting.sequence.smoothness import SmoothWeights
from kinflow.core.metrics import mpjpe, pa_mpjpe
from kinflow.rotations import axis_angle_to_matrix
from kinflow.core.skeleton import METRIC_JOINTS
from kinflow.training.prior import clip_interval

from .make_clips import DATA, FRAMES

SIZE, FOCAL = 480, 640.0
LIMBS = ((7, 9), (8, 10), (13, 15), (14, 16))  # of COCO's: elbow and wrist, knee and ankle
SCALES = (0.2, 0.5, 1.0)


def seen(name: str, noise: float, seed: int) -> list[tuple[list[Observation], np.ndarray]]:
    """For each clip its observations and the true joints (T, 24, 3) in the camera's frame."""
    random = np.random.default_rng(seed)
    body = load_body()
    regressor = keypoint_regressor(body, "coco17")
    with np.load(DATA / name) as data:
        poses, roots, places = (
            torch.from_numpy(data[k]) for k in ("pose", "global_orient", "transl")
        )
    result = []
    for pose, root, place in zip(poses, roots, places, strict=True):
        yaw = random.uniform(0, 2 * np.pi)
        turn = axis_angle_to_matrix(
            torch.tensor([[0.1, 0.0, 0.0], [np.pi, 0.0, 0.0], [0.0, yaw, 0.0]], dtype=torch.float32)
        )
        view = turn[0] @ turn[1] @ turn[2]
        betas = torch.from_numpy(random.normal(0, 0.8, (1, 10)).astype(np.float32)).expand(
            len(pose), -1
        )
        moved = (place - place.mean(0)) @ view.T
        vertices, joints = body(
            (view @ axis_angle_to_matrix(root)), axis_angle_to_matrix(pose), betas, moved
        )
        # far enough to be seen whole all the time
        reach = float(vertices[..., :2].abs().amax() * FOCAL / (0.46 * SIZE))
        away = torch.tensor([0.0, 0.0, reach + float(-vertices[..., 2].min())])
        joints, points = joints + away, regressor(joints, vertices) + away
        camera = Camera(FOCAL, FOCAL, SIZE / 2, SIZE / 2, SIZE, SIZE)
        confidence = np.where(
            random.random((len(pose), 17)) < 0.06, 0.0, random.uniform(0.6, 1.0, (len(pose), 17))
        )
        for limb in LIMBS:
            if random.random() < 0.5:
                start = random.integers(0, len(pose) - 12)
                confidence[start : start + random.integers(4, 12), list(limb)] = 0
        pixels = camera.project(points.double().numpy()) + noise * random.normal(
            size=(len(pose), 17, 2)
        )
        people = [
            Observation(p, c, "coco17", camera) for p, c in zip(pixels, confidence, strict=True)
        ]
        result.append((people, joints.numpy()))
    return result


def errors(results: list[FitResult], truth: np.ndarray) -> tuple[float, float, float]:
    """MPJPE, PA-MPJPE (mm) and acceleration error (mm a frame squared) of one clip."""
    joints = np.stack([r.joints for r in results])
    chosen = list(METRIC_JOINTS)
    acceleration = lambda x: np.diff((x - x[:, :1])[:, chosen], 2, axis=0)  # noqa: E731
    jitter = np.linalg.norm(acceleration(joints) - acceleration(truth), axis=-1).mean()
    aligned = np.mean([pa_mpjpe(a, b) for a, b in zip(joints, truth, strict=True)])
    return 1e3 * float(mpjpe(joints, truth).mean()), 1e3 * float(aligned), 1e3 * float(jitter)


def scaled(scale: float) -> SequenceConfig:
    usual = SmoothWeights()
    return SequenceConfig(
        smooth=SmoothWeights(
            usual.latent * scale, usual.root * scale, usual.sideways * scale, usual.depth * scale
        )
    )


def run(options: BenchSequence) -> dict[str, float]:
    """Prints the table; the smoothness is picked on validation clips."""
    torch.set_num_threads(options.threads)
    trial = seen("validation_clips.npz", options.noise, options.seed + 1)
    found = {
        s: np.mean(
            [
                errors(fit_sequence(p, losses=("ka",), device="cpu", config=scaled(s)), t)[0]
                for p, t in trial
            ]
        )
        for s in SCALES
    }
    best = min(found, key=lambda s: found[s])
    print(
        f"validation MPJPE by scale of the deviations: {', '.join(f'{s}: {v:.1f} mm' for s, v in found.items())}"
    )
    clips = seen("heldout_clips.npz", options.noise, options.seed)
    print(
        f"{len(clips)} held-out clips of {FRAMES} frames, {options.noise} px noise, {options.threads} thread(s)"
    )
    ways = {
        "frame by frame": lambda people: fit(people, losses=("ka",), device="cpu"),
        "one shape": lambda people: fit(people, losses=("ka",), shared_betas=True, device="cpu"),
        "sequence": lambda people: fit_sequence(
            people, losses=("ka",), device="cpu", config=scaled(best)
        ),
    }
    print(
        f"{'':>15} {'MPJPE mm':>20} {'vs frames':>23} {'PA mm':>7} {'acceleration mm':>20} {'vs frames':>23} {'ms a frame':>10}"
    )
    table: dict[str, np.ndarray] = {}
    clip = np.arange(len(clips))
    answer = {}
    for name, way in ways.items():
        started = time.perf_counter()
        table[name] = np.array([errors(way(people), truth) for people, truth in clips])
        ms = 1e3 * (time.perf_counter() - started) / (FRAMES * len(clips))
        show = lambda values: "{:.1f} [{:.1f}, {:.1f}]".format(*clip_interval(values, clip))  # noqa: E731
        versus = [
            ""
            if name == "frame by frame"
            else show(table[name][:, k] - table["frame by frame"][:, k])
            for k in (0, 2)
        ]
        print(
            f"{name:>15} {show(table[name][:, 0]):>20} {versus[0]:>23} {table[name][:, 1].mean():>7.1f} {show(table[name][:, 2]):>20} {versus[1]:>23} {ms:>10.0f}",
            flush=True,
        )
        answer |= {
            f"{name} mpjpe": float(table[name][:, 0].mean()),
            f"{name} acceleration": float(table[name][:, 2].mean()),
        }
    return answer

"""python -m benchmarks.bench_uncommon: can poses that hardly anybody was captured in be reached?

Ten poses set by joint angles, none from captured motion: handstand, cartwheel, yoga. Each is asked
for as a photo's keypoints from four sides (2 px noise, defaults of `kinflow.fit`), and by joints'
places in inverse kinematics, beside captured poses of the test performers. Printed
are the prior's own percentile, the fit's 2D and 3D errors, and how much of what was pinned is held.
--sheet OUT.png draws asked and fitted poses beside each other.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from kinflow import Camera, Effector, FitResult, Observation, fit, load_body, load_prior, solve_ik
from kinflow.bodies.keypoints import keypoint_regressor
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from kinflow.core.skeleton import JOINT_INDEX, JOINT_NAMES, METRIC_JOINTS

from .make_heldout import HELDOUT
from .tables import joint_errors

SIDES, NOISE, FOCAL, SIZE = 4, 2.0, 800.0, 640
PINNED = (
    "head",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
    "pelvis",
)
_UP = {"shoulder": (0, 0, 80), "collar": (0, 0, 15)}  # arms overhead, degrees on the left side
_FLAT = {"hip": (-75, 0, 0), "spine1": (20, 0, 0), "spine2": (15, 0, 0)}
# name: joints of both sides (mirrored) or of one, degrees about x, y, z; and the root's turn
POSES: dict[str, tuple[dict[str, tuple[float, float, float]], tuple[float, float, float]]] = {
    "handstand": (_UP, (180, 0, 0)),
    "handstand, legs apart": (
        {**_UP, "left_hip": (-60, 0, 20), "right_hip": (35, 0, -20)},
        (180, 0, 0),
    ),
    "cartwheel": ({"shoulder": (0, 0, 55), "hip": (0, 0, 35)}, (0, 0, 110)),
    "headstand, knees bent": (
        {"shoulder": (0, 0, 60), "elbow": (0, -70, 0), "hip": (-80, 0, 0), "knee": (110, 0, 0)},
        (180, 0, 0),
    ),
    "tree": ({**_UP, "left_hip": (-35, 50, 55), "left_knee": (125, 0, 0)}, (0, 0, 0)),
    "warrior": (
        {"left_hip": (-80, 0, 40), "left_knee": (85, 0, 0), "right_hip": (15, 0, -35)},
        (0, 0, 0),
    ),
    "downward dog": ({**_FLAT, "shoulder": (0, 0, 75), "hip": (-95, 0, 0)}, (75, 0, 0)),
    "bridge": (
        {
            "shoulder": (20, 0, 85),
            "hip": (25, 0, 5),
            "knee": (80, 0, 0),
            "spine1": (-20, 0, 0),
            "spine2": (-20, 0, 0),
            "spine3": (-15, 0, 0),
        },
        (-110, 0, 0),
    ),
    "lotus": ({"hip": (-85, 25, 45), "knee": (125, 0, 0), "shoulder": (0, 0, -65)}, (0, 0, 0)),
    "split": (
        {"left_hip": (-85, 0, 0), "right_hip": (75, 0, 0), "shoulder": (0, 0, 10)},
        (0, 0, 0),
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prior", default="light")
    parser.add_argument("--captured", type=int, default=10)
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    asked = {name: _pose(angles, root) for name, (angles, root) in POSES.items()}
    with np.load(HELDOUT) as data:
        rows = np.linspace(0, len(data["pose"]) - 1, options.captured).astype(int)
        captured = [(data["pose"][r].astype(np.float32), np.zeros(3, np.float32)) for r in rows]
    print(f"{'':>24} percentile  2D px  MPJPE mm  PA mm   IK: held within 1 cm, rotations degrees")
    fits = {}
    for name, (pose, root) in asked.items():
        fits[name] = _row(name, [(pose, root)], options.prior)
    _row("captured, the mean", captured, options.prior)
    if options.sheet:
        _draw(options.sheet, asked, fits)


def _pose(
    angles: dict[str, tuple[float, float, float]], root: tuple[float, float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """-> body_pose (23, 3) and global_orient (3,), axis-angle."""
    pose = np.zeros((24, 3), np.float32)
    for name, value in angles.items():
        for side in ("left_", "right_") if f"left_{name}" in JOINT_NAMES else ("",):
            flip = np.array([1, -1, -1]) if side == "right_" else np.ones(3)
            pose[JOINT_INDEX[side + name]] = np.radians(value) * flip
    return pose[1:], np.radians(np.array(root, np.float32))


def _row(name: str, poses: list[tuple[np.ndarray, np.ndarray]], prior: str) -> list[FitResult]:
    """One line of means. -> the fits."""
    truths, people = [], []
    for pose, root in poses:
        for side in range(SIDES):
            joints, person = _observe(pose, root, 2 * np.pi * (side + 0.15) / SIDES)
            truths.append(joints)
            people.append(person)
    people = [replace(person, photo=i) for i, person in enumerate(people)]
    results = fit(people, prior=prior, device="cpu")
    apart, aligned = zip(*map(_errors, results, truths), strict=True)
    error = np.mean([r.keypoint_error_px for r in results])
    flow = load_prior(prior).arrays
    unusual = np.mean([flow.unusual(pose[None]).body[0] for pose, _ in poses])
    held, turned = zip(*(_inverse(pose, root, prior) for pose, root in poses), strict=True)
    print(
        f"{name:>24} {unusual:>10.1f} {error:>6.1f} {np.mean(apart):>9.0f} {np.mean(aligned):>6.0f}"
        f" {100 * np.mean(held):>12.0f} % {np.mean(turned):>12.1f}",
        flush=True,
    )
    return results


def _observe(pose: np.ndarray, root: np.ndarray, yaw: float) -> tuple[np.ndarray, Observation]:
    """Somebody in that pose before a level camera. -> joints (24, 3) m, keypoints."""
    body = load_body()
    turns = axis_angle_to_matrix(xp, np.array([[np.pi, 0, 0], [0, yaw, 0], root], np.float32))
    whole = matrix_to_axis_angle(xp, (turns[0] @ turns[1] @ turns[2])[None])[0]
    vertices, joints = body(
        torch.from_numpy(whole)[None].float(),
        torch.from_numpy(pose.reshape(1, 69)),
        transl=torch.tensor([[0.0, 0.2, 3.5]]),
    )
    camera = Camera(FOCAL, FOCAL, SIZE / 2, SIZE / 2, SIZE, SIZE)
    points = camera.project(keypoint_regressor(body, "coco17")(joints, vertices)[0].numpy())
    random = np.random.default_rng(int(1e3 * yaw))
    points = points + NOISE * random.standard_normal(points.shape)
    return joints[0].numpy(), Observation(points, np.ones(17), "coco17", camera)


def _errors(result: FitResult, truth: np.ndarray) -> tuple[float, float]:
    """MPJPE about the pelvis and after Procrustes, mm."""
    errors = joint_errors([result.joints], truth[None])
    return float(errors[0][0]), float(errors[1][0])


def _inverse(pose: np.ndarray, root: np.ndarray, prior: str) -> tuple[float, float]:
    """Places of PINNED asked for. -> share within 1 cm, mean error of rotations in degrees."""
    body = load_body()
    _, joints = body(
        torch.from_numpy(root)[None].float(),
        torch.from_numpy(pose.reshape(1, 69)),
        transl=torch.zeros(1, 3),
    )
    places = joints[0].numpy()
    goals = [Effector(name, places[JOINT_INDEX[name]], pinned=True) for name in PINNED]
    result = solve_ik(goals, None, body=body, prior=prior)
    ours, theirs = (axis_angle_to_matrix(xp, p.reshape(23, 3)) for p in (result.body_pose, pose))
    inner = [j - 1 for j in METRIC_JOINTS[1:]]
    cosine = (np.trace(ours.swapaxes(-1, -2) @ theirs, axis1=-2, axis2=-1) - 1) / 2
    degrees = np.degrees(np.arccos(np.clip(cosine, -1, 1)))[inner]
    return float((np.asarray(result.reached) < 0.01).mean()), float(degrees.mean())


def _draw(
    path: Path,
    asked: dict[str, tuple[np.ndarray, np.ndarray]],
    fits: dict[str, list[FitResult]],
) -> None:
    from PIL import Image

    from kinflow.drawing.figures import pose_sheet

    rows = []
    for name, (pose, _) in asked.items():
        rows += [pose.reshape(69), *(r.body_pose.reshape(69) for r in fits[name])]
    poses = axis_angle_to_matrix(xp, np.array(rows, np.float32).reshape(-1, 23, 3))
    Image.fromarray(pose_sheet(torch.from_numpy(poses), 1 + SIDES, (200, 160))).save(path)


if __name__ == "__main__":
    main()

"""build.py bench fit: synthetic truth from held-out poses, the shipped priors side by side under one solver.

N held-out captured poses, random shapes, turns and cameras, detector-like noise and dropout on COCO-17 keypoints,
part maps rendered from the true mesh. 95% intervals by bootstrap over clips. One person's time is the batch's over N,
and `single` the median of ten fits of one person alone.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from kinflow import Camera, Observation, fit, load_body
from kinflow.bodies.keypoints import keypoint_regressor
from kinflow.bodies.parts import NUM_PARTS
from kinflow.drawing.zbuffer import part_iou, part_map, rasterise
from kinflow.flows.prior import SHIPPED
from kinflow.metrics import mpjpe, pa_mpjpe
from kinflow.rotations import axis_angle_to_matrix
from kinflow.training.prior import clip_interval

from .make_heldout import HELDOUT

SIZE = 480


def make_people(count: int, noise_px: float, seed: int = 0):
    """Observations with part maps, true joints (N, 24, 3), true part maps, clip index (N,)."""
    random = np.random.default_rng(seed)
    with np.load(HELDOUT) as data:
        picks = random.choice(len(data["pose"]), count, False)
        pose, clip = torch.from_numpy(data["pose"][picks]), data["clip"][picks]
    body = load_body()
    regressor = keypoint_regressor(body, "coco17")
    generator = torch.Generator().manual_seed(seed)
    betas = 0.8 * torch.randn(count, 10, generator=generator)
    yaw = 2 * torch.pi * torch.rand(count, generator=generator)
    tilt = 0.15 * torch.randn(count, generator=generator)
    zero = torch.zeros_like(yaw)
    half = axis_angle_to_matrix(torch.tensor([torch.pi, 0.0, 0.0]))
    turned = axis_angle_to_matrix(torch.stack((zero, yaw, zero), -1))
    root = axis_angle_to_matrix(torch.stack((tilt, zero, zero), -1)) @ half @ turned
    people, joints_all, truth = [], [], []
    for i in range(count):
        focal = random.uniform(450, 800)
        camera = Camera(focal, focal, SIZE / 2, SIZE / 2, SIZE, SIZE)
        depth = focal * random.uniform(2.0, 2.6) / SIZE + 1.0
        vertices, joints = body(root[i : i + 1], pose[i : i + 1], betas[i : i + 1], torch.tensor([[0.0, 0.25, depth]]))
        points = camera.project(regressor(joints, vertices)[0].double().numpy())
        confidence = np.where(random.random(17) < 0.06, 0.0, random.uniform(0.6, 1.0, 17))
        mesh = vertices[0].double().numpy()
        raster = rasterise(camera.project(mesh), mesh[:, 2], body.faces.numpy(), SIZE, SIZE)
        parts = part_map(raster, body.faces.numpy(), body.parts.numpy())
        people.append(Observation(points + noise_px * random.normal(size=(17, 2)), confidence, "coco17", camera, parts=parts))
        joints_all.append(joints[0].numpy())
        truth.append(parts)
    return people, np.stack(joints_all), truth, clip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--noise", type=float, default=3.0, help="px of keypoint noise on a 480 px photo")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    people, joints, truth, clip = make_people(options.count, options.noise)
    body = load_body()
    faces, labels = body.faces.numpy(), body.parts.numpy()
    print(f"{options.count} held-out poses, {options.noise} px noise, {options.threads} thread(s)")
    print(f"{'prior':>14} {'loss':>6} {'MPJPE mm':>22} {'PA-MPJPE mm':>22} {'2D px':>6} {'mIoU':>5} {'ms a photo':>10} {'single ms':>9}")
    for prior in SHIPPED:
        for losses in (("ka",), ("ka", "ba")):
            started = time.perf_counter()
            results = fit(people, prior=prior, losses=losses, device="cpu")
            batch_ms = 1e3 * (time.perf_counter() - started) / len(people)
            times = []
            for person in people[:10]:
                started = time.perf_counter()
                fit(person, prior=prior, losses=losses, device="cpu")
                times.append(1e3 * (time.perf_counter() - started))
            error = 1e3 * np.array([mpjpe(r.joints, j) for r, j in zip(results, joints, strict=True)])
            aligned = 1e3 * np.array([pa_mpjpe(r.joints, j) for r, j in zip(results, joints, strict=True)])
            overlap = []
            for r, parts in zip(results, truth, strict=True):
                mesh = r.vertices.astype(float)
                raster = rasterise(r.camera.project(mesh), mesh[:, 2], faces, SIZE, SIZE)
                overlap.append(part_iou(part_map(raster, faces, labels), parts, NUM_PARTS))
            columns = ["{:.1f} [{:.1f}, {:.1f}]".format(*clip_interval(values, clip)) for values in (error, aligned)]
            pixels = np.mean([r.keypoint_error_px for r in results])
            print(
                f"{prior:>14} {'+'.join(losses):>6} {columns[0]:>22} {columns[1]:>22} {pixels:>6.2f} {np.mean(overlap):>5.2f} "
                f"{batch_ms:>10.0f} {np.median(times):>9.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()

"""kinflow bench photos: renders with known truth through the real detector and the fitter.

The renders are made by `render_people.py` into a folder (--folder, by default the cache). KA and KA+BA, with and without
the detector's 3D hints; median and mean errors in mm, 2D error against the true joints' projections, mask IoU. With
--worst N a contact sheet of the N worst is written.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from kinflow import Camera, KinflowError, fit, load_body, observe
from kinflow.commands.bench import BenchPhotos
from kinflow.fitting.fit import FitConfig
from kinflow.core.metrics import mpjpe, pa_mpjpe
from kinflow.paths import cache_folder
from kinflow.core.skeleton import METRIC_JOINTS


def load_truths(folder: Path) -> list[tuple[Path, dict]]:
    """Every render with its truth."""
    found = [
        (p.with_suffix(".png"), json.loads(p.read_text("utf-8")))
        for p in sorted(folder.glob("*.json"))
    ]
    if not found:
        raise KinflowError(
            f"There are no renders in {folder}.",
            "Make them: python engine/benchmarks/render_people.py FOLDER (needs bpy).",
        )
    return found


def nearest_person(people: list, truth: dict):
    """The observation whose hips are nearest to the true ones, or None."""
    camera = Camera(**truth["camera"])
    pelvis = camera.project(np.array(truth["joints"])[:1])[0]
    best, distance = None, 0.15 * max(camera.width, camera.height)
    for person in people:
        hips = person.keypoints[23:25].mean(0)
        if np.linalg.norm(hips - pelvis) < distance:
            best, distance = person, float(np.linalg.norm(hips - pelvis))
    return best


def true_vertices(truth: dict) -> np.ndarray:
    parameters = [
        torch.tensor([truth[k]], dtype=torch.float32)
        for k in ("global_orient", "body_pose", "betas", "transl")
    ]
    return load_body()(*parameters)[0][0].numpy()


def run(options: BenchPhotos) -> dict[str, float]:
    """Prints the table; returns the median PA-MPJPE of each row."""
    torch.set_num_threads(options.threads)
    truths = load_truths(options.folder or cache_folder() / "renders")
    people, kept = [], []
    for path, truth in truths:
        person = nearest_person(observe(path, parts=True), truth)
        if person is not None:
            people.append(replace(person, camera=Camera(**truth["camera"])))
            kept.append((path, truth))
    print(f"{len(truths)} renders, the person found in {len(kept)}; the true camera is given")
    print(
        f"{'':>22} {'PA-MPJPE mm':>18} {'MPJPE mm':>18} {'MPVPE mm':>18} {'2D px':>6} {'mask IoU':>8}   (median, mean)"
    )
    joints = np.stack([np.array(t["joints"]) for _, t in kept])
    meshes = [true_vertices(t) for _, t in kept]
    medians, errors = {}, {}
    for hints in (True, False):
        for losses, parts in ((("ka",), True), (("ka", "ba"), False), (("ka", "ba"), True)):
            config = FitConfig(hints=hints)
            given = people if parts else [replace(p, parts=None) for p in people]
            results = fit(given, losses=losses, config=config)
            name = (
                "+".join(losses)
                + ("" if losses == ("ka",) else " parts" if parts else " mask")
                + (", hints" if hints else "")
            )
            aligned = 1e3 * np.array(
                [pa_mpjpe(r.joints, j) for r, j in zip(results, joints, strict=True)]
            )
            plain = 1e3 * np.array(
                [mpjpe(r.joints, j) for r, j in zip(results, joints, strict=True)]
            )
            mesh = 1e3 * np.array(
                [
                    np.linalg.norm((r.vertices - r.joints[0]) - (m - j[0]), axis=-1).mean()
                    for r, m, j in zip(results, meshes, joints, strict=True)
                ]
            )
            pixels = np.mean(
                [
                    np.linalg.norm(
                        r.camera.project(r.joints.astype(float)) - r.camera.project(j), axis=-1
                    )[list(METRIC_JOINTS)].mean()
                    for r, j in zip(results, joints, strict=True)
                ]
            )
            iou = np.median([r.mask_iou for r in results if r.mask_iou is not None])
            both = lambda v: f"{np.median(v):.1f}, {v.mean():.1f}"  # noqa: E731
            print(
                f"{name:>22} {both(aligned):>18} {both(plain):>18} {both(mesh):>18} {pixels:>6.1f} {iou:>8.2f}",
                flush=True,
            )
            medians[name], errors[name] = float(np.median(aligned)), (aligned, results)
    if options.worst:
        _write_worst(options.worst, *errors["ka+ba parts, hints"], kept, Path("worst.png"))
    return medians


def _write_worst(count: int, aligned: np.ndarray, results: list, kept: list, out: Path) -> None:
    from PIL import Image

    from kinflow.drawing.overlay import overlay
    from kinflow.drawing.sheets import contact_sheet
    from kinflow.perception.photos import read_photo

    worst = np.argsort(-aligned)[:count]
    images, labels = [], []
    for i in worst:
        rgb = read_photo(kept[i][0]).rgb
        images += [rgb, overlay(rgb, [results[i]])]
        labels += [f"{kept[i][0].stem} {aligned[i]:.0f} mm", ""]
    Image.fromarray(contact_sheet(images, 6, labels, (300, 300))).save(out)
    print(
        f"the worst {count}: {out}; "
        + ", ".join(f"{kept[i][0].stem} {aligned[i]:.0f}" for i in worst)
    )

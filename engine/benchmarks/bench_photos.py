"""kinflow bench photos: renders with known truth through the real detector and the fitter.

The renders are made by `render_people.py` into a folder (--folder, by default the cache). KA and
KA+BA, with and without the detector's 3D hints; median and mean errors in mm, 2D error against the
true joints' projections, mask IoU. With --worst N a contact sheet of the N worst is written.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from kinflow import Camera, FitResult, KinflowError, Observation, fit, load_body, observe
from kinflow.commands.bench import BenchPhotos
from kinflow.core.skeleton import METRIC_JOINTS
from kinflow.fitting.config import FitConfig
from kinflow.paths import cache_folder

from .tables import joint_errors, mesh_errors

LOSSES = ((("ka",), True), (("ka", "ba"), False), (("ka", "ba"), True))
SHOWN = "ka+ba parts, hints"


@dataclass(frozen=True)
class Render:
    """A photo and what is true of it. joints (24, 3) m in the camera's frame."""

    path: Path
    truth: dict

    @property
    def camera(self) -> Camera:
        return Camera(**self.truth["camera"])

    @property
    def joints(self) -> np.ndarray:
        return np.array(self.truth["joints"])

    def vertices(self) -> np.ndarray:
        """(V, 3) m in the camera's frame."""
        names = ("global_orient", "body_pose", "betas", "transl")
        parameters = [torch.tensor([self.truth[n]], dtype=torch.float32) for n in names]
        return load_body()(*parameters)[0][0].numpy()

    def find(self) -> Observation | None:
        """The observation whose hips are nearest to the true ones, with the true camera."""
        camera = self.camera
        pelvis = camera.project(self.joints[:1])[0]
        best, distance = None, 0.15 * max(camera.width, camera.height)
        for person in observe(self.path, parts=True):
            away = float(np.linalg.norm(person.keypoints[23:25].mean(0) - pelvis))
            if away < distance:
                best, distance = replace(person, camera=camera), away
        return best


def load_renders(folder: Path) -> list[Render]:
    """Every render with its truth. Raises KinflowError where there is none."""
    renders = [
        Render(p.with_suffix(".png"), json.loads(p.read_text("utf-8")))
        for p in sorted(folder.glob("*.json"))
    ]
    if not renders:
        raise KinflowError(
            f"There are no renders in {folder}.",
            "Make them: python -m engine.benchmarks.render_people FOLDER (needs bpy).",
        )
    return renders


def run(options: BenchPhotos) -> dict[str, float]:
    """Prints the table; returns the median PA-MPJPE of each row."""
    torch.set_num_threads(options.threads)
    renders = load_renders(options.folder or cache_folder() / "renders")
    pairs = [(render, render.find()) for render in renders]
    kept = [render for render, person in pairs if person is not None]
    people = [person for _, person in pairs if person is not None]
    print(f"{len(renders)} renders, the person found in {len(kept)}; the true camera is given")
    print(
        f"{'':>22} {'PA-MPJPE mm':>18} {'MPJPE mm':>18} {'MPVPE mm':>18} {'2D px':>6} "
        f"{'mask IoU':>8}   (median, mean)"
    )
    meshes = [render.vertices() for render in kept]
    medians: dict[str, float] = {}
    for hints in (True, False):
        for losses, parts in LOSSES:
            extent = "" if losses == ("ka",) else " parts" if parts else " mask"
            name = "+".join(losses) + extent + (", hints" if hints else "")
            shown = people if parts else [replace(p, parts=None) for p in people]
            results = fit(shown, losses=losses, config=FitConfig(hints=hints))
            aligned = print_row(name, results, kept, meshes)
            medians[name] = float(np.median(aligned))
            if options.worst and name == SHOWN:
                write_worst(options.worst, aligned, results, kept)
    return medians


def print_row(
    name: str, results: list[FitResult], kept: list[Render], meshes: list[np.ndarray]
) -> np.ndarray:
    """Prints errors; returns the PA-MPJPE of each person, mm."""
    joints = np.stack([render.joints for render in kept])
    plain, aligned = joint_errors([r.joints for r in results], joints)
    apart = [
        r.camera.project(r.joints.astype(float)) - r.camera.project(j)
        for r, j in zip(results, joints, strict=True)
    ]
    pixels = np.linalg.norm(apart, axis=-1)[:, list(METRIC_JOINTS)].mean()
    iou = np.median([r.mask_iou for r in results if r.mask_iou is not None])
    columns = [
        f"{np.median(v):.1f}, {v.mean():.1f}".rjust(18)
        for v in (aligned, plain, mesh_errors(results, joints, meshes))
    ]
    print(f"{name:>22} {' '.join(columns)} {pixels:>6.1f} {iou:>8.2f}", flush=True)
    return aligned


def write_worst(
    count: int, aligned: np.ndarray, results: list[FitResult], kept: list[Render]
) -> None:
    """A contact sheet of the worst, beside their photos, to worst.png."""
    from PIL import Image

    from kinflow.drawing.overlay import overlay
    from kinflow.drawing.sheets import contact_sheet
    from kinflow.perception.photos import read_photo

    worst = np.argsort(-aligned)[:count]
    images, labels = [], []
    for i in worst:
        rgb = read_photo(kept[i].path).rgb
        images += [rgb, overlay(rgb, [results[i]])]
        labels += [f"{kept[i].path.stem} {aligned[i]:.0f} mm", ""]
    out = Path("worst.png")
    Image.fromarray(contact_sheet(images, 6, labels, (300, 300))).save(out)
    names = ", ".join(f"{kept[i].path.stem} {aligned[i]:.0f}" for i in worst)
    print(f"the worst {count}: {out}; {names}")

"""kinflow bench photos: renders with known truth through the real detector and the fitter.

The renders are made by `render_people.py` (--folder, by default the cache). The true camera is
given; medians and means by kind of render: PA-MPJPE, pelvis-centred MPJPE, mean distance of the
projected from the true joints, mask IoU. With --old CHECKOUT that version's defaults come first,
and everybody counts whom both versions found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kinflow.commands.bench import BenchPhotos
from kinflow.core.skeleton import METRIC_JOINTS
from kinflow.paths import cache_folder
from kinflow.terminal import counted

from .render_scenes import KINDS
from .renders import Render, load_renders
from .tables import joint_errors
from .versions import ENGINE, Version

WORKER = (Path(__file__).parent / "photo_worker.py").read_text("utf-8")
DEFAULT = {"losses": ("ka", "ba"), "parts": False, "hints": True}
ROWS = {
    "ka+ba mask, hints": DEFAULT,
    "ka, hints": DEFAULT | {"losses": ("ka",)},
    "ka+ba parts, hints": DEFAULT | {"parts": True},
    "ka+ba mask": DEFAULT | {"hints": False},
}
JOINTS = list(METRIC_JOINTS)


@dataclass(frozen=True)
class Errors:
    """Of everybody of the renders in turn, NaN for who was not found: PA-MPJPE and MPJPE mm, 2D
    px, mask IoU (P,)."""

    aligned: np.ndarray
    plain: np.ndarray
    pixels: np.ndarray
    iou: np.ndarray

    @property
    def found(self) -> np.ndarray:
        return np.isfinite(self.plain)

    def row(self, who: np.ndarray) -> str:
        """Medians and means of some, (P,) bool."""
        columns = [f"{np.median(v[who]):6.1f} {v[who].mean():6.1f}" for v in self._lengths()]
        return "  ".join([*columns, f"{np.nanmedian(self.iou[who]):.2f}"])

    def _lengths(self) -> tuple[np.ndarray, ...]:
        return self.aligned, self.plain, self.pixels


def run(options: BenchPhotos) -> dict[str, float]:
    """Prints the tables; returns the medians of PA-MPJPE and MPJPE of each row."""
    kinds = options.kinds or KINDS
    folder = options.folder or cache_folder() / "renders" / "heldout"
    renders = load_renders(folder, kinds, options.count)
    rows = measure(Version(ENGINE.parent, WORKER, threads=options.threads), renders, ROWS)
    if options.old is not None:
        old = Version(options.old, WORKER, threads=options.threads)
        rows = measure(old, renders, {"old, defaults": DEFAULT}) | rows
    kind = np.array([render.kind for render in renders for _ in render.people])
    both = np.all([errors.found for errors in rows.values()], axis=0)
    print(f"{len(renders)} renders of {len(kind)} people; the true camera is given; median, mean")
    print(f"{'':>20} {'':>9} found of   PA-MPJPE mm     MPJPE mm         2D px    mask IoU")
    medians: dict[str, float] = {}
    for name, errors in rows.items():
        for group in (*kinds, "all") if len(kinds) > 1 else kinds:
            who = (kind == group) | (group == "all")
            counts = f"{np.sum(errors.found & who):>4} {who.sum():>4}"
            print(f"{name:>20} {group:>9} {counts}  {errors.row(who & both)}")
        medians[f"{name}, PA-MPJPE"] = float(np.median(errors.aligned[both]))
        medians[f"{name}, MPJPE"] = float(np.median(errors.plain[both]))
    return medians


def measure(
    version: Version, renders: Sequence[Render], rows: dict[str, dict[str, Any]]
) -> dict[str, Errors]:
    """Observes and fits by one version."""
    everybody: dict[str, list[np.ndarray]] = {name: [] for name in rows}
    for render in counted(renders, "Observing and fitting", "photos"):
        task = {"photo": str(render.path), "camera": render.truth["camera"]}
        answer = version.ask(task | {"fits": list(rows.values())})
        whose = render.match([np.array(p["keypoints"]) for p in answer["people"]])
        for name, fitted in zip(rows, answer["fits"], strict=True):
            everybody[name] += [
                np.full(4, np.nan) if index is None else _errors(render, number, fitted[index])
                for number, index in enumerate(whose)
            ]
    return {name: Errors(*np.array(values).T) for name, values in everybody.items()}


def _errors(render: Render, number: int, fitted: dict[str, Any]) -> np.ndarray:
    """PA-MPJPE, MPJPE, px and IoU of one person."""
    truth = render.people[number].joints
    plain, aligned = joint_errors([np.array(fitted["joints"])], [truth])[:, 0]
    apart = np.array(fitted["pixels"]) - render.camera.project(truth)
    iou = np.nan if fitted["mask_iou"] is None else fitted["mask_iou"]
    return np.array([aligned, plain, np.linalg.norm(apart, axis=-1)[JOINTS].mean(), iou])

"""kinflow bench scene: photos of people on one floor before a camera that looks up or down.

The renders are made by `render_ground.py` (--folder, by default the cache); the true focal length
is given, as EXIF gives it. With --old CHECKOUT that version is measured in the same run and
everybody counts whom both found. Pitch, floor and clearance are those of a version's own world; the
trunk's angle and the hips-centred MPJPE are taken before the camera, as the labels of photos have
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kinflow.commands.bench import BenchScene
from kinflow.core.skeleton import JOINT_INDEX
from kinflow.gravity import gravity_of, pitch_and_roll
from kinflow.paths import cache_folder
from kinflow.terminal import counted

from .renders import Render, load_renders
from .versions import ENGINE, Version

WORKER = (Path(__file__).parent / "scene_worker.py").read_text("utf-8")
LIMBS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
CENTRED = [JOINT_INDEX[f"{side}_{limb}"] for limb in LIMBS for side in ("left", "right")]
HIPS, SHOULDERS = [1, 2], [16, 17]
STANDING = ("stand", "walk")
MEASURES = ("mpjpe", "trunk", "sole", "clearance", "pelvis")


@dataclass(frozen=True)
class Rows:
    """Of every true person in turn: the photo (P,), posture, and MEASURES (P, 5) in mm, degrees and
    cm, NaN where not found or not asked for; of every photo pitch and roll error (F, 2) in degrees,
    NaN where nobody was found, and whether the range holds the true pitch (F,), None without one.
    """

    photo: np.ndarray
    posture: np.ndarray
    measures: np.ndarray
    camera: np.ndarray
    covered: list[bool | None]

    def column(self, name: str, who: np.ndarray) -> np.ndarray:
        """One measure of some (P,) bool, where it is there."""
        values = self.measures[who, MEASURES.index(name)]
        return values[np.isfinite(values)]


def run(options: BenchScene) -> dict[str, float]:
    """Prints the table; returns medians of this version."""
    folder = options.folder or cache_folder() / "ground"
    checkouts = {} if options.old is None else {"old": options.old}
    versions = {
        name: Version(path, WORKER, threads=options.threads)
        for name, path in (checkouts | {"new": ENGINE.parent}).items()
    }
    renders = load_renders(folder / "several", ("ground",), options.count)
    rows = {name: measure(version, renders) for name, version in versions.items()}
    both = np.all([np.isfinite(r.measures[:, 0]) for r in rows.values()], axis=0)
    print(f"{len(renders)} photos of {len(both)} people, {both.sum()} found; median / 90th")
    for name, one in rows.items():
        print_rows(name, one, both)
    if "old" in rows:
        print(paired(rows["old"], rows["new"], both))
    alone = load_renders(folder / "single", ("ground",), options.count)
    one = measure(versions["new"], alone)
    known = [c for c in one.covered if c is not None]
    pitch = np.abs(one.camera[np.isfinite(one.camera[:, 0]), 0])
    print(
        f"{len(alone)} photos of one person: pitch {spread(pitch)} degrees, assumed in "
        f"{len(one.covered) - len(known)}; the true pitch in the stated 90 % range in "
        f"{100 * np.mean(known):.0f} % of {len(known)}"
    )
    new = rows["new"]
    medians = {name: float(np.median(new.column(name, both))) for name in MEASURES}
    return medians | {"covered": float(np.mean(known))}


def measure(version: Version, renders: Sequence[Render]) -> Rows:
    """Observes and fits by one version."""
    photo, posture, measures, camera, covered = [], [], [], [], []
    for number, render in enumerate(counted(renders, "Observing and fitting", "photos")):
        answer = version.ask({"photo": str(render.path), "camera": render.truth["camera"]})
        whose = render.match([np.array(p["keypoints"]) for p in answer["people"]])
        fits, truth = answer["fits"], render.truth
        for index, person in zip(whose, render.shown, strict=True):
            photo.append(number)
            posture.append(person["posture"])
            blank = np.full(len(MEASURES), np.nan)
            measures.append(blank if index is None else errors(fits[index], person, truth))
        angles = np.array(pitch_and_roll(np.array(fits[0]["gravity"])) if fits else (np.nan,) * 2)
        camera.append(angles - (truth["pitch"], truth["roll"]))
        limits = fits[0]["pitch_range"] if fits else None
        covered.append(None if limits is None else bool(limits[0] < truth["pitch"] < limits[1]))
    return Rows(np.array(photo), np.array(posture), np.array(measures), np.array(camera), covered)


def errors(fitted: dict[str, Any], person: dict[str, Any], truth: dict[str, Any]) -> np.ndarray:
    """MEASURES of one person; NaN what the posture does not ask for."""
    joints, true = np.array(fitted["joints"]), np.array(person["joints"])
    apart = centred(joints) - centred(true)
    trunks = [trunk(j) for j in (joints, true)]
    angle = np.degrees(np.arccos(np.clip(trunks[0] @ trunks[1], -1, 1)))
    clearance = fitted["floor"] - fitted["lowest"]
    pelvis = fitted["floor"] - joints[0] @ np.array(fitted["gravity"])
    true_pelvis = truth["camera_height"] - true[0] @ gravity_of(truth["pitch"], truth["roll"])
    posture = person["posture"]
    return np.array(
        [
            1e3 * np.linalg.norm(apart, axis=-1)[CENTRED].mean(),
            angle,
            100 * abs(clearance) if posture in STANDING else np.nan,
            100 * abs(clearance - person["clearance"]) if posture == "jump" else np.nan,
            100 * abs(pelvis - true_pelvis) if posture == "sit" else np.nan,
        ]
    )


def centred(joints: np.ndarray) -> np.ndarray:
    """(24, 3) about the middle of the hips."""
    return joints - joints[HIPS].mean(0)


def trunk(joints: np.ndarray) -> np.ndarray:
    """Direction from the hips to the shoulders. (24, 3) -> (3,)."""
    way = joints[SHOULDERS].mean(0) - joints[HIPS].mean(0)
    return way / np.linalg.norm(way)


def spread(values: np.ndarray) -> str:
    """Median and 90th percentile."""
    if not len(values):
        return "-"
    return f"{np.median(values):.1f} / {np.percentile(values, 90):.1f}"


def print_rows(name: str, rows: Rows, who: np.ndarray) -> None:
    """One version's figures."""
    camera = np.abs(rows.camera[np.isfinite(rows.camera[:, 0])])
    print(
        f"{name:>4}: pitch {spread(camera[:, 0])}, roll {spread(camera[:, 1])} degrees; sole to "
        f"floor {spread(rows.column('sole', who))} cm; trunk {spread(rows.column('trunk', who))} "
        f"degrees; hips-centred MPJPE {spread(rows.column('mpjpe', who))} mm; jumper's clearance "
        f"{spread(rows.column('clearance', who))} cm; sitter's pelvis "
        f"{spread(rows.column('pelvis', who))} cm"
    )
    for posture in np.unique(rows.posture):
        mine = who & (rows.posture == posture)
        print(f"{posture:>12} {mine.sum():>4}: MPJPE {spread(rows.column('mpjpe', mine))} mm")


def paired(old: Rows, new: Rows, who: np.ndarray) -> str:
    """Change of the hips-centred MPJPE with its 95 % interval by bootstrap over photos."""
    before, after = old.measures[who, 0], new.measures[who, 0]
    photo, random = old.photo[who], np.random.default_rng(0)
    by_photo = [np.flatnonzero(photo == number) for number in np.unique(photo)]
    changes = []
    for _ in range(2000):
        rows = np.concatenate(
            [by_photo[i] for i in random.integers(0, len(by_photo), len(by_photo))]
        )
        changes.append(100 * (after[rows].mean() / before[rows].mean() - 1))
    low, high = np.percentile(changes, [2.5, 97.5])
    change = 100 * (after.mean() / before.mean() - 1)
    return (
        f"hips-centred MPJPE, means: {before.mean():.1f} -> {after.mean():.1f} mm, "
        f"{change:+.1f} % [{low:+.1f}, {high:+.1f}]"
    )

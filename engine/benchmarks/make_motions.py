"""python -m benchmarks.make_motions MOCAP_FOLDER: data/heldout_motions.npz, validation_motions.npz.

Some pieces of each kind of motion, at most FRAMES long, from the calmest to the busiest, on our
body with feet that stand (`true_contacts`). All frames in one row; `first` says where each piece
begins.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kinflow.bodies.contacts import contact_table, contacts
from kinflow.bodies.files import load_body_arrays
from kinflow.bodies.tables import body_table
from kinflow.core.arrays import numpy_backend
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.body import pose_skeleton
from kinflow.core.points import pose_points
from kinflow.core.rotations import matrix_to_axis_angle
from kinflow.mocap.clip import Clip
from kinflow.mocap.dataset import Recording, load_recordings

from .true_contacts import stand

DATA = Path(__file__).parent / "data"
FPS, FRAMES, FEWEST = 30, 120, 30
SPLITS = {"test": ("heldout_motions.npz", 3), "validation": ("validation_motions.npz", 1)}
MORE = {"walking, running": 2, "ball games": 1}  # pieces beyond the usual number
CLIMBING = "ladders, steps"
SOLES = 8


@dataclass(frozen=True)
class Piece:
    """Some frames of a recording, and how much they move."""

    recording: Recording
    frames: slice
    busy: float


def main(mocap: Path) -> None:
    for split, (name, most) in SPLITS.items():
        pieces = choose(load_recordings(mocap, (split,)), most)
        random = np.random.default_rng(len(pieces))
        rows = [solved(piece, random.normal(0, 0.8, 10)) for piece in pieces]
        sizes = [len(row["pose"]) for row in rows]
        columns = {k: np.concatenate([row[k] for row in rows]) for k in rows[0]}
        np.savez_compressed(
            DATA / name,
            names=np.array([p.recording.clip.name for p in pieces]),
            kinds=np.array([p.recording.kind for p in pieces]),
            performers=np.array([p.recording.performer for p in pieces]),
            first=np.cumsum([0, *sizes]),
            **columns,
        )
        print(f"{name}: {len(pieces)} pieces, {sum(sizes)} frames")
        for piece, row in zip(pieces, rows, strict=True):
            print(f"  {piece.recording.clip.name}, {piece.recording.kind}: {said(row)}")


def step_of(clip: Clip) -> int:
    """Every how many frames FPS is nearly reached."""
    return max(1, round(clip.fps / FPS))


def pieces_of(recording: Recording) -> list[Piece]:
    """Pieces that do not overlap."""
    clip, every = recording.clip, step_of(recording.clip)
    frames, found = len(clip) // every, []
    for begin in range(0, max(1, frames - FRAMES + 1), FRAMES):
        end = min(begin + FRAMES, frames)
        if end - begin >= FEWEST:
            rows = slice(begin * every, end * every, every)
            change = np.abs(np.diff(clip.body_pose[rows], axis=0)).sum((1, 2, 3))
            found.append(Piece(recording, rows, float(change.mean())))
    return found


def choose(recordings: list[Recording], most: int) -> list[Piece]:
    """Of each kind, from the calmest to the busiest, of as many recordings as there are."""
    chosen: list[Piece] = []
    for kind in sorted({r.kind for r in recordings}):
        pieces = [p for r in recordings if r.kind == kind for p in pieces_of(r)]
        pieces.sort(key=lambda piece: -piece.busy)
        names = [p.recording.clip.name for p in pieces]
        firsts = [p for i, p in enumerate(pieces) if names[i] not in names[:i]]
        count = most + MORE.get(kind, 0)
        pieces = firsts if len(firsts) >= count else pieces
        ranks = np.linspace(0, len(pieces) - 1, min(count, len(pieces))).round().astype(int)
        chosen += [pieces[i] for i in ranks]
    return chosen


def solved(piece: Piece, betas: np.ndarray) -> dict[str, np.ndarray]:
    """Axis-angles, the solved way, labels and shape of one piece, a row a frame."""
    clip: Clip = piece.recording.clip
    pose, root = clip.body_pose[piece.frames], clip.global_orient[piece.frames]
    body, backend = load_body_arrays(), numpy_backend(np.float64)
    rotations = np.concatenate((root[:, None], pose), 1)
    shapes = np.tile(betas, (len(pose), 1))
    skeleton = pose_skeleton(xp, body_table(body, backend), rotations, shapes)
    places = pose_points(xp, contact_table(body, backend), skeleton).places
    soles = places[:, [i for i, c in enumerate(contacts(body)) if "foot" in c.limb]]
    assert soles.shape[1] == SOLES
    climbing = piece.recording.kind == CLIMBING
    standing = stand(soles, clip.transl[piece.frames], climbing)
    return {
        "pose": matrix_to_axis_angle(xp, pose).astype(np.float32),
        "global_orient": matrix_to_axis_angle(xp, root).astype(np.float32),
        "transl": standing.transl.astype(np.float32),
        "betas": shapes.astype(np.float32),
        "contact": standing.contact,
        "soles": (soles + standing.transl[:, None]).astype(np.float32),
    }


def said(row: dict[str, np.ndarray]) -> str:
    """How well the truth stands."""
    both = row["contact"][1:] & row["contact"][:-1]
    step = 1e3 * np.linalg.norm(np.diff(row["soles"], axis=0), axis=-1)[both]
    low = 1e3 * row["soles"][..., 1].min(1)
    slides = (
        f"{np.mean(step):.1f} mm a frame, {100 * np.mean(step > 2):.0f} % over 2"
        if step.size
        else "-"
    )
    return (
        f"{len(low)} frames, {100 * row['contact'].any(1).mean():.0f} % in contact, {slides}, "
        f"lowest point {np.quantile(low, 0.05):.0f} to {np.quantile(low, 0.95):.0f} mm"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))

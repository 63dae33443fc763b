"""Whether chosen files are one motion: a video, or numbered frames (no bpy)."""

import re
from itertools import pairwise
from pathlib import PurePath

from kinflow.batch.sources import VIDEO_SUFFIXES

FILLED = 0.75  # of the numbers from the first frame to the last


def are_one_motion(names: list[str]) -> bool:
    """A single video; or pictures of one name and suffix, numbered with few gaps."""
    paths = [PurePath(name) for name in names]
    videos = [path.suffix.lower() in VIDEO_SUFFIXES for path in paths]
    if any(videos):
        return len(paths) == 1
    matches = [re.fullmatch(r"(.*?)(\d+)", path.stem) for path in paths]
    if len(paths) < 2 or not all(matches):
        return False
    stems = {(match[1], path.suffix.lower()) for match, path in zip(matches, paths, strict=True)}
    numbers = sorted(int(match[2]) for match in matches)
    gaps = [b - a for a, b in pairwise(numbers)]
    if len(stems) > 1 or min(gaps) == 0:
        return False
    span = (numbers[-1] - numbers[0]) // min(gaps) + 1
    return len(numbers) >= FILLED * span


def in_order(names: list[str]) -> list[str]:
    """By name, numbers by their size: frame 9 before frame 10."""
    return sorted(
        names,
        key=lambda name: [
            (0, int(part), "") if part.isdigit() else (1, 0, part.lower())
            for part in re.split(r"(\d+)", name)
        ],
    )

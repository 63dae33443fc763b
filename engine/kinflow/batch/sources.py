"""What is to be fitted: photos of folders, of patterns, and the frames of videos, as one ordered list of names."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import KinflowError, PhotoError

PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}
VIDEO_SUFFIXES = {".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v"}


@dataclass(frozen=True)
class Source:
    """One photo, or one frame of a video. stem: name of its outputs; given: a keypoint file instead of the detector."""

    path: str
    stem: str
    index: int
    frame: int | None = None
    given: str | None = None

    @property
    def key(self) -> str:
        """What the journal and the report call it."""
        return self.path if self.frame is None else f"{self.path}#{self.frame}"

    def stamp(self) -> list[list[int] | None]:
        """Size and time of its files: a photo that was changed since is another one."""
        stamps: list[list[int] | None] = []
        for path in (self.path, self.given):
            try:
                known = None if path is None else os.stat(path)
                stamps.append(None if known is None else [known.st_size, known.st_mtime_ns])
            except OSError:
                stamps.append(None)
        return stamps


def list_sources(inputs: Sequence[Path], given: Sequence[Path] = ()) -> list[Source]:
    """Photos, folders, patterns and videos -> sources, each named once, with distinct stems.

    A path that is not there stays in the list, and fails with a sentence of its own. Raises KinflowError where there is
    nothing at all, or where the keypoint files are not one a photo.
    """
    found: list[tuple[str, int | None]] = []
    for item in inputs:
        found += _expand(item)
    found = list(dict.fromkeys(found))
    if not found:
        raise KinflowError(
            "No photo was given.",
            "Name photos, folders of photos, a pattern such as 'shots/*.jpg', or a video.",
        )
    if given and len(given) != len(found):
        raise KinflowError(
            f"{len(given)} keypoint files are given for {len(found)} photos.",
            "Give one a photo, in the same order.",
        )
    seen: dict[str, int] = {}
    sources = []
    for index, (path, frame) in enumerate(found):
        stem = Path(path).stem if frame is None else f"{Path(path).stem}.{frame:06d}"
        seen[stem] = seen.get(stem, 0) + 1
        name = stem if seen[stem] == 1 else f"{stem}-{seen[stem]}"
        sources.append(Source(path, name, index, frame, str(given[index]) if given else None))
    return sources


def _expand(item: Path) -> list[tuple[str, int | None]]:
    if item.is_dir():
        return [
            (str(p), None) for p in sorted(item.iterdir()) if p.suffix.lower() in PHOTO_SUFFIXES
        ]
    if item.suffix.lower() in VIDEO_SUFFIXES:
        return [(str(item), frame) for frame in range(_frames(item))]
    if not item.exists() and any(c in str(item) for c in "*?["):
        return [pair for path in sorted(glob.glob(str(item))) for pair in _expand(Path(path))]
    return [(str(item), None)]


def _frames(path: Path) -> int:
    import cv2

    video = cv2.VideoCapture(str(path))
    count = int(video.get(cv2.CAP_PROP_FRAME_COUNT)) if video.isOpened() else 0
    video.release()
    if count <= 0:
        raise PhotoError(
            f"{path} cannot be read as a video.", "Give an MP4, MOV, AVI, MKV or WebM video."
        )
    return count


def read_frames(sources: Iterable[Source]) -> Iterator[np.ndarray | PhotoError]:
    """Frames (H, W, 3) uint8 RGB in the order of the sources; one that cannot be read is its error. One frame in memory."""
    import cv2

    video, opened, position = None, None, -1
    try:
        for source in sources:
            if source.path != opened:
                if video is not None:
                    video.release()
                video, opened, position = cv2.VideoCapture(source.path), source.path, 0
            assert video is not None and source.frame is not None
            if source.frame != position:
                video.set(cv2.CAP_PROP_POS_FRAMES, source.frame)
            good, image = video.read()
            position = source.frame + 1
            yield (
                image[..., ::-1].copy()
                if good
                else PhotoError(f"Frame {source.frame} of {source.path} cannot be read.")
            )
    finally:
        if video is not None:
            video.release()


def units_of(sources: Sequence[Source], size: int) -> list[tuple[Source, ...]]:
    """Consecutive sources in units of work; a unit is fitted in one batch and journalled as a whole."""
    return [tuple(sources[i : i + size]) for i in range(0, len(sources), size)]

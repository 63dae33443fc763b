"""What is to be fitted: photos of folders, of patterns, and the frames of videos, in order."""

import glob
import os
import stat
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

import numpy as np

from ..errors import InvalidInputError, PhotoError

PHOTO_SUFFIXES = {".jpg", ".jpeg", ".jfif", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp"}
PHOTO_SUFFIXES |= {".heic", ".heif", ".avif"}  # with the extra kinflow[heif]
VIDEO_SUFFIXES = {".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v"}
VIDEO_SUFFIXES |= {".wmv", ".3gp", ".flv"}  # of .mpg, OpenCV does not know the length
Image = np.ndarray | PhotoError | None  # a video's, (H, W, 3) uint8 RGB, or why not; else None
LONGEST_STEM = 200  # bytes: file systems allow 255, and the results' suffixes come after it


@dataclass(frozen=True)
class Source:
    """One photo, or one frame of a video.

    stem: what its results are called. keypoint_file: the keypoints, instead of the detector.
    """

    path: str
    stem: str
    index: int
    frame: int | None = None
    keypoint_file: str | None = None

    @property
    def key(self) -> str:
        """What the report calls it."""
        return self.path if self.frame is None else f"{self.path}#{self.frame}"

    @property
    def identity(self) -> bytes:
        """What it is, whatever the working folder: "p.jpg" here and there are two photos."""
        frame = "" if self.frame is None else f"#{self.frame}"
        return os.fsencode(os.path.abspath(self.path) + frame)

    def stamp(self) -> list[list[int] | None]:
        """Size and time of its files: a photo that was changed since is another one."""
        stamps: list[list[int] | None] = []
        for path in (self.path, self.keypoint_file):
            try:
                known = None if path is None else os.stat(path)
                stamps.append(None if known is None else [known.st_size, known.st_mtime_ns])
            except OSError:
                stamps.append(None)
        return stamps


def list_sources(inputs: Sequence[Path], keypoint_files: Sequence[Path] = ()) -> list[Source]:
    """Photos, folders, patterns and videos -> sources, each once, with distinct stems.

    Raises InvalidInputError for a path that is not there, is no file or cannot be entered, for a
    folder or pattern without photos, and where the keypoint files are not one a photo.
    """
    expanded: dict[tuple[str, int | None], str] = {}
    for item in inputs:
        for path, frame in _expand(item):
            expanded.setdefault((os.path.abspath(path), frame), path)
    if not expanded:
        raise InvalidInputError(
            "No photo was given.",
            "Name photos, folders of photos, a pattern such as 'shots/*.jpg', or a video.",
        )
    if keypoint_files and len(keypoint_files) != len(expanded):
        raise InvalidInputError(
            f"{len(keypoint_files)} keypoint files are given for {len(expanded)} photos.",
            "Give one a photo, in the same order.",
        )
    for file in keypoint_files:
        _check_file(file)
    files: list[str | None] = [str(file) for file in keypoint_files]
    pairs = enumerate(zip_longest(expanded.items(), files))
    return name_sources([Source(p, "", i, frame, file) for i, (((_, frame), p), file) in pairs])


def name_sources(
    sources: Sequence[Source],
    known: Mapping[bytes, str] | None = None,
    reserved: Collection[str] = (),
) -> list[Source]:
    """The sources with stems that no two share, whether or not upper and lower case differ.

    known: stems by identity that are kept. reserved: folded stems (see `fold`) to leave free.
    A photo whose name nobody else has keeps it; of several, the first keeps it.
    """
    known = known or {}
    natural = {source.identity: _natural_stem(source) for source in sources}
    wished = {fold(stem) for stem in natural.values()}
    taken = {fold(stem) for stem in known.values()} | set(reserved)
    counts: dict[str, int] = {}
    named = []
    for source in sources:
        stem = known.get(source.identity)
        if stem is None:
            stem = wish = natural[source.identity]
            while fold(stem) in taken or (stem != wish and fold(stem) in wished):
                counts[wish] = counts.get(wish, 1) + 1
                stem = f"{wish}-{counts[wish]}"
            taken.add(fold(stem))
        named.append(replace(source, stem=stem))
    return named


def fold(stem: str) -> str:
    """What a file system may take for the same name."""
    return unicodedata.normalize("NFC", stem).casefold()


def _natural_stem(source: Source) -> str:
    stem = Path(source.path).stem
    while len(os.fsencode(stem)) > LONGEST_STEM:
        stem = stem[:-1]
    return stem if source.frame is None else f"{stem}.{source.frame:06d}"


def _expand(item: Path) -> list[tuple[str, int | None]]:
    try:
        if item.is_dir():
            paths = sorted(p for p in item.iterdir() if p.suffix.lower() in PHOTO_SUFFIXES)
            if not paths:
                raise InvalidInputError(f"{item} holds no photo.", "Check the folder.")
            return [(str(p), None) for p in paths]
        if not item.exists() and any(c in str(item) for c in "*?["):
            matches = sorted(glob.glob(str(item)))
            if not matches:
                raise InvalidInputError(f"No photo matches {item}.", "Check the pattern.")
            return [pair for path in matches for pair in _expand(Path(path))]
    except OSError as error:
        raise InvalidInputError(
            f"{item} cannot be read: {error.strerror}.", "Check its permissions."
        ) from error
    _check_file(item)
    if item.suffix.lower() in VIDEO_SUFFIXES:
        return [(str(item), frame) for frame in range(_frames(item))]
    return [(str(item), None)]


def _check_file(path: Path) -> None:
    """Raises InvalidInputError for what is no file; a pipe of that name would be waited for."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise InvalidInputError(f"There is no file {path}.", "Check the path.") from error
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"{path} cannot be read: {error}.", "Check the path.") from error
    if not stat.S_ISREG(mode):
        raise InvalidInputError(f"{path} is no file with a photo.", "Give a photo or a video.")


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


def read_frames(sources: Iterable[Source]) -> Iterator[Image]:
    """Frames in the order of the sources, one in memory at a time; None for a photo."""
    import cv2

    video, opened, position = None, None, -1
    try:
        for source in sources:
            if source.frame is None:
                yield None
                continue
            if video is None or source.path != opened:
                if video is not None:
                    video.release()
                video, opened, position = cv2.VideoCapture(source.path), source.path, 0
            if source.frame != position:
                video.set(cv2.CAP_PROP_POS_FRAMES, source.frame)
            good, image = video.read()
            position = source.frame + 1
            lost = PhotoError(f"Frame {source.frame} of {source.path} cannot be read.")
            yield image[..., ::-1].copy() if good else lost
    finally:
        if video is not None:
            video.release()


def units_of(sources: Sequence[Source], size: int) -> list[tuple[Source, ...]]:
    """Consecutive sources in units of work; a unit is fitted in one batch, journalled whole."""
    return [tuple(sources[i : i + size]) for i in range(0, len(sources), size)]

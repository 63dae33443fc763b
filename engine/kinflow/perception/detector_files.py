"""The detector's networks: which files they are, and getting them.

MediaPipe's wheel 0.10.21 (Apache-2.0) carries them. pip fetches it as a file, it is read as a zip
and never installed. The heavy landmark network comes from MediaPipe's npm package or its maker's
address.
"""

import hashlib
import importlib.util
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from ..errors import DetectorError
from ..paths import cache_folder
from ..userfiles import check_size, parsing, read_bytes, replacing
from .tflite import shapes_of

Choice = Literal["full", "heavy"]
Report = Callable[[str], None]
WHEEL = ("mediapipe", "0.10.21")
TAGS = "--python-version 3.11 --implementation cp --abi cp311 --platform manylinux_2_28_x86_64"
NPM_PACKAGE = "@mediapipe/pose@0.5.1675469404"
MAKER = (
    "https://storage.googleapis.com/mediapipe-models/pose_landmarker/pose_landmarker_heavy/"
    "float16/1/pose_landmarker_heavy.task"
)
BODY, FACE = "pose_detection.tflite", "face_detection_full_range_sparse.tflite"
LANDMARKS: dict[Choice, str] = {
    "full": "pose_landmark_full.tflite",
    "heavy": "pose_landmark_heavy.tflite",
}
MAX_MB = 64
# file in the wheel, sha256
_PUBLISHED = {
    "pose_detection/pose_detection.tflite": (
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c"
    ),
    "pose_landmark/pose_landmark_full.tflite": (
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f"
    ),
    "face_detection/face_detection_full_range_sparse.tflite": (
        "2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1"
    ),
}
_LANDMARK_SHAPES = ((1, 195), (1, 1), (1, 256, 256, 1), (1, 64, 64, 39), (1, 117))
_AGAIN = "Run: kinflow setup"


def detector_folder() -> Path:
    """Where the networks and the note of the choice lie."""
    return cache_folder() / "detector"


def chosen() -> Choice:
    """The landmark network that `kinflow setup --detector` noted; full where it noted none."""
    note = detector_folder() / "choice.json"
    try:
        value = json.loads(note.read_text("utf-8"))["landmarks"]
    except (OSError, ValueError, KeyError, TypeError):
        return "full"
    return "heavy" if value == "heavy" else "full"


def network_file(name: str) -> Path | None:
    """A network's file where it is there."""
    path = detector_folder() / name
    return path if path.is_file() else None


def needed(report: Report = lambda line: None) -> tuple[Path, Path, Path]:
    """Files of the person detector, the face detector and the landmarks, fetched if missing.

    Raises DetectorError.
    """
    names = (BODY, FACE, LANDMARKS[chosen()])
    if not all(network_file(name) for name in names):
        set_up(chosen(), None, report)
    body, face, landmarks = (detector_folder() / name for name in names)
    return body, face, landmarks


def set_up(choice: Choice, file: Path | None, report: Report, visible: bool = False) -> Path:
    """Gets the networks and notes the choice. -> the landmark network's file.

    file: what is at hand: MediaPipe's wheel 0.10.21, or for heavy a .tflite, a .task or the npm
    package's .tgz. visible: pip shows on the terminal how far it is. Raises DetectorError.
    """
    folder = detector_folder()
    folder.mkdir(parents=True, exist_ok=True)
    wheel = file if file is not None and file.suffix == ".whl" else None
    if not all(network_file(name) for name in (BODY, FACE, LANDMARKS["full"])):
        with tempfile.TemporaryDirectory() as temporary:
            if wheel is None:
                report("Fetching the detector's networks (36 MB, once) ...")
            _unpack_wheel(wheel or _fetch_wheel(Path(temporary), visible))
    target = folder / LANDMARKS[choice]
    if choice == "heavy" and (file is not None or not target.is_file()):
        _write_heavy(target, _heavy_bytes(file, report))
    with replacing(folder / "choice.json", DetectorError) as temporary_note:
        temporary_note.write_text(json.dumps({"landmarks": choice}), "utf-8")
    report(f"Detector ready: {target}")
    return target


def _fetch_wheel(folder: Path, visible: bool) -> Path:
    options = f"--disable-pip-version-check --no-deps --only-binary=:all: {TAGS}"
    command = [*_pip(), "download", *options.split(), "--dest", str(folder), "==".join(WHEEL)]
    output = sys.stderr if visible else subprocess.DEVNULL
    done = subprocess.run(
        command,
        stdout=output,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        encoding="utf-8",
        errors="replace",
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        last = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise DetectorError(
            f"The detector's networks could not be fetched: {last}",
            "Check the network, or give the wheel: kinflow setup --file mediapipe-0.10.21-….whl",
        )
    return wheels[0]


def _pip() -> list[str]:
    """pip's command: of this Python, or, in an environment of uv, which has none, by uv."""
    if importlib.util.find_spec("pip") is None and (uv := shutil.which("uv")):
        return [uv, "tool", "run", "--python", "3.11", "pip"]
    return [sys.executable, "-m", "pip"]


def _unpack_wheel(wheel: Path) -> None:
    """The networks of MediaPipe's wheel, checked against what was published."""
    hint = "Give the wheel of mediapipe 0.10.21."
    with parsing(wheel, hint, DetectorError, "wheel"), zipfile.ZipFile(wheel) as archive:
        for source, digest in _PUBLISHED.items():
            member = archive.getinfo(f"mediapipe/modules/{source}")
            check_size(member.file_size, MAX_MB, source, DetectorError)
            data = archive.read(member)
            if hashlib.sha256(data).hexdigest() != digest:
                why = f"{source} in {wheel.name} is not the published file."
                raise DetectorError(why, "Fetch it again.")
            target = detector_folder() / source.split("/")[-1]
            with replacing(target, DetectorError) as temporary:
                temporary.write_bytes(data)


def _heavy_bytes(file: Path | None, report: Report) -> bytes:
    """The heavy network from a file at hand, by npm, or from its maker."""
    if file is not None and file.suffix != ".whl":
        return _network_in(read_bytes(file, MAX_MB, DetectorError, "Check the path."), str(file))
    if npm := shutil.which("npm"):
        report("Fetching the heavy network by npm (20 MB, once) ...")
        with tempfile.TemporaryDirectory() as folder:
            command = [npm, "pack", "--silent", "--pack-destination", folder, NPM_PACKAGE]
            subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
            for package in Path(folder).glob("*.tgz"):
                return _network_in(read_bytes(package, MAX_MB, DetectorError), NPM_PACKAGE)
    report("Fetching the heavy network from its maker (30 MB, once) ...")
    try:
        with urllib.request.urlopen(MAKER, timeout=60) as answer:
            data = answer.read((MAX_MB << 20) + 1)
    except (OSError, ValueError) as error:
        raise DetectorError(
            f"The heavy network could not be fetched: {error}.",
            "Give its file: kinflow setup --detector heavy --file pose_landmarker_heavy.task",
        ) from error
    return _network_in(data, MAKER)


def _network_in(data: bytes, name: str) -> bytes:
    """The landmark network in a .tflite, in a .task (a zip) or in npm's .tgz."""
    hint = "Give pose_landmark_heavy.tflite, pose_landmarker_heavy.task or npm's @mediapipe/pose."
    with parsing(name, hint, DetectorError, "network"):
        if data[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                member = archive.getinfo("pose_landmarks_detector.tflite")
                check_size(member.file_size, MAX_MB, name, DetectorError)
                return archive.read(member)
        if data[:2] == b"\x1f\x8b":
            with tarfile.open(fileobj=io.BytesIO(data)) as package:
                entry = package.getmember(f"package/{LANDMARKS['heavy']}")
                check_size(entry.size, MAX_MB, name, DetectorError)
                stream = package.extractfile(entry)
                assert stream is not None
                return stream.read()
    return data


def _write_heavy(target: Path, data: bytes) -> None:
    """Writes a landmark network that has the right inputs and outputs."""
    hint = "Give pose_landmark_heavy.tflite of MediaPipe."
    if data[4:8] != b"TFL3" or not 8 << 20 < len(data) < MAX_MB << 20:
        raise DetectorError("The file is no heavy landmark network.", hint)
    with replacing(target, DetectorError) as temporary:
        temporary.write_bytes(data)
        if shapes_of(temporary) != ((1, 256, 256, 3), *_LANDMARK_SHAPES):
            raise DetectorError("The network has other inputs or outputs.", hint)

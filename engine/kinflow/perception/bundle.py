"""The detector's model bundle, made from a published wheel's files.

MediaPipe's wheel carries no pose models since 0.10.22. The last one that does (0.10.21, Apache-2.0)
is fetched by pip as a file and read as a zip; it is never installed. The Tasks API wants
normalisation metadata inside the models, which are added here, and both models uncompressed in one
zip.
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from ..errors import DetectorError
from ..paths import cache_folder
from ..userfiles import replacing

WHEEL = ("mediapipe", "0.10.21")
TAGS = "--python-version 3.11 --implementation cp --abi cp311 --platform manylinux_2_28_x86_64"
BUNDLE_NAME = "pose_landmarker_full-1.task"
OFFICIAL_NAMES = ("pose_landmarker_heavy.task", "pose_landmarker_full.task")
# file in the wheel, name in the bundle, sha256, mean and deviation of the input
_MODELS = (
    (
        "mediapipe/modules/pose_detection/pose_detection.tflite",
        "pose_detector.tflite",
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
        127.5,
        127.5,
    ),
    (
        "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
        "pose_landmarks_detector.tflite",
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
        0.0,
        255.0,
    ),
)


def find_bundle() -> Path | None:
    """An official bundle from the user in the cache folder, else the one made here, else None."""
    paths = (cache_folder() / name for name in (*OFFICIAL_NAMES, BUNDLE_NAME))
    return next((path for path in paths if path.is_file()), None)


def _metadata(mean: float, deviation: float) -> bytes:
    """TFLite's ModelMetadata with NormalizationOptions for an image input."""
    import flatbuffers
    from mediapipe.tasks.metadata import metadata_schema_py_generated as metadata

    options = metadata.NormalizationOptionsT()
    options.mean, options.std = [mean], [deviation]
    unit = metadata.ProcessUnitT()
    unit.optionsType, unit.options = metadata.ProcessUnitOptions.NormalizationOptions, options
    properties = metadata.ImagePropertiesT()
    properties.colorSpace = metadata.ColorSpaceType.RGB
    content = metadata.ContentT()
    content.contentPropertiesType = metadata.ContentProperties.ImageProperties
    content.contentProperties = properties
    tensor = metadata.TensorMetadataT()
    tensor.name, tensor.content, tensor.processUnits = "image", content, [unit]
    subgraph = metadata.SubGraphMetadataT()
    subgraph.inputTensorMetadata = [tensor]
    described = metadata.ModelMetadataT()
    described.name, described.minParserVersion = "pose", "1.0.0"
    described.subgraphMetadata = [subgraph]
    builder = flatbuffers.Builder(0)
    builder.Finish(described.Pack(builder), b"M001")
    return bytes(builder.Output())


def _with_metadata(model: bytes, mean: float, deviation: float) -> bytes:
    """A TFLite model with NormalizationOptions for its image input."""
    import flatbuffers
    from mediapipe.tasks.metadata import schema_py_generated as tflite

    unpacked = tflite.ModelT.InitFromObj(tflite.Model.GetRootAs(model, 0))
    buffer = tflite.BufferT()
    buffer.data = list(_metadata(mean, deviation))
    unpacked.buffers.append(buffer)
    entry = tflite.MetadataT()
    entry.name, entry.buffer = b"TFLITE_METADATA", len(unpacked.buffers) - 1
    unpacked.metadata = [*(unpacked.metadata or []), entry]
    builder = flatbuffers.Builder(len(model) + 4096)
    builder.Finish(unpacked.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _fetch_wheel(folder: Path) -> Path:
    options = f"--quiet --disable-pip-version-check --no-deps --only-binary=:all: {TAGS}"
    command = [sys.executable, "-m", "pip", "download", *options.split()]
    command += ["--dest", str(folder), "==".join(WHEEL)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        last = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise DetectorError(
            f"The detector's models could not be fetched: {last}",
            f"Check the network, or put an official {OFFICIAL_NAMES[1]} into {cache_folder()}.",
        )
    return wheels[0]


def _read_models(wheel: Path) -> list[tuple[str, bytes]]:
    """The models' names in the bundle and their bytes, checked against what was published."""
    models = []
    try:
        with zipfile.ZipFile(wheel) as archive:
            for source, name, digest, mean, deviation in _MODELS:
                model = archive.read(source)
                if hashlib.sha256(model).hexdigest() != digest:
                    why = f"{source} in {wheel.name} is not the published file."
                    raise DetectorError(why, "Fetch it again.")
                models.append((name, _with_metadata(model, mean, deviation)))
    except (OSError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        why = f"{wheel} holds no pose models: {error}."
        raise DetectorError(why, "Give the wheel of mediapipe 0.10.21.") from error
    except ImportError as error:
        hint = 'Run: pip install "kinflow[detect]"'
        raise DetectorError("MediaPipe is not installed.", hint) from error
    return models


def make_bundle(
    wheel: Path | None = None, report: Callable[[str], None] = lambda line: None
) -> Path:
    """Makes the bundle in the cache folder and returns its path; keeps one that is there.

    wheel: a wheel of mediapipe 0.10.21 at hand, else pip fetches it (36 MB). Raises DetectorError.
    """
    target = cache_folder() / BUNDLE_NAME
    if target.is_file():
        return target
    with replacing(target, DetectorError) as temporary, tempfile.TemporaryDirectory() as folder:
        target.parent.mkdir(parents=True, exist_ok=True)
        if wheel is None:
            report("Fetching the detector's models (36 MB, once) ...")
            wheel = _fetch_wheel(Path(folder))
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for name, data in _read_models(wheel):
                archive.writestr(name, data)
    report(f"Detector ready: {target}")
    return target

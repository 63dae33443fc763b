"""The readers, and a damaged file for each: seeds are written here, none is stored."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from kinflow.bodies.arrays import DEFAULT_BODY
from kinflow.bodies.files import load_body_arrays
from kinflow.drawing.overlay import overlay
from kinflow.mocap import read_amass, read_amc, read_bvh
from kinflow.perception.formats import read_observations, read_part_map
from kinflow.perception.model_people import load_models, observe_with_models
from kinflow.perception.models import read_card
from kinflow.perception.photos import as_photo, read_photo, write_upright
from kinflow.priors.arrays import load_prior_arrays
from kinflow.records import Camera, FitResult, Hypothesis
from kinflow.tensorfile import read_tensors, write_tensors

from .mutate import (
    FLOATS,
    damage_bytes,
    damage_image,
    damage_json,
    damage_text,
    json_bytes,
    npz,
)
from .programs import program


@dataclass(frozen=True)
class Target:
    """A reader of files.

    make: (random numbers) -> the files of a case by name. read: (a folder that holds them), which
    may raise KinflowError and nothing else. seconds: that one case may take. bounded: whether the
    reader's own process has its memory bounded (a process that it starts bounds itself).
    """

    make: Callable[[Random], dict[str, bytes]]
    read: Callable[[Path], object]
    seconds: float = 20.0
    bounded: bool = True


# -- bodies --------------------------------------------------------------------------------------


@lru_cache
def _body_fields(joints: int = 24, count: int = 12) -> dict[str, np.ndarray]:
    r = np.random.default_rng(0)
    weights, regressor = r.random((count, joints)), r.random((joints, count))
    return {
        "v_template": r.normal(size=(count, 3)),
        "f": r.integers(0, count, (60, 3)).astype(np.uint32),
        "shapedirs": r.normal(size=(count, 3, 10)),
        "posedirs": r.normal(size=(count, 3, 9 * (joints - 1))),
        "weights": weights / weights.sum(1, keepdims=True),
        "J_regressor": regressor / regressor.sum(1, keepdims=True),
    }


def make_pickle(rng: Random) -> dict[str, bytes]:
    """An SMPL .pkl with damaged bytes, or a program."""
    if rng.random() < 0.5:
        return {"x.pkl": program(rng)}
    fields: dict[str, Any] = dict(_body_fields())
    name = rng.choice(list(fields))
    fields[name] = rng.choice(
        (fields[name].astype(object), fields[name][:2], fields[name] * np.nan, [1, 2], None)
        if rng.random() < 0.5
        else (fields[name],)
    )
    raw = pickle.dumps(fields, rng.randrange(6))
    return {"x.pkl": damage_bytes(rng, raw) if rng.random() < 0.9 else raw}


def make_body_npz(rng: Random) -> dict[str, bytes]:
    """An SMPL, SMPL-H or SMPL-X .npz."""
    return {"x.npz": npz(rng, _body_fields(rng.choice((24, 52, 55))), rng.randrange(3))}


# -- safetensors ---------------------------------------------------------------------------------


@lru_cache
def _asset(name: str) -> tuple[dict[str, Any], bytes]:
    return _split((DEFAULT_BODY.parent / name).read_bytes())


def _split(raw: bytes) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(raw[:8], "little")
    return json.loads(raw[8 : 8 + length]), raw[8 + length :]


@lru_cache
def _small_body() -> tuple[dict[str, Any], bytes]:
    """A body of our own format with a dozen vertices."""
    stored, metadata = read_tensors(DEFAULT_BODY)
    count, pairs = 12, np.arange(24)
    small = {name: array[:count] for name, array in stored.items()}
    small |= {
        "regressor_rows": pairs.astype(np.int32),
        "regressor_vertices": (pairs % count).astype(np.int32),
        "regressor_weights": np.ones(24, np.float32),
        "corrective_rows": np.zeros(count, np.int32),
        "corrective_vertices": np.arange(count, dtype=np.int32),
        "quads": np.arange(count, dtype=np.int32).reshape(3, 4),
    }
    with tempfile.TemporaryDirectory() as folder:
        write_tensors(Path(folder) / "seed.safetensors", small, metadata)
        return _split((Path(folder) / "seed.safetensors").read_bytes())


def _damaged_safetensors(rng: Random, header: dict[str, Any], body: bytes) -> bytes:
    kind = rng.randrange(4)
    if kind == 0:
        body = body[: rng.randrange(len(body))] if rng.random() < 0.5 else _spoilt(rng, body)
    else:
        header = damage_json(rng, header)
    text = json_bytes(rng, header)
    length = len(text) if rng.random() < 0.95 else rng.choice((0, 7, 2**32, 2**64 - 1))
    return struct.pack("<Q", length) + text + body


def _spoilt(rng: Random, body: bytes) -> bytes:
    """Values of the arrays that are none."""
    data = bytearray(body)
    for _ in range(rng.choice((1, 3, 50))):
        place = 4 * rng.randrange(len(data) // 4)
        with np.errstate(over="ignore"):
            data[place : place + 4] = np.float32(rng.choice(FLOATS)).tobytes()
    return bytes(data)


def make_prior(rng: Random) -> dict[str, bytes]:
    """A prior's .safetensors."""
    name = rng.choice(("prior-light.safetensors", "prior-light-aa.safetensors"))
    return {"x.safetensors": _damaged_safetensors(rng, *_asset(name))}


def make_body_tensors(rng: Random) -> dict[str, bytes]:
    """Our own body's .safetensors."""
    return {"x.safetensors": _damaged_safetensors(rng, *_small_body())}


def read_prior(folder: Path) -> object:
    """The prior, and a pose of it."""
    prior = load_prior_arrays(folder / "x.safetensors")
    return prior.decode(np.zeros((1, prior.dim)))


# -- results -------------------------------------------------------------------------------------


@lru_cache
def _fit_arrays() -> dict[str, np.ndarray]:
    arrays = {
        "global_orient": np.zeros(3),
        "body_pose": np.zeros((23, 3)),
        "betas": np.zeros(10),
        "transl": np.ones(3),
        "z": np.zeros(138),
        "joints": np.zeros((24, 3)),
    }
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    minimum = Hypothesis(**arrays, energy=1.0, keypoint_error_px=2.0, log_prob=-3.0)
    result = FitResult(
        **arrays,
        camera=Camera(500.0, 500.0, 4.0, 3.0, 8, 6),
        vertices=np.zeros((4, 3), np.float32),
        faces=np.zeros((2, 3), np.int32),
        keypoint_error_px=2.0,
        part_iou=None,
        log_prob=-3.0,
        status="converged",
        timings={"solve": 1.0},
        hypotheses=(minimum, minimum),
    )
    with tempfile.TemporaryDirectory() as folder:
        result.save(Path(folder) / "seed.npz")
        with np.load(Path(folder) / "seed.npz") as data:
            return {name: data[name] for name in data.files}


def make_fit(rng: Random) -> dict[str, bytes]:
    """A FitResult's .npz, its header too."""
    arrays = dict(_fit_arrays())
    if rng.random() < 0.6:
        header = damage_json(rng, json.loads(bytes(arrays["header"])))
        arrays["header"] = np.frombuffer(json_bytes(rng, header), np.uint8)
    return {"x.npz": npz(rng, arrays, rng.randrange(3))}


def read_fit(folder: Path) -> object:
    """The result, and what is done with one: drawn, written, told."""
    result = FitResult.load(folder / "x.npz")
    overlay(np.zeros((24, 32, 3), np.uint8), [result])
    result.to_obj(folder / "x.obj")
    result.save(folder / "again.npz")
    return json.dumps([result.summary(), result.parameters()])


# -- motion --------------------------------------------------------------------------------------


@lru_cache
def _bvh() -> str:
    chain = ("Hips", "Spine", "Spine1", "Spine2", "Neck", "Head", "LeftShoulder", "LeftArm")
    chain += ("LeftForeArm", "LeftHand", "LeftUpLeg", "LeftLeg")
    head = "".join(
        f"{'JOINT' if i else 'ROOT'} {name}\n{{\nOFFSET 0 1 0\nCHANNELS "
        + ("3 " if i else "6 Xposition Yposition Zposition ")
        + "Zrotation Yrotation Xrotation\n"
        for i, name in enumerate(chain)
    )
    tail = "End Site\n{\nOFFSET 0 1 0\n}\n" + "}\n" * len(chain)
    row = " ".join(["1.5"] * (3 + 3 * len(chain)))
    frames = "\n".join([row] * 3)
    return f"HIERARCHY\n{head}{tail}MOTION\nFrames: 3\nFrame Time: 0.0333\n{frames}\n"


def make_bvh(rng: Random) -> dict[str, bytes]:
    """A .bvh, or one compressed, with damaged text or bytes."""
    raw = damage_text(rng, _bvh()).encode("utf-8", "surrogatepass")
    if rng.random() < 0.2:
        raw = damage_bytes(rng, raw)
    if rng.random() < 0.4:
        return {"x.bvh": raw}
    if rng.random() < 0.05:
        raw = raw + b"\n" * 20_000_000
    packed = gzip.compress(raw, 1, mtime=0)
    return {"x.bvh.gz": damage_bytes(rng, packed) if rng.random() < 0.5 else packed}


@lru_cache
def _asf() -> str:
    tree = {"root": ["lfemur", "rfemur", "lowerback"], "lfemur": ["ltibia"], "ltibia": ["lfoot"]}
    tree |= {"rfemur": ["rtibia"], "rtibia": ["rfoot"], "lowerback": ["upperback"]}
    tree |= {"upperback": ["thorax"], "thorax": ["lhumerus", "rhumerus"]}
    names = [name for children in tree.values() for name in children]
    bones = "".join(
        f"begin\nid {i}\nname {name}\ndirection 0.3 -0.9 0.1\nlength 1\naxis 0 0 20 XYZ\n"
        f"dof rx ry rz\nlimits (-160 20)\nend\n"
        for i, name in enumerate(names, 1)
    )
    links = "".join(f"{parent} {' '.join(children)}\n" for parent, children in tree.items())
    return f":version 1.10\n:bonedata\n{bones}:hierarchy\nbegin\n{links}end\n"


@lru_cache
def _amc() -> str:
    rows = "root 0 10 0 0 90 0\nlfemur 1 2 3\nltibia 30 1 1\nthorax 1 1 1\n"
    return ":FULLY-SPECIFIED\n:DEGREES\n" + "".join(f"{i}\n{rows}" for i in range(1, 4))


def make_amc(rng: Random) -> dict[str, bytes]:
    """A skeleton and its motion."""
    asf = damage_text(rng, _asf()) if rng.random() < 0.6 else _asf()
    amc = damage_text(rng, _amc()) if rng.random() < 0.6 else _amc()
    return {"x.asf": asf.encode(), "x.amc": amc.encode()}


def make_amass(rng: Random) -> dict[str, bytes]:
    """An AMASS .npz."""
    arrays = {
        "poses": np.ones((3, 156)),
        "trans": np.zeros((3, 3)),
        "mocap_framerate": np.array(60.0),
        "gender": np.array("neutral"),
    }
    return {"x.npz": npz(rng, arrays, rng.randrange(1, 3))}


# -- photos, keypoints, models -------------------------------------------------------------------

_SUFFIXES = ("jpg", "png", "webp", "tiff", "bmp", "gif", "ppm", "jp2", "avif", "eps", "ico", "tga")


@lru_cache
def _photo(index: int) -> bytes:
    suffix = _SUFFIXES[index % len(_SUFFIXES)]
    pixels = np.random.default_rng(index).integers(0, 255, (24, 32, 3), np.uint8)
    image = Image.fromarray(pixels)
    options: dict[str, Any] = {}
    if suffix == "tiff":
        options["compression"] = ("raw", "tiff_lzw", "tiff_deflate", "jpeg")[index // 12 % 4]
    if suffix in ("jpg", "png", "webp", "tiff"):
        exif = Image.Exif()
        exif[0x0112] = 1 + index % 8
        exif.get_ifd(0x8769)[0xA405] = 50
        options["exif"] = exif
    modes = {"png": ("RGB", "RGBA", "P", "I;16", "LA", "1"), "tiff": ("RGB", "CMYK", "F", "L")}
    mode = modes.get(suffix, ("RGB",))[index // 12 % len(modes.get(suffix, ("RGB",)))]
    if mode == "F":
        options["compression"] = "raw"
    image = image.convert("I").convert("I;16") if mode == "I;16" else image.convert(mode)
    stream = io.BytesIO()
    image.save(
        stream,
        "JPEG2000" if suffix == "jp2" else Image.registered_extensions()[f".{suffix}"],
        **options,
    )
    return stream.getvalue()


def make_photo(rng: Random) -> dict[str, bytes]:
    """A photo of any format, under the name of another."""
    return {"x.jpg": damage_image(rng, _photo(rng.randrange(72)))}


def make_part_map(rng: Random) -> dict[str, bytes]:
    """A PNG of part labels."""
    labels = np.random.default_rng(0).integers(0, 15, (24, 32), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(labels).save(stream, "PNG")
    return {"x.png": damage_image(rng, stream.getvalue())}


def read_photos(folder: Path) -> object:
    """The photo, its upright copy, and that copy again."""
    photo = read_photo(folder / "x.jpg")
    copy = write_upright(photo, folder / "upright")
    return read_photo(copy)


def make_keypoints(rng: Random) -> dict[str, bytes]:
    """OpenPose's, COCO's or our own JSON."""
    triples = [float(i % 7) for i in range(51)]
    person = {"keypoints": [[1.0, 2.0]] * 17, "confidence": [0.5] * 17, "keypoint_set": "coco17"}
    camera = {"fx": 500.0, "fy": 500.0, "cx": 4.0, "cy": 3.0, "width": 8, "height": 6}
    annotation = {"image_id": 7, "keypoints": triples, "bbox": [1, 2, 3, 4], "num_keypoints": 9}
    value = rng.choice(
        (
            {"version": 1.3, "people": [{"pose_keypoints_2d": [1.0] * 75}] * 2},
            {"images": [{"id": 7, "file_name": "a.jpg"}], "annotations": [annotation] * 2},
            [{"image_id": 1, "keypoints": triples, "score": 0.5, "category_id": 1}],
            [person | {"camera": camera, "box": [0, 0, 1, 1], "photo": 0, "image_path": "a.jpg"}],
        )
    )
    for _ in range(rng.choice((1, 1, 2, 4))):
        value = damage_json(rng, value)
    return {"x.json": json_bytes(rng, value)}


@lru_cache
def _onnx() -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 32, 32])
    maps = helper.make_tensor_value_info("maps", TensorProto.FLOAT, [1, 17, 32, 32])
    weight = numpy_helper.from_array(np.full((17, 3, 1, 1), 0.01, np.float32), "w")
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["between"], kernel_shape=[1, 1]),
        helper.make_node("Relu", ["between"], ["maps"]),
    ]
    graph = helper.make_graph(nodes, "pose", [image], [maps], [weight])
    operations = [helper.make_opsetid("", 11)]
    return helper.make_model(graph, opset_imports=operations, ir_version=8).SerializeToString()


_CARD = """kind = "keypoints"
model = "x.onnx"
input = [32, 32]
head = "heatmap"
keypoint_set = "coco17"
mean = [1.0, 2.0, 3.0]
std = [1.0, 2.0, 3.0]
padding = 1.25
runtime = "{runtime}"
"""


def make_model(rng: Random) -> dict[str, bytes]:
    """A user's ONNX model, which is tried in a process of its own; now and then its TOML."""
    card = _CARD.format(runtime=rng.choice(("opencv", "onnxruntime")))
    return {"x.onnx": damage_bytes(rng, _onnx()), "x.toml": card.encode()}


def make_card(rng: Random) -> dict[str, bytes]:
    """The TOML of a model."""
    words = ("[", "]", '"parts"', "[labels]", "1 =", '"head"', "nan", "1e999", "{}", "[1]", "''")
    text = damage_text(rng, _CARD.format(runtime="opencv"))
    if rng.random() < 0.6:
        lines = text.split("\n")
        place = rng.randrange(len(lines))
        lines[place] = lines[place].split("=")[0] + "= " + rng.choice(words)
        text = "\n".join(lines)
    return {"x.onnx": b"", "x.toml": text.encode("utf-8", "surrogatepass")}


def read_model(folder: Path) -> object:
    """Keypoints of a photo by the model."""
    networks = load_models([folder / "x.toml"])
    photo = as_photo(np.zeros((48, 64, 3), np.uint8))
    return observe_with_models(photo, networks, None)


def _reader(read: Callable[..., object], *files: str) -> Callable[[Path], object]:
    def read_folder(folder: Path) -> object:
        return read(*(folder / file for file in files if (folder / file).exists()))

    return read_folder


Image.init()
TARGETS = {
    "pickle": Target(make_pickle, _reader(load_body_arrays, "x.pkl")),
    "body-npz": Target(make_body_npz, _reader(load_body_arrays, "x.npz")),
    "body-tensors": Target(make_body_tensors, _reader(load_body_arrays, "x.safetensors")),
    "prior": Target(make_prior, read_prior),
    "fit": Target(make_fit, read_fit),
    "bvh": Target(make_bvh, _reader(read_bvh, "x.bvh", "x.bvh.gz")),
    "amc": Target(make_amc, _reader(read_amc, "x.amc", "x.asf")),
    "amass": Target(make_amass, _reader(read_amass, "x.npz")),
    "photo": Target(make_photo, read_photos),
    "part-map": Target(make_part_map, _reader(read_part_map, "x.png")),
    "keypoints": Target(make_keypoints, _reader(read_observations, "x.json")),
    "card": Target(make_card, _reader(read_card, "x.toml")),
    "model": Target(make_model, read_model, seconds=120.0, bounded=False),
}

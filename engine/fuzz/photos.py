"""Damaged photos, part maps, keypoints and models, and what is done with them."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from kinflow.perception.model_people import load_models, observe_with_models
from kinflow.perception.photos import as_photo, read_photo, write_upright

from .mutate import damage_bytes, damage_image, damage_json, damage_text, json_bytes

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
    return copy and read_photo(copy)


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

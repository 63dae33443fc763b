"""ONNX models of the user's choice: person boxes, top-down keypoints, body parts.

Each is described by a TOML beside it:

kind = "keypoints"              # "boxes", "keypoints" or "parts"
model = "rtmpose-m.onnx"        # beside this file
input = [192, 256]              # width, height
head = "simcc"                  # keypoints: "simcc" or "heatmap"; boxes: "rows"; parts: "classes"
keypoint_set = "coco17"
mean = [123.675, 116.28, 103.53]
std = [58.395, 57.12, 57.375]
colour = "rgb"                  # or "bgr"
padding = 1.25                  # of the person's box
outputs = ["simcc_x", "simcc_y"]
runtime = "onnxruntime"         # or "opencv"; left out: onnxruntime where it is installed
[labels]                        # parts: class of the model -> part of kinflow
1 = "head"
"""

import math
import os
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..bodies.keypoint_names import NAMES
from ..bodies.parts import PART_NAMES
from ..errors import DetectorError
from ..userfiles import parsing, read_bytes

HEADS = {"boxes": ("rows",), "keypoints": ("simcc", "heatmap"), "parts": ("classes",)}
MAX_CARD_MB = 1
_PARTS = set(PART_NAMES)
_HINT = "See kinflow.perception.models for an example."


@dataclass(frozen=True)
class ModelCard:
    """What the TOML says, checked."""

    kind: str
    model: Path
    input: tuple[int, int]
    head: str
    keypoint_set: str = "coco17"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    colour: str = "rgb"
    padding: float = 1.25
    outputs: tuple[str, ...] = ()
    runtime: str = ""
    score: float = 0.3
    labels: dict[int, int] = field(default_factory=dict)


def _number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _one_of(*choices: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in choices


def _list_of(count: int | None, good: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, list) and count in (None, len(value)) and all(map(good, value))
    )


_PIXELS = _list_of(2, lambda v: type(v) is int and 16 <= v <= 4096)
_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "kind": (_one_of(*HEADS), f"one of {', '.join(HEADS)}"),
    "model": (lambda v: isinstance(v, str), "the name of an ONNX file"),
    "input": (_PIXELS, "two numbers of pixels, width and height"),
    "head": (lambda v: isinstance(v, str), "the name of a head"),
    "keypoint_set": (_one_of(*NAMES), f"one of {', '.join(NAMES)}"),
    "mean": (_list_of(3, _number), "three numbers"),
    "std": (_list_of(3, lambda v: _number(v) and abs(v) > 1e-9), "three numbers other than 0"),
    "colour": (_one_of("rgb", "bgr"), "rgb or bgr"),
    "padding": (lambda v: _number(v) and 0.1 < v < 10, "a number between 0.1 and 10"),
    "outputs": (_list_of(None, lambda v: isinstance(v, str)), "a list of names"),
    "runtime": (_one_of("opencv", "onnxruntime"), "opencv or onnxruntime"),
    "score": (_number, "a number"),
    "labels": (
        lambda v: isinstance(v, dict) and all(map(str.isdecimal, v)) and set(v.values()) <= _PARTS,
        f"numbers of classes with names of parts ({', '.join(PART_NAMES[1:])})",
    ),
}


def read_card(path: str | os.PathLike) -> ModelCard:
    """Reads and checks a model's TOML. Raises DetectorError naming the field."""
    path = Path(path)
    raw = read_bytes(path, MAX_CARD_MB, DetectorError, _HINT)
    with parsing(path, _HINT, DetectorError, "TOML"):
        data: dict[str, Any] = tomllib.loads(raw.decode("utf-8"))

    def fail(name: str, wanted: str) -> DetectorError:
        return DetectorError(f"{path}: '{name}' should be {wanted}.", _HINT)

    if unknown := sorted(set(data) - set(_FIELDS)):
        raise fail(unknown[0], f"left out: it is not one of {', '.join(sorted(_FIELDS))}")
    for name, (good, wanted) in _FIELDS.items():
        needed = name in ("kind", "model", "input")
        with parsing(f"{path}: '{name}'", _HINT, DetectorError):
            right = good(data[name]) if name in data else not needed
        if not right:
            raise fail(name, wanted)
    heads = HEADS[data["kind"]]
    if data.setdefault("head", heads[0]) not in heads:
        raise fail("head", f"one of {', '.join(heads)}")
    if data["kind"] == "parts" and not data.get("labels"):
        raise fail("labels", "a table from the model's classes to parts")
    model = path.parent / data["model"]
    if not os.path.isfile(model):
        raise fail("model", f"the name of an ONNX file beside it ({model} is none)")
    labels = {int(k): PART_NAMES.index(v) for k, v in data.pop("labels", {}).items()}
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
    fields |= {"model": model, "labels": labels}
    return ModelCard(**fields)

"""ONNX models of the user's choice: person boxes, top-down keypoints, body parts; described by a TOML beside the model.

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
runtime = "opencv"              # or "onnxruntime"
[labels]                        # parts: class of the model -> part of kinflow
1 = "head"
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..bodies.parts import PART_NAMES
from ..errors import DetectorError
from ..bodies.keypoint_names import NAMES

HEADS = {"boxes": ("rows",), "keypoints": ("simcc", "heatmap"), "parts": ("classes",)}


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
    runtime: str = "opencv"
    score: float = 0.3
    labels: dict[int, int] = field(default_factory=dict)


def read_card(path: str | Path) -> ModelCard:
    """Reads and checks a model's TOML. Raises DetectorError naming the field."""
    path = Path(path)
    try:
        data: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DetectorError(
            f"{path} cannot be read as TOML: {error}",
            "See kinflow.perception.models for an example.",
        ) from error

    def fail(name: str, wanted: str) -> DetectorError:
        return DetectorError(
            f"{path}: '{name}' should be {wanted}.", "See kinflow.perception.models for an example."
        )

    known = set(ModelCard.__dataclass_fields__)
    if unknown := set(data) - known:
        raise fail(sorted(unknown)[0], f"left out: it is not one of {', '.join(sorted(known))}")
    kind = data.get("kind")
    if kind not in HEADS:
        raise fail("kind", f"one of {', '.join(HEADS)}")
    data.setdefault("head", HEADS[kind][0])
    if data["head"] not in HEADS[kind]:
        raise fail("head", f"one of {', '.join(HEADS[kind])}")
    size = data.get("input")
    if not (
        isinstance(size, list)
        and len(size) == 2
        and all(isinstance(v, int) and 16 <= v <= 4096 for v in size)
    ):
        raise fail("input", "two numbers of pixels, width and height")
    for name in ("mean", "std"):
        value = data.get(name, [0, 0, 0] if name == "mean" else [1, 1, 1])
        if not (
            isinstance(value, list)
            and len(value) == 3
            and all(isinstance(v, (int, float)) for v in value)
        ):
            raise fail(name, "three numbers")
        data[name] = tuple(float(v) for v in value)
    if min(abs(v) for v in data["std"]) == 0:
        raise fail("std", "three numbers other than 0")
    if data.get("colour", "rgb") not in ("rgb", "bgr"):
        raise fail("colour", "rgb or bgr")
    if data.get("runtime", "opencv") not in ("opencv", "onnxruntime"):
        raise fail("runtime", "opencv or onnxruntime")
    if data.get("keypoint_set", "coco17") not in NAMES:
        raise fail("keypoint_set", f"one of {', '.join(NAMES)}")
    try:
        labels = {int(k): PART_NAMES.index(v) for k, v in data.get("labels", {}).items()}
    except (ValueError, AttributeError) as error:
        raise fail(
            "labels", f"numbers of classes with names of parts ({', '.join(PART_NAMES[1:])})"
        ) from error
    if kind == "parts" and not labels:
        raise fail("labels", "a table from the model's classes to parts")
    model = path.parent / str(data.get("model", ""))
    if not model.is_file():
        raise fail("model", f"the name of an ONNX file beside it ({model} is none)")
    data |= {
        "model": model,
        "input": tuple(size),
        "labels": labels,
        "outputs": tuple(data.get("outputs", ())),
    }
    return ModelCard(**data)


class Network:
    """An ONNX model behind one call, by OpenCV's dnn or by onnxruntime."""

    def __init__(self, card: ModelCard) -> None:
        self.card = card
        try:
            if card.runtime == "opencv":
                self._net = cv2.dnn.readNetFromONNX(str(card.model))
            else:
                import onnxruntime

                self._session = onnxruntime.InferenceSession(
                    str(card.model), providers=onnxruntime.get_available_providers()
                )
        except ImportError as error:
            raise DetectorError(
                "The package onnxruntime is not installed.",
                'pip install onnxruntime, or runtime = "opencv".',
            ) from error
        except Exception as error:  # cv2.error and onnxruntime's own kinds share no base
            other = "onnxruntime" if card.runtime == "opencv" else "opencv"
            raise DetectorError(
                f"{card.model} cannot be loaded: {str(error).strip().splitlines()[0]}",
                f'Try runtime = "{other}".',
            ) from error

    def __call__(self, image: np.ndarray) -> list[np.ndarray]:
        """Runs on an RGB image of the card's input size (h, w, 3) uint8; outputs as the card names them."""
        card = self.card
        colours = image if card.colour == "rgb" else image[..., ::-1]
        blob = (
            ((colours.astype(np.float32) - card.mean) / card.std)
            .astype(np.float32)
            .transpose(2, 0, 1)[None]
        )
        try:
            if card.runtime == "opencv":
                self._net.setInput(np.ascontiguousarray(blob))
                names = list(card.outputs) or list(self._net.getUnconnectedOutLayersNames())
                return [np.asarray(o) for o in self._net.forward(names)]
            name = self._session.get_inputs()[0].name
            return [
                np.asarray(o)
                for o in self._session.run(
                    list(card.outputs) or None, {name: np.ascontiguousarray(blob)}
                )
            ]
        except Exception as error:
            raise DetectorError(
                f"{card.model} failed: {str(error).strip().splitlines()[0]}",
                "Check input and outputs in its TOML.",
            ) from error


def crop_transform(box: np.ndarray, size: tuple[int, int], padding: float) -> np.ndarray:
    """Affine map (2, 3) from the photo to a crop of `size` (w, h) about a box xyxy, its sides in proportion, padded."""
    centre = 0.5 * (box[:2] + box[2:])
    extent = np.maximum(box[2:] - box[:2], 1.0) * padding
    scale = min(size[0] / extent[0], size[1] / extent[1])
    shift = np.array(size) / 2 - scale * centre
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])


def find_boxes(network: Network, rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (N, 4) xyxy px and scores (N,), best first. Head "rows": (1, N, 5 or 6) of x0, y0, x1, y1, score in input px."""
    card = network.card
    whole = np.array([0, 0, rgb.shape[1], rgb.shape[0]], float)
    transform = crop_transform(whole, card.input, 1.0)
    rows = network(_warp(rgb, transform, card.input))[0]
    rows = rows.reshape(-1, rows.shape[-1])
    if rows.shape[1] not in (5, 6):
        raise DetectorError(
            f"{card.model}: rows of {rows.shape[1]} numbers.",
            "Boxes need x0, y0, x1, y1, score and maybe a class.",
        )
    rows = rows[(rows[:, 4] > card.score) & np.isfinite(rows).all(1)]
    if rows.shape[1] == 6:
        rows = rows[rows[:, 5] == 0]
    rows = rows[np.argsort(-rows[:, 4])]
    boxes = (rows[:, :4].reshape(-1, 2, 2) - transform[:, 2]) / transform[0, 0]
    return boxes.reshape(-1, 4), rows[:, 4]


def find_keypoints(
    network: Network, rgb: np.ndarray, box: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (K, 2) px of the photo and confidence (K,) of the person in a box."""
    card = network.card
    transform = crop_transform(box, card.input, card.padding)
    outputs = network(_warp(rgb, transform, card.input))
    points, confidence = (decode_simcc if card.head == "simcc" else decode_heatmaps)(
        outputs, card.input
    )
    count = len(NAMES[card.keypoint_set])
    if len(points) != count:
        raise DetectorError(
            f"{card.model} gives {len(points)} keypoints, {card.keypoint_set} has {count}.",
            "Check keypoint_set in its TOML.",
        )
    return (points - transform[:, 2]) / transform[0, 0], np.clip(confidence, 0, 1)


def find_parts(network: Network, rgb: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Part labels (H, W) uint8 of the photo, from logits or probabilities (1, C, h, w) on a crop about a box."""
    card = network.card
    transform = crop_transform(box, card.input, card.padding)
    planes = network(_warp(rgb, transform, card.input))[0]
    if planes.ndim != 4:
        raise DetectorError(
            f"{card.model} gives an array of {planes.ndim} dimensions.",
            "Parts need (1, classes, h, w).",
        )
    classes = planes[0].argmax(0)
    table = np.zeros(planes.shape[1], np.uint8)
    for source, part in card.labels.items():
        if not 0 <= source < len(table):
            raise DetectorError(
                f"{card.model} has {len(table)} classes, none of number {source}.",
                "Check labels in its TOML.",
            )
        table[source] = part
    small = np.ascontiguousarray(table[classes])
    # from photo pixels straight to the network's own grid
    scale = np.array([small.shape[1] / card.input[0], small.shape[0] / card.input[1]])
    whole = transform * scale[:, None]
    height, width = rgb.shape[:2]
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(
        small, _between_pixels(whole), (width, height), flags=flags, borderMode=cv2.BORDER_CONSTANT
    )


def decode_simcc(
    outputs: Sequence[np.ndarray], size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """SimCC (RTMPose): one distribution a keypoint along x (1, K, w') and y (1, K, h') -> crop px (K, 2), scores (K,)."""
    along_x, along_y = outputs[0][0], outputs[1][0]
    points = np.stack(
        (
            along_x.argmax(-1) / along_x.shape[-1] * size[0],
            along_y.argmax(-1) / along_y.shape[-1] * size[1],
        ),
        -1,
    )
    return points.astype(float), np.minimum(along_x.max(-1), along_y.max(-1)).astype(float)


def decode_heatmaps(
    outputs: Sequence[np.ndarray], size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Heatmaps (ViTPose, HRNet) (1, K, h, w): the peak, moved a quarter towards its higher neighbour -> crop px, scores."""
    maps = outputs[0][0]
    count, height, width = maps.shape
    flat = maps.reshape(count, -1)
    peak = flat.argmax(-1)
    y, x = np.divmod(peak, width)
    points = np.stack((x, y), -1).astype(float)
    for k in range(count):
        if 0 < x[k] < width - 1:
            points[k, 0] += 0.25 * np.sign(maps[k, y[k], x[k] + 1] - maps[k, y[k], x[k] - 1])
        if 0 < y[k] < height - 1:
            points[k, 1] += 0.25 * np.sign(maps[k, y[k] + 1, x[k]] - maps[k, y[k] - 1, x[k]])
    return (points + 0.5) * (size[0] / width, size[1] / height), flat.max(-1).astype(float)


def _between_pixels(transform: np.ndarray) -> np.ndarray:
    """OpenCV counts pixel centres from 0, we from 0.5."""
    moved = transform.astype(np.float64).copy()
    moved[:, 2] += 0.5 * transform[:, :2].sum(1) - 0.5
    return moved


def _warp(rgb: np.ndarray, transform: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.warpAffine(
        rgb,
        _between_pixels(transform),
        size,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
    )

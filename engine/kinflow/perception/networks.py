"""A user's ONNX model behind one call, by onnxruntime or by OpenCV's dnn.

OpenCV's importer dereferences what a damaged model tells it to, and any model may ask for more
memory than there is. So a file is first loaded and run in a child process of bounded memory and
time; what ends that process never reaches this one.
"""

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import threading
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from ..errors import DetectorError
from ..userfiles import limit_bytes
from .models import ModelCard

MAX_MEMORY_MB = 8192
TRIAL_SECONDS = 120
# arrays that a head gives, by their number of dimensions
_DIMENSIONS = {"rows": (3,), "simcc": (3, 3), "heatmap": (4,), "classes": (4,)}
_TRIAL = """import json, sys
sys.path[:] = json.loads(sys.argv.pop(1))
from kinflow.perception.networks import main
main()"""


def _runtime(card: ModelCard) -> str:
    if card.runtime:
        return card.runtime
    return "onnxruntime" if importlib.util.find_spec("onnxruntime") else "opencv"


class Network:
    """A model that has been tried. Raises DetectorError where it cannot be loaded or run."""

    def __init__(self, card: ModelCard) -> None:
        self.card = card
        self.runtime = _runtime(card)
        if self.runtime == "onnxruntime" and importlib.util.find_spec("onnxruntime") is None:
            hint = 'Run: pip install "kinflow[onnx]", or leave runtime out of the TOML.'
            raise DetectorError("The package onnxruntime is not installed.", hint)
        status = os.stat(card.model)
        _try(str(card.model), self.runtime, card.input, (status.st_mtime_ns, status.st_size))
        self._model = _load(str(card.model), self.runtime)

    def __call__(self, image: np.ndarray) -> list[np.ndarray]:
        """Runs on an RGB image of the card's input size (h, w, 3) uint8.

        -> float32 arrays as the card names them. Raises DetectorError.
        """
        card = self.card
        colours = image if card.colour == "rgb" else image[..., ::-1]
        blob = ((colours.astype(np.float32) - card.mean) / card.std).astype(np.float32)
        try:
            outputs = _run(self._model, self.runtime, blob.transpose(2, 0, 1)[None], card.outputs)
        except Exception as error:  # cv2.error and onnxruntime's own kinds share no base
            raise DetectorError(
                f"{card.model} failed: {_first_line(error)}", "Check input and outputs in its TOML."
            ) from error
        wanted = _DIMENSIONS[card.head]
        arrays = outputs[: len(wanted)]
        if (
            tuple(a.ndim for a in arrays) != wanted
            or any(a.dtype.kind not in "fiu" for a in arrays)
            or (card.head != "rows" and any(0 in a.shape for a in arrays))
        ):
            shapes = [a.shape for a in outputs]
            why = f"{card.model} gives {shapes}, which is no head '{card.head}'."
            raise DetectorError(why, "Check head and outputs in its TOML.")
        return [np.nan_to_num(a.astype(np.float32)) for a in arrays]


def _load(path: str, runtime: str, trial: bool = False) -> Any:
    if runtime == "opencv":
        return cv2.dnn.readNetFromONNX(path)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    providers = onnxruntime.get_available_providers()
    if trial:  # CUDA and a thread for each core reserve more than the limit
        options.intra_op_num_threads, providers = 1, ["CPUExecutionProvider"]
    return onnxruntime.InferenceSession(path, options, providers=providers)


def _run(model: Any, runtime: str, blob: np.ndarray, outputs: tuple[str, ...]) -> list[np.ndarray]:
    blob = np.ascontiguousarray(blob)
    if runtime == "opencv":
        model.setInput(blob)
        arrays = model.forward(list(outputs) or list(model.getUnconnectedOutLayersNames()))
    else:
        arrays = model.run(list(outputs) or None, {model.get_inputs()[0].name: blob})
    return [np.asarray(a) for a in arrays]


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


@lru_cache(maxsize=16)
def _try(path: str, runtime: str, size: tuple[int, int], version: tuple[int, int]) -> None:
    """Loads and runs the model in a child. Raises DetectorError; `version` is of the file."""
    hint = "Export the model again, or give another."
    path_of_ours = json.dumps([p for p in sys.path if p])
    memory = max(MAX_MEMORY_MB << 20, limit_bytes(0))
    arguments = (path_of_ours, path, runtime, json.dumps([*size, memory]))
    reading, held = os.pipe()  # closes with this process, whose end is then the child's
    try:
        done = subprocess.run(
            [sys.executable, "-E", "-P", "-c", _TRIAL, *arguments],
            env=os.environ | {"MALLOC_ARENA_MAX": "2"},
            capture_output=True,
            stdin=reading,
            timeout=TRIAL_SECONDS,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except subprocess.TimeoutExpired as error:
        raise DetectorError(f"{path} runs for longer than {TRIAL_SECONDS} s.", hint) from error
    except OSError as error:
        raise DetectorError(f"{path} cannot be tried: {error}.", hint) from error
    finally:
        os.close(reading)
        os.close(held)
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    if lines and lines[-1].startswith("failed: "):
        raise DetectorError(f"{path} cannot be loaded: {lines[-1][8:]}", hint)
    if done.returncode or "done" not in lines:
        why = f"it ends the process that reads it ({done.returncode})"
        raise DetectorError(f"{path} cannot be loaded: {why}.", hint)


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def _bound_memory(limit: int) -> None:
    """Where the system does it: Windows has no such limit and macOS refuses it, and the time alone
    is bounded."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main() -> None:
    """The child: loads and runs a model once, in bounded memory, and says how it went."""
    path, runtime = sys.argv[1:3]
    width, height, limit = json.loads(sys.argv[3])
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _bound_memory(limit)
    try:
        blob = np.zeros((1, 3, height, width), np.float32)
        _run(_load(path, runtime, trial=True), runtime, blob, ())
    except Exception as error:
        print(f"failed: {_first_line(error)}", flush=True)
    else:
        print("done", flush=True)
    os._exit(0)  # a library that fails as it is taken down has no say

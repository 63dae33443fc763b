"""The published networks on LiteRT, one interpreter a thread."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np

from ..errors import DetectorError
from .stopping import question

_local = threading.local()
_loading = threading.Lock()
_In = TypeVar("_In")
_Out = TypeVar("_Out")


def run_network(path: Path, image: np.ndarray) -> list[np.ndarray]:
    """Outputs of a network for an image (h, w, 3) float32, in the file's order.

    Raises DetectorError where LiteRT or the file is missing or wrong.
    """
    interpreter, entry, exits = _interpreter(path)
    interpreter.set_tensor(entry, image[None])
    interpreter.invoke()
    return [interpreter.get_tensor(index)[0] for index in exits]


def _interpreter(path: Path) -> tuple[Any, int, list[int]]:
    loaded = _local.__dict__.setdefault("loaded", {})
    if path not in loaded:
        loaded[path] = _load(path)
    return loaded[path]


def _load(path: Path) -> tuple[Any, int, list[int]]:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        hint = 'Run: pip install "kinflow[detect]", then kinflow setup.'
        raise DetectorError("LiteRT is not installed.", hint) from error
    try:
        with _loading, _quiet_stderr():
            interpreter = Interpreter(model_content=path.read_bytes(), num_threads=1)
            interpreter.allocate_tensors()
    except (OSError, RuntimeError, ValueError) as error:
        why = f"The detector's network {path} cannot be loaded: {error}"
        raise DetectorError(why, "Delete it and run: kinflow setup") from error
    outputs = [detail["index"] for detail in interpreter.get_output_details()]
    return interpreter, interpreter.get_input_details()[0]["index"], outputs


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Sends what LiteRT prints about itself to nowhere. One thread at a time."""
    try:
        saved = os.dup(2)
    except OSError:
        yield
        return
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(sink)


def each(call: Callable[[_In], _Out], items: Iterable[_In]) -> list[_Out]:
    """`call` of every item, on as many threads as OpenCV may take; in the items' order.

    Raises CancelledError where nobody wants it any more.
    """
    ask = question()

    def one(item: _In) -> _Out:
        ask()
        return call(item)

    return list(_pool().map(one, items))


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    # one a worker of a batch, which tells OpenCV so
    return ThreadPoolExecutor(max(1, min(8, cv2.getNumThreads())), "kinflow-look")


def shapes_of(path: Path) -> tuple[tuple[int, ...], ...]:
    """Shapes of a network's input and of its outputs. Raises DetectorError."""
    interpreter, _, _ = _load(path)
    details = (*interpreter.get_input_details(), *interpreter.get_output_details())
    return tuple(tuple(int(n) for n in detail["shape"]) for detail in details)

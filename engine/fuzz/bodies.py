"""Damaged bodies, priors and results, and what is done with them once they are read."""

from __future__ import annotations

import json
import pickle
import struct
import tempfile
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from kinflow.bodies.arrays import DEFAULT_BODY
from kinflow.drawing.overlay import overlay
from kinflow.priors.arrays import load_prior_arrays
from kinflow.records import Camera, FitResult, Hypothesis
from kinflow.tensorfile import read_tensors, write_tensors

from .mutate import FLOATS, damage_bytes, damage_json, json_bytes, npz
from .programs import program


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
    fields: dict[str, Any] = {k: array.astype(np.float32) for k, array in arrays.items()}
    minimum = Hypothesis(**fields, energy=1.0, keypoint_error_px=2.0, log_prob=-3.0)
    result = FitResult(
        **fields,
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

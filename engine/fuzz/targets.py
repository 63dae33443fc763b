"""The readers, and how a damaged file is made for each: seeds are written, none is stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from PIL import Image

from kinflow.bodies.files import load_body_arrays
from kinflow.formats import read_motion
from kinflow.formats.amass import read_amass
from kinflow.mocap import read_amc, read_bvh
from kinflow.perception.formats import read_observations, read_part_map
from kinflow.perception.models import read_card

from .bodies import (
    make_body_npz,
    make_body_tensors,
    make_fit,
    make_pickle,
    make_prior,
    read_fit,
    read_prior,
)
from .motion import make_amass, make_amc, make_bvh, make_motion
from .photos import (
    make_card,
    make_keypoints,
    make_model,
    make_part_map,
    make_photo,
    read_model,
    read_photos,
)


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
    "motion": Target(make_motion, _reader(read_motion, "x.npz", "x.bvh")),
    "photo": Target(make_photo, read_photos),
    "part-map": Target(make_part_map, _reader(read_part_map, "x.png")),
    "keypoints": Target(make_keypoints, _reader(read_observations, "x.json")),
    "card": Target(make_card, _reader(read_card, "x.toml")),
    "model": Target(make_model, read_model, seconds=120.0, bounded=False),
}

"""What the engine can do, by the names that travel: plain functions of decoded parameters."""

from collections.abc import Callable
from typing import Any

from .fits import fit_folder, fit_people, fit_photos, refit_frames, refit_person
from .models import decode, device_info, encode, sample
from .photos import observe_photos
from .posing import solve_pose

METHODS: dict[str, Callable[..., Any]] = {
    "observe": observe_photos,
    "fit": fit_people,
    "fit_sequence": fit_photos,
    "fit_folder": fit_folder,
    "refit": refit_person,
    "refit_span": refit_frames,
    "solve_ik": solve_pose,
    "decode": decode,
    "encode": encode,
    "sample": sample,
    "device_info": device_info,
}

"""Bodies and priors by name or path, kept from request to request, and what they answer."""

import platform
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from .. import __version__
from ..bodies.files import load_body
from ..bodies.model import Body
from ..priors.prior import Prior, load_prior

Progress = Callable[[float, str], bool | None]
DEFAULT_PRIOR = "light"


@lru_cache(maxsize=4)
def body_of(path: str | None) -> Body:
    """The body of a file; None: the default body."""
    return load_body(path)


@lru_cache(maxsize=4)
def prior_of(name: str | None) -> Prior:
    """The prior of a name or file; None: the default prior."""
    return load_prior(name or DEFAULT_PRIOR)


def decode(progress: Progress, z: np.ndarray, prior: str | None = None, mesh: bool = False) -> Any:
    """Codes (B, D) -> rotations (B, 23, 3, 3); with mesh {"pose", "vertices", "joints"} of the
    default body."""
    pose = prior_of(prior).decode(torch.from_numpy(z))
    if not mesh:
        return pose.numpy()
    vertices, joints = body_of(None)(body_pose=pose)
    return {"pose": pose.numpy(), "vertices": vertices.numpy(), "joints": joints.numpy()}


def encode(progress: Progress, pose: np.ndarray, prior: str | None = None) -> np.ndarray:
    """Poses (B, 23, 3, 3) or (B, 23, 3) -> codes (B, D)."""
    return prior_of(prior).encode(torch.from_numpy(pose)).numpy()


def sample(
    progress: Progress,
    n: int,
    temperature: float = 1.0,
    seed: int | None = None,
    prior: str | None = None,
) -> np.ndarray:
    """Random poses (n, 23, 3, 3)."""
    return prior_of(prior).sample(n, temperature, seed).numpy()


def device_info(progress: Progress) -> dict[str, Any]:
    """Versions, and what is computed on."""
    cuda = torch.cuda.is_available()
    cpu = f"CPU ({torch.get_num_threads()} threads)"
    return {
        "kinflow": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": cuda,
        "device": torch.cuda.get_device_name(0) if cuda else cpu,
    }

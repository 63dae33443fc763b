from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from kinflow import load_body, load_prior

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "blender_tests" / "samples"
HELDOUT = ROOT / "engine" / "benchmarks" / "data" / "heldout_poses.npz"
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def body():
    return load_body()


@pytest.fixture(scope="session")
def body64(body):
    return body.to(dtype=torch.float64)


@pytest.fixture(scope="session", params=["light", "light-aa", "light-rotmat", "realnvp"])
def prior(request):
    return load_prior(request.param)


@pytest.fixture(scope="session")
def light():
    return load_prior("light")


@pytest.fixture(scope="session")
def heldout() -> torch.Tensor:
    """Captured poses as rotations (N, 23, 3, 3)."""
    import array_api_compat.torch as xp

    from kinflow.core.rotations import axis_angle_to_matrix

    with np.load(HELDOUT) as data:
        return axis_angle_to_matrix(xp, torch.from_numpy(data["pose"]))


@pytest.fixture(scope="session")
def sample_photo() -> Path:
    return SAMPLES / "punch.png"

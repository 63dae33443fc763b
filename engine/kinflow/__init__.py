"""kinflow: normalizing-flow pose priors, and fitting SMPL-layout bodies to photos.

The names below are loaded when they are first used, so `import kinflow.client` stays free of torch.
"""

from __future__ import annotations

import importlib
from typing import Any

from ._version import __version__ as __version__

_HOME = {
    "Camera": "records",
    "Observation": "records",
    "FitResult": "records",
    "Hypothesis": "records",
    "KinflowError": "errors",
    "observe": "perception",
    "load_body": "bodies.files",
    "Body": "bodies.model",
    "load_prior": "priors.prior",
    "Prior": "priors.prior",
    "fit": "fitting.fit",
    "fit_sequence": "fitting.sequence",
    "guess": "guessing.guess",
    "Effector": "posing",
    "Floor": "posing",
    "IKResult": "posing",
    "solve_ik": "posing",
    "Engine": "client",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module 'kinflow' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])

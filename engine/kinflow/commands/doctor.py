"""Checks of an installation, one line each, and what to do about a failure."""

import importlib.metadata
import platform
import socket
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..errors import KinflowError
from .libraries import explained
from .torch_build import torch_build

OPENCV = "opencv-python>=4.11,<5"


@dataclass(frozen=True)
class Check:
    """name, whether it is in order, what was found, and the remedy, or advice where it is."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


Found = str | tuple[str, str]
"""What a check found; with advice, where it is in order and could be better."""


def _versions() -> Found:
    names = ("kinflow", "torch", "numpy", *_opencvs(), "ai-edge-litert", "pillow")
    versions = {n: _version(n) for n in names}
    missing = [n for n in ("torch", "numpy") if versions[n] == "missing"]
    listed = ", ".join(f"{n} {v}" for n, v in versions.items())
    text = f"Python {platform.python_version()}, {listed}"
    if missing:
        raise KinflowError(text, f"pip install {' '.join(missing)}")
    return text


def _opencvs() -> list[str]:
    """The packages with a cv2 that are installed: they overwrite each other's files."""
    kinds = [f"opencv{c}-python{h}" for c in ("", "-contrib") for h in ("", "-headless")]
    return [k for k in kinds if _version(k) != "missing"]


def _one_cv2() -> Found:
    installed = _opencvs()
    if not installed:
        raise KinflowError("OpenCV is missing.", f"pip install '{OPENCV}'")
    if len(installed) > 1:
        raise KinflowError(
            f"{' and '.join(installed)} overwrite each other's cv2.",
            f"pip uninstall -y {' '.join(installed)} && pip install '{OPENCV}'",
        )
    import cv2

    return f"{installed[0]} {cv2.__version__}"


def _torch() -> Found:
    build = torch_build()
    return str(build), build.advice()


def _device() -> Found:
    import torch

    if torch.cuda.is_available():
        return f"CUDA: {torch.cuda.get_device_name(0)}"
    return f"CPU, {torch.get_num_threads()} threads (no CUDA device)"


def _assets() -> Found:
    from ..bodies.files import load_body
    from ..priors.prior import SHIPPED, load_prior

    body = load_body()
    for name in SHIPPED:
        load_prior(name)
    return f"default body ({body.num_vertices} vertices), priors {', '.join(SHIPPED)}"


def _detector() -> Found:
    import numpy as np

    from ..perception import observe
    from ..perception.detector_files import LANDMARKS, chosen, network_file

    choice = chosen()
    network = network_file(LANDMARKS[choice])
    if network is None:
        raise KinflowError("no networks", "Run: kinflow setup")
    observe(np.full((64, 64, 3), 127, np.uint8))
    return f"{choice}, {network}"


def _write_access() -> Found:
    from ..paths import cache_folder

    cache_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=cache_folder()):
        return str(cache_folder())


def _ports() -> Found:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname(), timeout=2),
    ):
        return "loopback works"


_CHECKS: tuple[tuple[str, Callable[[], Found], str], ...] = (
    ("versions", _versions, "Install kinflow again."),
    ("torch", _torch, "Install torch again."),
    ("one cv2", _one_cv2, f"pip install '{OPENCV}'"),
    ("device", _device, "Install torch again."),
    ("assets", _assets, "Install kinflow again."),
    ("detector", _detector, 'Run: pip install "kinflow[detect]", then kinflow setup'),
    ("write access", _write_access, "Set KINFLOW_CACHE to a folder that you may write to."),
    ("ports", _ports, "Allow connections on 127.0.0.1 in the firewall."),
)


def run_checks() -> Iterator[Check]:
    """Every check, one by one, a failure of one never hiding the others."""
    for name, check, remedy in _CHECKS:
        try:
            found = check()
            yield Check(name, True, *((found,) if isinstance(found, str) else found))
        except ImportError as error:
            why = explained(error)
            yield Check(name, False, why.message, why.hint)
        except KinflowError as error:
            yield Check(name, False, error.message, error.hint or remedy)
        except (OSError, RuntimeError) as error:
            yield Check(name, False, f"{type(error).__name__}: {error}", remedy)

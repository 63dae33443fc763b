"""Checks of an installation, one line each, and what to do about a failure."""

import importlib.metadata
import platform
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import KinflowError


@dataclass(frozen=True)
class Check:
    """name, whether it is in order, what was found, and the remedy."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _versions() -> str:
    names = ("kinflow", "torch", "numpy", "opencv-python", "ai-edge-litert", "pillow")
    versions = {n: _version(n) for n in names}
    missing = [n for n in ("torch", "numpy", "opencv-python") if versions[n] == "missing"]
    listed = ", ".join(f"{n} {v}" for n, v in versions.items())
    text = f"Python {platform.python_version()}, {listed}"
    if missing:
        raise KinflowError(text, f"pip install {' '.join(missing)}")
    return text


def _one_cv2() -> str:
    kinds = [f"opencv{c}-python{h}" for c in ("", "-contrib") for h in ("", "-headless")]
    installed = [k for k in kinds if _version(k) != "missing"]
    if len(installed) != 1:
        remedy = "Uninstall all of them, then: pip install opencv-python==4.11.0.86"
        raise KinflowError(", ".join(installed) or "none", remedy)
    return installed[0]


def _device() -> str:
    import torch

    if torch.cuda.is_available():
        return f"CUDA: {torch.cuda.get_device_name(0)}"
    return f"CPU, {torch.get_num_threads()} threads (no CUDA device)"


def _assets() -> str:
    from ..bodies.files import load_body
    from ..priors.prior import SHIPPED, load_prior

    body = load_body()
    for name in SHIPPED:
        load_prior(name)
    return f"default body ({body.num_vertices} vertices), priors {', '.join(SHIPPED)}"


def _detector() -> str:
    import numpy as np

    from ..perception import observe
    from ..perception.detector_files import LANDMARKS, chosen, network_file

    choice = chosen()
    network = network_file(LANDMARKS[choice])
    if network is None:
        raise KinflowError("no networks", "Run: kinflow setup")
    observe(np.full((64, 64, 3), 127, np.uint8))
    return f"{choice}, {network}"


def _write_access() -> str:
    from ..paths import cache_folder

    cache_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=cache_folder()):
        return str(cache_folder())


def _ports() -> str:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname(), timeout=2),
    ):
        return "loopback works"


_CHECKS: tuple[tuple[str, Callable[[], str], str], ...] = (
    ("versions", _versions, "Install kinflow again."),
    ("one cv2", _one_cv2, "Keep opencv-python alone."),
    ("device", _device, "Install torch again."),
    ("assets", _assets, "Install kinflow again."),
    ("detector", _detector, 'Run: pip install "kinflow[detect]", then kinflow setup'),
    ("write access", _write_access, "Set KINFLOW_CACHE to a folder that you may write to."),
    ("ports", _ports, "Allow connections on 127.0.0.1 in the firewall."),
)


def run_checks() -> list[Check]:
    """Every check, a failure of one never hiding the others."""
    result = []
    for name, check, remedy in _CHECKS:
        try:
            result.append(Check(name, True, check()))
        except KinflowError as error:
            result.append(Check(name, False, error.message, error.hint or remedy))
        except (ImportError, OSError, RuntimeError) as error:
            result.append(Check(name, False, f"{type(error).__name__}: {error}", remedy))
    return result

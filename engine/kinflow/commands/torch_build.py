"""Which build of torch is installed, how much disk it takes, and how to change it."""

import importlib.metadata
import importlib.util
import shutil
import subprocess
from dataclasses import dataclass

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
_COMPANIONS = ("nvidia-", "cuda-", "triton", "pytorch-triton")
"""Packages that torch's builds for graphics cards bring along."""


@dataclass(frozen=True)
class TorchBuild:
    """version; runs_on: "CPU", "CUDA 13.0", "ROCm 6.4"; works: it sees a graphics card; card: an
    NVIDIA card is here; companions: the packages that it brought; size: of all of them, bytes."""

    version: str
    runs_on: str
    works: bool
    card: bool
    companions: tuple[str, ...]
    size: int

    def __str__(self) -> str:
        what = "for the CPU" if self.runs_on == "CPU" else f"for {self.runs_on}"
        return f"torch {self.version}, built {what}, {self.size / 1e9:.1f} GB on disk"

    def advice(self) -> str:
        """What to do where another build would suit this machine better; "" where this one does."""
        if self.works:
            return ""
        if self.runs_on == "CPU":
            if not self.card:
                return ""
            return f"to use the NVIDIA card here: {_install('auto')}"
        if self.card:
            return f"it cannot use the card here; update its driver, or: {_install('auto')}"
        uninstall = "uv pip uninstall" if _without_pip() else "pip uninstall -y"
        names = " ".join(("torch", *self.companions))
        return (
            f"no GPU here; the CPU build is far smaller: {uninstall} {names} && {_install('cpu')}"
        )


def _without_pip() -> bool:
    """Environments of uv have no pip."""
    return importlib.util.find_spec("pip") is None


def _install(backend: str) -> str:
    if _without_pip() or backend != "cpu":
        return f"uv pip install --torch-backend={backend} --reinstall-package torch torch"
    return f"pip install torch --index-url {CPU_INDEX}"


def torch_build() -> TorchBuild:
    """Of the torch that this Python imports. Raises ImportError."""
    import torch

    runs_on = "CPU"
    if torch.version.cuda:
        runs_on = f"CUDA {torch.version.cuda}"
    elif getattr(torch.version, "hip", None):
        runs_on = f"ROCm {torch.version.hip}"
    names = {d.name for d in importlib.metadata.distributions() if d.name}
    companions = tuple(sorted(n for n in names if n.lower().startswith(_COMPANIONS)))
    size = sum(_size(name) for name in ("torch", *companions))
    works = runs_on != "CPU" and torch.cuda.is_available()
    return TorchBuild(torch.__version__, runs_on, works, _nvidia_card(), companions, size)


def _size(package: str) -> int:
    """Bytes that a package's record names."""
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        return 0
    return sum(file.size or 0 for file in files)


def _nvidia_card() -> bool:
    """Whether NVIDIA's driver lists a card."""
    if shutil.which("nvidia-smi") is None:
        return False
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return listed.returncode == 0 and "GPU" in listed.stdout

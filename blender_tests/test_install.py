"""The engine's set-up: the right commands, nothing half-made, every failure explained."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from addon import engine_install, install_worker

PACKAGES = {
    "torch": "2.13.0",
    "numpy": "2.4.6",
    "opencv-python": "4.11.0.86",
    "pillow": "13.0.0",
    "tyro": "1.0.17",
    "threadpoolctl": "3.6.0",
    "absl-py": "2.5.1",
    "certifi": "2026.10.18",
    "flatbuffers": "25.12.19",
    "matplotlib": "3.11.2",
    "sounddevice": "0.5.6",
    "mediapipe": "1.2.2",
}


def small_wheel(
    folder: Path, name: str, version: str, tag: str, needs: tuple[str, ...] = ()
) -> Path:
    stem = f"{name.replace('-', '_')}-{version}"
    path = folder / f"{stem}-{tag}.whl"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + "".join(
        f"Requires-Dist: {n}\n" for n in needs
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{stem}.dist-info/METADATA", metadata)
        archive.writestr(
            f"{stem}.dist-info/WHEEL",
            f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
        )
        archive.writestr(f"{stem}.dist-info/RECORD", "")
    return path


def small_index(folder: Path, python: str) -> Path:
    for name, version in PACKAGES.items():
        compiled = name in ("torch", "numpy", "pillow", "matplotlib")
        tag = f"cp{python}-cp{python}-manylinux_2_28_x86_64" if compiled else "py3-none-any"
        small_wheel(
            folder, name, version, tag, ("opencv-contrib-python",) if name == "mediapipe" else ()
        )
    return folder


@pytest.mark.parametrize("python", ["3.11", "3.13", "3.14"])
def test_the_exact_pip_commands_resolve_for_each_python(tmp_path, python):
    index = small_index(tmp_path, python.replace(".", ""))
    wheel = small_wheel(tmp_path, "kinflow", "0.1.0", "py3-none-any")
    other = [
        "--python-version",
        python,
        "--platform",
        "manylinux_2_28_x86_64",
        "--only-binary=:all:",
        "--target",
        str(tmp_path / "to"),
        "--dry-run",
        "--quiet",
        "--report",
        "-",
        "--isolated",
    ]
    got = set()
    for _, command in install_worker.pip_commands(
        sys.executable, str(wheel), cuda=False, cpu_index=True
    ):
        # the index is the test's own, whichever the command names
        kept = [
            w
            for i, w in enumerate(command)
            if w != "--index-url" and command[i - 1] != "--index-url"
        ]
        done = subprocess.run(
            [*kept, *other, "--no-index", "--find-links", str(index)],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        got |= {item["metadata"]["name"] for item in json.loads(done.stdout)["install"]}
    assert {"torch", "numpy", "mediapipe", "kinflow", "opencv-python"} <= got
    assert "opencv-contrib-python" not in got  # exactly one cv2


def test_cuda_is_never_installed_unasked():
    torch = dict(install_worker.pip_commands("python", "k.whl", cuda=False, cpu_index=True))[
        "torch"
    ]
    assert torch[torch.index("--index-url") + 1] == install_worker.CPU_INDEX
    assert (
        "--index-url"
        not in dict(install_worker.pip_commands("python", "k.whl", cuda=True, cpu_index=True))[
            "torch"
        ]
    )


@pytest.mark.parametrize(
    ("output", "word"),
    [
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            "disk is full",
        ),
        ("OSError: [Errno 13] Permission denied: '/opt/x'", "cannot be written"),
        (
            "Failed to establish a new connection: [Errno -3] Temporary failure in name resolution",
            "network",
        ),
        ("ERROR: No matching distribution found for torch>=2.6", "no build"),
        ("Error: Command '-m ensurepip' returned non-zero exit status 1.", "environments"),
        ("something else\nlast words", "last words"),
    ],
)
def test_failures_are_explained(output, word):
    message, hint = install_worker.explain(output)
    assert word in message and hint


def wait_for(installation, seconds=60):
    end = time.monotonic() + seconds
    while not installation.poll():
        assert time.monotonic() < end
        time.sleep(0.05)
    return installation.progress


def test_a_folder_that_cannot_be_made_is_an_explained_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    wheel = small_wheel(tmp_path, "kinflow", "0.1.0", "py3-none-any")
    installation = engine_install.Installation(
        str(find_python()), tmp_path / "file" / "engine", wheel, cuda=False
    )
    progress = wait_for(installation)
    assert progress.error and progress.hint and not progress.python


def test_a_failed_installation_leaves_nothing_behind(tmp_path, monkeypatch):
    # no index at all: pip fails at the first package
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    wheel = small_wheel(tmp_path, "kinflow", "0.1.0", "py3-none-any")
    installation = engine_install.Installation(
        str(find_python()), tmp_path / "engine", wheel, cuda=False
    )
    progress = wait_for(installation)
    assert re.search("no build|failed", progress.error), progress
    assert list((tmp_path / "engine").iterdir()) == []


def test_cancelling_ends_the_worker_and_takes_away_what_it_made(tmp_path):
    wheel = small_wheel(tmp_path, "kinflow", "0.1.0", "py3-none-any")
    installation = engine_install.Installation(
        str(find_python()), tmp_path / "engine", wheel, cuda=False
    )
    end = time.monotonic() + 30
    while not list((tmp_path / "engine").glob("engine-*")) and time.monotonic() < end:
        time.sleep(0.02)
    installation.cancel()
    assert installation.process.poll() is not None
    assert list((tmp_path / "engine").iterdir()) == []


def find_python() -> Path:
    """A Python with venv outside Blender: what the tests' engine was made with."""
    import os

    return Path(os.environ.get("KINFLOW_PYTHON", sys.executable))

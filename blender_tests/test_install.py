"""The engine's set-up: only what the locks name, nothing half-made, every failure explained."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import bpy
import pytest

from addon.engine import install_worker, installation
from addon.operators import install_engine

LOCKS = installation.carried_locks()
# what the worker runs of the engine that it installed
KINFLOW = {
    "kinflow/__init__.py": "class P:\n    def sample(*a, **k): pass\n"
    "def load_prior(n): return P()\ndef load_body(): pass\n",
    "kinflow/cli.py": "",
}


def small_wheel(folder: Path, name: str, version: str, files: dict[str, str]) -> Path:
    """A wheel that pip installs, for every Python."""
    stem = f"{name.replace('-', '_')}-{version}"
    path = folder / f"{stem}-py3-none-any.whl"
    about = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    content = files | {f"{stem}.dist-info/{n}": text for n, text in about.items()}
    record = f"{stem}.dist-info/RECORD"
    rows = "".join(f"{n},,\n" for n in [*content, record])
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in (content | {record: rows}).items():
            archive.writestr(file, text)
    return path


def lock_of(*wheels: Path) -> str:
    """A lock of these wheels."""
    lines = []
    for wheel in wheels:
        name, version = wheel.name.split("-")[:2]
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        lines.append(f"{name}=={version} \\\n    --hash=sha256:{digest}\n")
    return "".join(lines)


@pytest.fixture
def request_of_a_small_engine(tmp_path, monkeypatch):
    """An installation from a small index of two libraries, with pip kept from every other."""
    index = tmp_path / "index"
    index.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    library = small_wheel(index, "library", "1.0", {"library.py": ""})
    torch = small_wheel(index, "torch", "2.0", {"torch.py": ""})
    locks = tmp_path / "locks"
    locks.mkdir()
    (locks / "libraries.lock").write_text(lock_of(library))
    (locks / "torch-cpu.lock").write_text(lock_of(torch))
    wheel = small_wheel(tmp_path, "kinflow", "0.1.0", KINFLOW)
    python = os.environ.get("KINFLOW_PYTHON", sys.executable)
    return installation.Request(python, tmp_path / "engine", wheel, locks)


def wait_for(running: installation.Installation, seconds: float = 90) -> installation.Progress:
    end = time.monotonic() + seconds
    while not running.poll():
        assert time.monotonic() < end
        time.sleep(0.05)
    return running.progress


def made_in(request: installation.Request) -> list[Path]:
    return list(request.folder.glob("*"))


def test_the_engine_is_made_of_what_the_locks_name(request_of_a_small_engine):
    progress = wait_for(installation.Installation(request_of_a_small_engine))
    assert progress.error == "" and Path(progress.python).is_file()
    (made,) = made_in(request_of_a_small_engine)
    names = {p.name.split("-")[0] for p in made.rglob("*.dist-info")}
    assert {"library", "torch", "kinflow"} <= names


@pytest.mark.parametrize("name", ["library", "torch"])
def test_a_package_that_is_not_the_one_that_was_locked_is_refused(request_of_a_small_engine, name):
    index = Path(os.environ["PIP_FIND_LINKS"])
    (wheel,) = index.glob(f"{name}-*.whl")
    small_wheel(index, name, wheel.name.split("-")[1], {f"{name}.py": "raise SystemExit\n"})
    progress = wait_for(installation.Installation(request_of_a_small_engine))
    assert "not the one that kinflow was tested with" in progress.error and progress.hint
    assert made_in(request_of_a_small_engine) == []


def test_no_package_is_taken_that_no_lock_names(request_of_a_small_engine):
    (request_of_a_small_engine.locks / "libraries.lock").write_text("library==1.0\n")
    progress = wait_for(installation.Installation(request_of_a_small_engine))
    assert progress.error and made_in(request_of_a_small_engine) == []


def test_nothing_that_lies_beside_a_blend_is_run(request_of_a_small_engine, tmp_path, monkeypatch):
    """Modules of the working folder and of PYTHONPATH shadow nothing in any step."""
    trap, mark = tmp_path / "project", tmp_path / "mark"
    trap.mkdir()
    for name in ("numpy", "venv", "ensurepip", "pip", "json", "kinflow", "torch", "sitecustomize"):
        (trap / f"{name}.py").write_text(f"open({str(mark)!r}, 'a').write({name!r})\n")
    monkeypatch.chdir(trap)
    monkeypatch.setenv("PYTHONPATH", str(trap))
    monkeypatch.setenv("PYTHONSTARTUP", str(trap / "numpy.py"))
    progress = wait_for(installation.Installation(request_of_a_small_engine))
    assert progress.error == "" and not mark.exists()


def test_a_finished_engine_survives_a_cancel_that_comes_late(request_of_a_small_engine):
    running = installation.Installation(request_of_a_small_engine)
    running.process.wait(90)
    running.cancel()
    assert running.poll() and Path(running.progress.python).is_file()


def test_closing_the_preferences_does_not_end_the_installation(
    request_of_a_small_engine, tmp_path, monkeypatch
):
    """No modal operator and no window: Blender's timer carries it to its end and notes it."""
    monkeypatch.setenv("KINFLOW_CACHE", str(tmp_path / "cache"))
    installation.begin(request_of_a_small_engine)
    assert not hasattr(install_engine.KINFLOW_OT_install_engine, "modal")
    assert not bpy.ops.kinflow.install_engine.poll()  # one at a time
    end = time.monotonic() + 90
    while install_engine.watch() is not None:
        assert time.monotonic() < end
        time.sleep(0.05)
    python = installation.current.progress.python
    assert Path(python).is_file() and python in installation.engine_note().read_text()
    installation.cancel_current()  # as unregistering does: what has ended stays
    assert Path(python).is_file()


def test_two_blenders_that_install_at_once_each_keep_their_own(
    request_of_a_small_engine, tmp_path, monkeypatch
):
    monkeypatch.setenv("KINFLOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(installation.os, "getpid", lambda: 41)
    others = installation.Installation(request_of_a_small_engine)
    monkeypatch.setattr(installation.os, "getpid", lambda: 42)
    mine = installation.Installation(request_of_a_small_engine)
    end = time.monotonic() + 60
    while mine.progress.fraction < 0.1 and not mine.poll() and time.monotonic() < end:
        time.sleep(0.02)
    others.cancel()
    progress = wait_for(mine)
    assert progress.error == "" and Path(progress.python).is_file()
    assert len(made_in(request_of_a_small_engine)) == 1


def test_cancelling_ends_the_worker_and_takes_away_what_it_made(request_of_a_small_engine):
    running = installation.Installation(request_of_a_small_engine)
    end = time.monotonic() + 30
    while not made_in(request_of_a_small_engine) and time.monotonic() < end:
        time.sleep(0.02)
    running.cancel()
    assert running.process.poll() is not None
    assert made_in(request_of_a_small_engine) == []


def test_a_failed_installation_leaves_nothing_behind(request_of_a_small_engine, monkeypatch):
    monkeypatch.delenv("PIP_FIND_LINKS")  # no index at all: pip fails at the first package
    progress = wait_for(installation.Installation(request_of_a_small_engine))
    assert re.search("no build|failed", progress.error), progress
    assert made_in(request_of_a_small_engine) == []


def test_a_folder_that_cannot_be_made_is_an_explained_error(request_of_a_small_engine, tmp_path):
    (tmp_path / "file").write_text("in the way")
    request = replace(request_of_a_small_engine, folder=tmp_path / "file" / "engine")
    progress = wait_for(installation.Installation(request))
    assert progress.error and progress.hint and not progress.python


def test_cuda_is_never_installed_unasked():
    for cuda, lock in ((False, "torch-cpu.lock"), (True, "torch-cuda.lock")):
        steps = install_worker.library_steps("python", LOCKS, cuda)
        used = {Path(word).name for s in steps for c in s.commands for word in c if "lock" in word}
        assert used == {"libraries.lock", lock}
    without = (LOCKS / "torch-cpu.lock").read_text() + (LOCKS / "libraries.lock").read_text()
    assert not re.search("^(nvidia|cuda|triton)", without, re.M)


def test_every_requirement_is_pinned_hashed_and_met_once_by_each_python_and_system():
    markers = pytest.importorskip("packaging.markers")
    systems = (("linux", "Linux"), ("win32", "Windows"), ("darwin", "Darwin"))
    for name in ("libraries", "torch-cpu", "torch-cuda"):
        parts = re.split(r"(?m)^(?=[a-z])", (LOCKS / f"{name}.lock").read_text())[1:]
        assert all("==" in p and "--hash=sha256:" in p for p in parts)
        for minor, (platform, system) in itertools.product(installation.MINORS, systems):
            there = {
                "python_version": f"3.{minor}",
                "python_full_version": f"3.{minor}.1",
                "sys_platform": platform,
                "platform_system": system,
                "platform_machine": "x86_64",
                "implementation_name": "cpython",
            }
            met = []
            for part in parts:
                line = part.split("\\")[0]
                marker = line.partition(";")[2].strip()
                if not marker or markers.Marker(marker).evaluate(there):
                    met.append(line.split("==")[0])
            assert len(met) == len(set(met))
            assert "torch" in met or ("numpy" in met and "ai-edge-litert" in met)


def test_there_is_exactly_one_cv2():
    text = (LOCKS / "libraries.lock").read_text()
    assert re.findall("^opencv[a-z-]*", text, re.M) == ["opencv-python"]


@pytest.mark.parametrize(
    ("output", "word"),
    [
        ("ERROR: Could not install packages: [Errno 28] No space left on device", "disk is full"),
        ("OSError: [Errno 13] Permission denied: '/opt/x'", "cannot be written"),
        ("NewConnectionError: [Errno -3] Temporary failure in name resolution", "network"),
        ("ERROR: No matching distribution found for torch==2.13.0", "no build"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE FILE", "not the one"),
        ("Error: Command '-m ensurepip' returned non-zero exit status 1.", "environments"),
        ("something else\nlast words", "last words"),
    ],
)
def test_failures_are_explained(output, word):
    message, hint = install_worker.explain(output)
    assert word in message and hint

"""The zip: small, the same bytes twice, and all that Blender needs without an engine."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAX_MB = 15


@pytest.fixture(scope="module")
def archives():
    """The zip's bytes, built twice."""
    build = ROOT / "build.py"
    if not build.is_file():
        pytest.skip("the sources are not here")
    made = []
    for _ in range(2):
        done = subprocess.run([sys.executable, build, "addon"], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        made.append(next((ROOT / "dist").glob("kinflow-*.zip")).read_bytes())
    return made


def test_two_builds_are_byte_identical_and_small(archives):
    assert archives[0] == archives[1]
    assert len(archives[0]) <= MAX_MB * 1e6


def test_the_zip_carries_the_locks_and_the_wheels_that_its_manifest_names(archives):
    with zipfile.ZipFile(io.BytesIO(archives[0])) as archive:
        names = archive.namelist()
        manifest = tomllib.loads(archive.read("blender_manifest.toml").decode())
    wheels = sorted(f"./{name}" for name in names if name.endswith(".whl"))
    assert wheels == sorted(manifest["wheels"])
    assert {w.split("/")[-1].split("-")[0] for w in wheels} >= {"kinflow", "array_api_compat"}
    assert all(w.endswith("-py3-none-any.whl") for w in wheels)
    locks = {Path(name).name for name in names if name.startswith("engine/locks/")}
    assert locks == {"libraries.lock", "torch-cpu.lock", "torch-cuda.lock"}
    assert not any("__pycache__" in name for name in names)


def test_with_the_wheels_and_numpy_alone_a_body_is_fitted(archives, tmp_path):
    """What `numpy_core.py` shows in a real Blender, in this Python."""
    with zipfile.ZipFile(io.BytesIO(archives[0])) as archive:
        for name in archive.namelist():
            if name.endswith(".whl"):
                with zipfile.ZipFile(io.BytesIO(archive.read(name))) as wheel:
                    wheel.extractall(tmp_path)
    script = Path(__file__).with_name("numpy_core.py")
    code = (
        f"import runpy, sys; sys.path.insert(0, {str(tmp_path)!r}); runpy.run_path({str(script)!r})"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["kinflow"].startswith(str(tmp_path))

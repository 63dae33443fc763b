"""The project's own files agree with each other and with what is there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import kinflow

ROOT = Path(__file__).parents[2]


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def named_versions() -> dict[str, list[str]]:
    """Every place that names the version of this release."""
    manifest = tomllib.loads(text("addon/blender_manifest.toml"))
    wheels = [w for w in manifest["wheels"] if Path(w).name.startswith("kinflow-")]
    zips = ("README.md", "blender_tests/inside_blender.py", "blender_tests/numpy_core.py")
    return {
        "manifest": [manifest["version"]],
        "its wheel": [Path(w).name.split("-")[1] for w in wheels],
        "CITATION.cff": re.findall(r"(?m)^version: (.*)$", text("CITATION.cff")),
        "CHANGELOG.md": re.findall(r"(?m)^## (\S+)", text("CHANGELOG.md"))[:1],
    } | {name: re.findall(r"kinflow-(\d[\d.]*\d)\.zip", text(name)) for name in zips}


@pytest.mark.parametrize("place", named_versions())
def test_every_file_names_the_version_that_is_released(place):
    # Blender keeps an extension's old wheel where the version did not change
    assert set(named_versions()[place]) == {kinflow.__version__}


def test_every_licence_that_is_named_lies_where_it_is_said_to():
    for name in re.findall(r"in full: (\S+)", text("LICENSE")):
        assert len(text(name)) > 5000, name
    for name in re.findall(r"(?m)^((?:\w+/)+)", text("LICENSE")):
        assert (ROOT / name).is_dir(), name
    assert {"Apache-2.0", "GPL-3.0-or-later", "CC0-1.0"} <= set(
        re.findall(r"Apache-2\.0|GPL-3\.0-or-later|CC0-1\.0", text("LICENSE"))
    )
    engine = tomllib.loads(text("engine/pyproject.toml"))["project"]["license"]
    (addon,) = tomllib.loads(text("addon/blender_manifest.toml"))["license"]
    assert engine == "Apache-2.0" and addon == "SPDX:GPL-3.0-or-later"


def test_the_hosted_checks_call_the_readmes_own_command_on_three_systems():
    workflow = text(".github/workflows/test.yml")
    assert "python3 build.py test" in text("README.md") and "build.py test" in workflow
    for system in ("ubuntu", "windows", "macos"):
        assert f"{system}-" in workflow

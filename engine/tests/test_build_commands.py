"""build.py with other Pythons: it goes on with what is there, or says what it needs."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "engine"))
from building import blender, commands, demo, environment, testing  # noqa: E402


@pytest.fixture
def door(monkeypatch):
    """build.py as a module; no other Python is found."""
    spec = importlib.util.spec_from_file_location("build_door", ROOT / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    return module


@pytest.mark.parametrize("here", [(3, 8, 1), (3, 10, 13), (3, 15, 0)])
def test_a_python_without_wheels_says_in_one_sentence_which_is_needed(
    door, here, monkeypatch, capsys
):
    monkeypatch.setattr(door.sys, "version_info", here)
    assert door.main() == 1
    said = capsys.readouterr().err
    assert "Python 3.11 to 3.14" in said and said.count("\n") == 1


def test_a_python_without_wheels_hands_over_to_one_that_fits(door, monkeypatch):
    handed = []
    monkeypatch.setattr(door.sys, "version_info", (3, 9, 0))
    monkeypatch.setattr(door.sys, "argv", ["build.py", "test"])
    monkeypatch.setattr(door.shutil, "which", lambda name: f"/bin/{name}")
    # python3.11 is a stub here, as pyenv makes them
    stub = "/bin/python3.11"
    monkeypatch.setattr(
        door.subprocess, "call", lambda command, **_: handed.append(command) or command[0] == stub
    )
    assert door.main() == 0
    assert handed[-1] == ["/bin/python3.12", "build.py", "test"]


@pytest.fixture
def no_bpy(monkeypatch, tmp_path):
    """Another Python than bpy's, in the environment too."""
    (tmp_path / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.13.0\n")
    for module in (demo, testing):
        monkeypatch.setattr(module, "bpy_python", lambda: None)
    for module in (demo, testing):
        monkeypatch.setattr(module, "has_bpy_python", lambda: environment.has_bpy_python(tmp_path))
    monkeypatch.setattr(testing, "venv_version", lambda: environment.venv_version(tmp_path))
    monkeypatch.delenv("KINFLOW_BLENDER", raising=False)


def test_without_pips_blender_and_without_another_nothing_is_installed(no_bpy, monkeypatch):
    monkeypatch.setattr(blender, "candidates", lambda: iter(["/old/blender"]))
    monkeypatch.setattr(blender, "release_of", lambda path: (4, 1))
    monkeypatch.setattr(demo, "install_engine", lambda: pytest.fail("installs"))
    with pytest.raises(environment.BuildError, match=r"Python 3\.11.* or a Blender from 4\.2"):
        demo.demo([])


def test_without_pips_blender_the_demo_takes_an_installed_one(no_bpy, monkeypatch):
    monkeypatch.setattr(blender, "candidates", lambda: iter(["/old/blender", "/new/blender"]))
    monkeypatch.setattr(blender, "release_of", lambda path: (4, 1) if "old" in path else (5, 2))
    monkeypatch.setattr(blender, "with_kinflow", lambda path: {"for": path})
    command, env = demo.batch_command()
    assert command[0] == "/new/blender" and command[-1] == "--"
    assert env == {"for": "/new/blender"}


def test_a_stated_blender_that_is_none_is_an_error(no_bpy, monkeypatch):
    monkeypatch.setenv("KINFLOW_BLENDER", sys.executable)
    with pytest.raises(environment.BuildError, match="KINFLOW_BLENDER is"):
        blender.installed_blender()


def test_what_a_run_of_the_tests_leaves_out_is_named(no_bpy):
    whole = testing.left_out(slow=False, everywhere=False)
    assert any("blender_tests" in line and "3.13" in line for line in whole)
    assert any("--slow" in line for line in whole)
    assert any("--all-blenders" in line for line in whole)
    assert len(testing.left_out(slow=True, everywhere=True)) == 1


@pytest.mark.parametrize("line", ["version = 3.12.1", "version_info = 3.12.1"])
def test_the_python_of_an_environment_is_read_however_it_was_made(tmp_path, line):
    (tmp_path / "pyvenv.cfg").write_text(f"home = /usr/bin\n{line}\n")
    assert environment.venv_version(tmp_path) == (3, 12)


def test_what_pip_prints_in_another_encoding_is_shown_and_not_an_error(capsys):
    code = "import sys; sys.stderr.buffer.write(bytes([233, 10])); sys.exit(1)"
    with pytest.raises(environment.BuildError, match="This step failed"):
        environment.run(sys.executable, "-c", code, quiet=True)
    assert "\ufffd" in capsys.readouterr().err


def test_the_fuzzers_say_where_they_run(monkeypatch):
    monkeypatch.setattr(commands.sys, "platform", "win32")
    monkeypatch.setattr(commands, "install_engine", lambda: pytest.fail("installs"))
    with pytest.raises(environment.BuildError, match="Linux"):
        commands.fuzz([])

"""What `kinflow doctor` and `kinflow setup` tell of an installation."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from kinflow.cli import main
from kinflow.commands import doctor, system
from kinflow.commands.libraries import explained
from kinflow.commands.torch_build import TorchBuild, torch_build
from kinflow.paths import engine_note

GPU_PACKAGES = ("nvidia-cublas", "nvidia-cudnn-cu13", "triton")


def _build(runs_on: str, works: bool, card: bool) -> TorchBuild:
    companions = () if runs_on == "CPU" else GPU_PACKAGES
    return TorchBuild("2.13.0", runs_on, works, card, companions, 5_900_000_000)


def test_a_cuda_build_without_a_gpu_is_named_with_the_lines_that_change_it(monkeypatch):
    monkeypatch.setattr("kinflow.commands.torch_build._without_pip", lambda: False)
    build = _build("CUDA 13.0", False, False)
    assert str(build) == "torch 2.13.0, built for CUDA 13.0, 5.9 GB on disk"
    advice = build.advice()
    assert f"pip uninstall -y torch {' '.join(GPU_PACKAGES)} && " in advice
    assert advice.endswith("pip install torch --index-url https://download.pytorch.org/whl/cpu")


def test_in_an_environment_of_uv_the_lines_are_those_of_uv(monkeypatch):
    monkeypatch.setattr("kinflow.commands.torch_build._without_pip", lambda: True)
    advice = _build("CUDA 13.0", False, False).advice()
    assert "uv pip uninstall torch" in advice and "uv pip install --torch-backend=cpu" in advice


def test_a_build_that_suits_the_machine_needs_no_advice():
    assert _build("CPU", False, False).advice() == ""
    assert _build("CUDA 13.0", True, True).advice() == ""
    assert "--torch-backend=auto" in _build("CPU", False, True).advice()


def test_doctor_tells_which_torch_this_is_and_how_large(capsys):
    assert main(["doctor", "--json"]) == 0
    line = next(s for s in capsys.readouterr().err.splitlines() if "torch:" in s)
    build = torch_build()
    assert f"torch {build.version}, built for" in line
    assert 0.1e9 < build.size < 20e9 and f"{build.size / 1e9:.1f} GB on disk" in line


@pytest.mark.parametrize("second", ["opencv-python-headless", "opencv-contrib-python"])
def test_two_packages_with_a_cv2_are_named_with_what_to_uninstall(second, monkeypatch):
    installed = ("opencv-python", second)
    monkeypatch.setattr(doctor, "_version", lambda n: "4.11" if n in installed else "missing")
    check = next(c for c in doctor.run_checks() if c.name == "one cv2")
    assert not check.ok and second in check.detail
    assert check.remedy.startswith("pip uninstall -y ") and second in check.remedy
    assert check.remedy.endswith("pip install 'opencv-python>=4.11,<5'")


@pytest.mark.parametrize(
    ("error", "sentence", "hint"),
    [
        (
            ImportError("libGL.so.1: cannot open shared object file: No such file or directory"),
            "The system library libGL.so.1 is missing.",
            "libgl1",
        ),
        (ModuleNotFoundError("No module named 'cv2'", name="cv2"), "package cv2 is missing", ""),
        (ImportError("DLL load failed while importing _C: x"), "cannot be loaded", "Visual C++"),
    ],
)
def test_a_library_that_is_missing_is_one_sentence(error, sentence, hint, monkeypatch, capsys):
    found = explained(error)
    assert sentence in found.message and hint in found.hint

    def fail() -> None:
        raise error

    monkeypatch.setattr("kinflow.bodies.files.load_body", lambda *_: fail())
    assert main(["body", "info"]) == 1
    assert capsys.readouterr().err.splitlines() == [str(found)]


@pytest.fixture
def noted(tmp_path, monkeypatch):
    """Blender uses the engine of another Python, which is there; nothing is fetched."""
    monkeypatch.setenv("KINFLOW_CACHE", str(tmp_path))
    monkeypatch.setattr("kinflow.perception.detector_files.set_up", lambda *_: tmp_path / "net")
    other = tmp_path / "other" / "bin" / "python"
    other.parent.mkdir(parents=True)
    other.touch()
    engine_note().write_text(json.dumps({"python": str(other)}))
    return other


def _noted() -> str:
    return json.loads(engine_note().read_text())["python"]


def test_setup_leaves_the_engine_of_another_installation_and_says_so(noted, capsys):
    assert main(["setup", "--json"]) == 0
    captured = capsys.readouterr()
    assert _noted() == str(noted)
    assert str(noted) in captured.err and "kinflow setup --force" in captured.err
    answer = json.loads(captured.out)
    assert (answer["python"], answer["changed"]) == (str(noted), False)


def test_setup_with_force_changes_it_and_says_so(noted, capsys):
    assert main(["setup", "--force"]) == 0
    assert _noted() == sys.executable
    assert str(noted) in (errors := capsys.readouterr().err) and sys.executable in errors


@pytest.mark.parametrize(("answer", "changed"), [("y\n", True), ("\n", False), ("no\n", False)])
def test_setup_asks_somebody_at_a_terminal(answer, changed, noted, monkeypatch):
    class Terminal:
        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            return answer

    monkeypatch.setattr(system.sys, "stdin", Terminal())
    monkeypatch.setattr(system.sys.stderr, "isatty", lambda: True)
    assert main(["setup", "--json"]) == 0
    assert (_noted() == sys.executable) is changed


def test_another_name_of_this_python_is_no_other_installation(noted):
    engine_note().write_text(json.dumps({"python": str(Path(sys.executable).with_name("python3"))}))
    assert main(["setup"]) == 0
    assert _noted() == sys.executable


def test_setup_replaces_an_engine_that_is_gone(noted):
    noted.unlink()
    assert main(["setup"]) == 0
    assert _noted() == sys.executable

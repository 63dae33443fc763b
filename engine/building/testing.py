"""`build.py test`: style, types, the engine's tests, then those in Blender."""

from __future__ import annotations

from .environment import (
    ENGINE,
    VENV,
    VENVS,
    BuildError,
    bpy_python,
    call,
    ensure,
    has_bpy_python,
    install_bpy,
    install_engine,
    install_kinflow,
    install_tests,
    kinflow,
    locked,
    make_venv,
    pip,
    pip_locked,
    say,
    venv_python,
    venv_version,
)
from .pins import BLENDER_NEEDS, BPY_PYTHON, GLTF_NEEDS, OTHER_BPY, PYTEST, RAY

CHECKED = ("engine", "addon", "blender_tests", "docs", "build.py")
SLOW, EVERYWHERE = "--slow", "--all-blenders"


def lint() -> int:
    """Style and types. -> exit code."""
    say("== lint and types")
    config = ENGINE / "pyproject.toml"
    ruff = [venv_python(), "-m", "ruff"]
    mypy = [venv_python(), "-m", "mypy", "--no-error-summary", "--config-file", config]
    codes = (
        call(*ruff, "check", "--quiet", "--config", config, *CHECKED),
        call(*ruff, "format", "--quiet", "--check", "--config", config, *CHECKED),
        call(*mypy, "engine/kinflow"),
    )
    return max(codes)


def test(arguments: list[str]) -> int:
    """Engine tests, then Blender tests; --slow adds slow ones, --all-blenders other releases."""
    slow, everywhere = SLOW in arguments, EVERYWHERE in arguments
    rest = [a for a in arguments if a not in (SLOW, EVERYWHERE)]
    if everywhere and bpy_python() is None:
        raise BuildError(f"{EVERYWHERE} needs {needed_python()}.")
    install_engine()
    install_tests()
    if slow:
        ensure(VENV, "Ray (70 MB)", RAY, lambda: pip(VENV, "install", RAY, "psutil"))
    kinflow("setup")
    status = lint()
    marker = ["-m", "not browser" if slow else "not slow and not browser"]
    folders = ["engine/tests"]
    if has_bpy_python():
        install_bpy()
        folders.append("blender_tests")
    for folder in folders:
        say(f"\n== {folder}")
        code = call(venv_python(), "-m", "pytest", "-q", "-rs", *marker, *rest, folder)
        status = status or code
    for release in OTHER_BPY if everywhere else ():
        code = test_release(release, marker)
        status = status or code
    for line in left_out(slow, everywhere):
        say(f"Left out: {line}")
    return status


def left_out(slow: bool, everywhere: bool) -> list[str]:
    """What a run with these options has not tested, a sentence each."""
    lines = []
    if not has_bpy_python():
        found = ".".join(map(str, venv_version()))
        lines.append(f"all of blender_tests, which need {needed_python()}; this is {found}.")
    if not slow:
        lines.append(f"tests that take minutes ({SLOW}).")
    if not everywhere:
        lines.append(f"Blender {' and '.join(OTHER_BPY)} ({EVERYWHERE}).")
    return lines


def needed_python() -> str:
    name = ".".join(map(str, BPY_PYTHON))
    return f"Python {name}, for which Blender's pip package is built"


def test_release(release: str, marker: list[str]) -> int:
    """Blender tests on another release of bpy, in an environment of its own. -> exit code."""
    folder = VENVS / f"bpy-{release}"
    make_venv(folder)
    install_bpy(folder, release)
    ensure(folder, "pytest", PYTEST, lambda: pip(folder, "install", PYTEST))
    names = (*BLENDER_NEEDS, *GLTF_NEEDS, "setuptools")
    ensure(folder, "libraries", locked(*names), lambda: pip_locked(folder, "install", names))
    install_kinflow(folder)
    say(f"\n== blender_tests on bpy {release}")
    return call(venv_python(folder), "-m", "pytest", "-q", *marker, "blender_tests")

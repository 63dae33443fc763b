"""`build.py demo`: photos in, posed and rigged bodies in Blender out."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from . import blender
from .environment import (
    ROOT,
    BuildError,
    bpy_python,
    call,
    environment,
    has_bpy_python,
    install_bpy,
    install_engine,
    kinflow,
    say,
    venv_python,
)

SAMPLE = ROOT / "blender_tests/samples/punch.png"


def demo(photos: list[str]) -> int:
    """Photo -> scene.blend, render.png, overlay.png, fit.npz, fit.json in out/demo."""
    paths = [Path(p) for p in photos] or [SAMPLE]
    for path in paths:
        if not path.is_file():
            raise BuildError(f"There is no photo {path}; check the path.")
    if bpy_python() is None and blender.installed_blender() is None:
        raise BuildError(blender.missing())
    install_engine()
    command, env = batch_command()
    say("Detector's models ...")
    kinflow("setup")
    failed = 0
    for path in paths:
        folder = ROOT / "out/demo" if len(paths) == 1 else ROOT / "out/demo" / path.stem
        fits = demo_photo(path, folder, command, env)
        if not fits:
            failed += 1
            continue
        kinflow("overlay", path, *fits, "--out", folder / "overlay.png")
        if path.resolve() == SAMPLE:
            kinflow("compare", fits[0], SAMPLE.with_suffix(".json"))
        say(f"  {folder}: scene.blend, render.png, overlay.png, fit.npz, fit.json")
    return 1 if failed else 0


def batch_command() -> tuple[list[str | Path], dict[str, str]]:
    """What opens photos in Blender, pip's or else the system's, and its environment."""
    if not has_bpy_python():
        return blender.batch_command()
    install_bpy()
    return [venv_python(), ROOT / "addon/headless/batch.py"], environment()


def demo_photo(
    path: Path, folder: Path, command: list[str | Path], env: dict[str, str]
) -> list[Path]:
    """One photo in a Blender of its own. -> the fits' files; none where it failed, and says so."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    say(f"\n{path}: Blender opens it, the engine finds and fits the people ...")
    log = folder / "blender.log"
    with open(log, "w", encoding="utf-8") as stream:
        batch = [*command, path.resolve(), "--output", folder]
        code = call(*batch, env=env, stdout=stream, stderr=subprocess.STDOUT)
    report = last_report(log) or {}
    if code or "people" not in report:
        say(report.get("error") or f"Blender ended with code {code}; see {log}")
        return []
    log.unlink()
    errors = ", ".join(f"{e:.1f}" for e in report["keypoint_error_px"])
    say(f"  {report['people']} people, keypoint error {errors} px")
    say("  " + ", ".join(f"{name} {s:.1f} s" for name, s in report["seconds"].items()))
    return sorted(folder.glob("fit*.npz"))


def last_report(log: Path) -> dict | None:
    """The JSON line that the add-on printed for the photo."""
    for line in reversed(log.read_text("utf-8", "replace").splitlines()):
        if line.startswith('{"photo"'):
            return json.loads(line)
    return None

"""`build.py addon`: the extension as one zip, its repository's index, and the engine's wheel."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import tomllib
import zipfile
from pathlib import Path

from .environment import (
    ENGINE,
    LOCKS,
    ROOT,
    VENV,
    BuildError,
    ensure,
    environment,
    locked,
    make_venv,
    pip,
    pip_locked,
    say,
    version,
)
from .pins import BLENDER_NEEDS, EPOCH


def build_wheels(folder: Path) -> list[Path]:
    """kinflow's wheel, built from the sources, and the pure ones that Blender needs with it."""
    env = environment() | {"SOURCE_DATE_EPOCH": "1767225600"}
    tools = ("setuptools",)
    ensure(VENV, "build tools", locked(*tools), lambda: pip_locked(VENV, "install", tools))
    options = ("--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder)
    pip(VENV, "wheel", *options, ENGINE, env=env)
    shutil.rmtree(ENGINE / "build", ignore_errors=True)
    pip_locked(VENV, "download", BLENDER_NEEDS, "--dest", folder)
    return sorted(folder.glob("*.whl"))


def addon(_: list[str]) -> int:
    """The extension as one zip for every system. The same input, the same bytes."""
    dist = ROOT / "dist"
    made = build_archive(dist)
    sums = "".join(f"{sha256(path)}  {path.name}\n" for path in made)
    (dist / "SHA256SUMS").write_text(sums, "utf-8")
    for path in made:
        size = path.stat().st_size / 1e6
        say(f"{path.relative_to(ROOT)}: {size:.2f} MB, sha256 {sha256(path)[:16]}")
    return 0


def build_archive(folder: Path) -> tuple[Path, Path, Path]:
    """A new folder with the zip, the engine's wheel and the repository's index."""
    make_venv()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as temporary:
        wheels = build_wheels(Path(temporary))
        manifest = checked_manifest(wheels)
        target = folder / f"kinflow-{version()}.zip"
        write_zip(target, wheels)
        (wheel,) = [w for w in wheels if w.name.startswith("kinflow-")]
        shutil.copy(wheel, folder / wheel.name)
    write_repository_index(target, manifest)
    return target, folder / wheel.name, folder / "index.json"


def checked_manifest(wheels: list[Path]) -> dict:
    """The add-on's manifest. Raises BuildError where it names another version or other wheels."""
    manifest = tomllib.loads((ROOT / "addon/blender_manifest.toml").read_text("utf-8"))
    named = sorted(manifest["wheels"])
    wanted = [f"./wheels/{wheel.name}" for wheel in wheels]
    if manifest["version"] != version() or named != wanted:
        raise BuildError(
            f"addon/blender_manifest.toml does not name version {version()} and the wheels "
            f"{', '.join(wanted)}; change it there."
        )
    return manifest


def write_zip(target: Path, wheels: list[Path]) -> None:
    """The add-on's sources, the engine's locks beside its installer, and the wheels."""
    sources = [p for p in sorted((ROOT / "addon").rglob("*")) if p.is_file()]
    entries = {
        p.relative_to(ROOT / "addon").as_posix(): p for p in sources if "__pycache__" not in p.parts
    }
    entries |= {f"engine/locks/{p.name}": p for p in sorted(LOCKS.glob("*.lock"))}
    entries |= {f"wheels/{p.name}": p for p in wheels}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in entries.items():
            info = zipfile.ZipInfo(name, EPOCH)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(info, path.read_bytes())


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_repository_index(archive: Path, manifest: dict) -> None:
    """index.json beside the zip: a folder with both is a repository for Blender to subscribe to."""
    entry = {key: value for key, value in manifest.items() if key != "wheels"} | {
        "archive_url": f"./{archive.name}",
        "archive_size": archive.stat().st_size,
        "archive_hash": f"sha256:{sha256(archive)}",
    }
    index = {"version": "v1", "blocklist": [], "data": [entry]}
    text = json.dumps(index, indent=1) + "\n"
    (archive.parent / "index.json").write_text(text, "utf-8")

#!/usr/bin/env python3
"""One front door, standard library only: demo | test | addon | bench | prior | gallery.

    python3 build.py demo [PHOTO...]     photo -> posed, rigged body in Blender; leaves out/demo/
    python3 build.py test [--slow] [--all-blenders] [PYTEST ARGUMENTS]
    python3 build.py addon               dist/: the Blender extension, its index.json, the wheel, checksums
    python3 build.py bench NAME ...      benchmarks (NAME --help)
    python3 build.py prior ...           kinflow prior ...
    python3 build.py gallery             the pictures of the README, into engine/gallery/

Makes .venv/ at the root at the first call, with everything pinned.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON_VERSION = (3, 11)
BPY = "5.0.1"
OTHER_BPY = ("4.2.23", "4.5.15")
NUMPY = "numpy==1.26.4"
TORCH = "2.13.0"
ENGINE_PINS = (
    NUMPY,
    "opencv-python==4.11.0.86",
    "pillow==13.0.0",
    "tyro==1.0.17",
    "threadpoolctl==3.8.0",
    "array-api-compat==1.16.0",
    "platformdirs==4.14.8",
    "scipy==1.17.1",
    # what mediapipe asks for, less opencv-contrib-python: that would be a second cv2
    "absl-py==2.5.1",
    "certifi==2026.10.18",
    "flatbuffers==25.12.19",
    "matplotlib==3.11.2",
    "sounddevice==0.5.6",
    "cffi==2.1.1",
)
NO_DEPS_PINS = ("mediapipe==1.2.2",)
RAY = "ray==2.60.0"  # for the slow tests alone
TEST_PINS = (
    "pytest==9.2.0",
    "hypothesis==6.170.15",
    "safetensors==0.8.0",
    "smplx==0.1.28",
    "onnx==1.23.2",
    "onnxruntime==1.32.0",
    "ruff==0.17.6",
    "mypy==2.4.1",
)
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
EPOCH = (2026, 1, 1, 0, 0, 0)


class BuildError(Exception):
    """Something the user can act on, in one sentence."""


def say(text: str) -> None:
    print(text, flush=True)


def version() -> str:
    return re.search(r'"([^"]+)"', (ROOT / "engine/kinflow/_version.py").read_text("utf-8")).group(
        1
    )


# -- environment -----------------------------------------------------------------------------------------------------


def suitable_python() -> str:
    """A Python 3.11: this one, or one on the PATH (bpy's wheels are built for it alone)."""
    if sys.version_info[:2] == PYTHON_VERSION:
        return sys.executable
    found = shutil.which("python3.11")
    if found is None:
        raise BuildError(
            "Python 3.11 is needed, because Blender's pip packages are built for it; install it and run this again."
        )
    return found


def venv_python(folder: Path = VENV) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def run(command: list[str | Path], quiet: bool = False, **more: object) -> None:
    done = subprocess.run([str(c) for c in command], capture_output=quiet, text=True, **more)
    if done.returncode:
        if quiet:
            sys.stderr.write(done.stdout + done.stderr)
        raise BuildError(
            f"This step failed (exit code {done.returncode}): {' '.join(str(c) for c in command[:6])} ..."
        )


def pip(folder: Path, *arguments: str) -> None:
    run(
        [
            venv_python(folder),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            *arguments,
        ],
        quiet=True,
    )


def has_gpu() -> bool:
    if shutil.which("nvidia-smi") is None:
        return False
    return subprocess.run(["nvidia-smi", "-L"], capture_output=True).returncode == 0


def torch_arguments(folder: Path) -> list[str]:
    """How to install torch: by the pin, and never several GB of CUDA unasked where there is no GPU."""
    command = [
        venv_python(folder),
        "-m",
        "pip",
        "install",
        "--dry-run",
        "--quiet",
        "--report",
        "-",
        f"torch=={TORCH}",
    ]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        raise BuildError(
            f"pip cannot find torch {TORCH}: {(done.stderr.strip().splitlines() or ['no answer'])[-1]}"
        )
    report = json.loads(done.stdout)
    names = [item["metadata"]["name"].lower() for item in report["install"]]
    if not any(name.startswith(("nvidia-", "cuda-")) for name in names) or has_gpu():
        return [f"torch=={TORCH}"]
    cpu = [f"torch=={TORCH}+cpu", "--index-url", CPU_INDEX]
    probe = [
        str(venv_python(folder)),
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--dest",
        str(folder / "torch-cpu"),
        *cpu,
    ]
    if subprocess.run(probe, capture_output=True).returncode == 0:
        return ["--find-links", str(folder / "torch-cpu"), f"torch=={TORCH}+cpu"]
    raise BuildError(
        f"Only a CUDA build of torch {TORCH} is to be had here (about 3 GB to fetch, 7 GB installed) and this machine has no "
        f"GPU; install torch {TORCH}'s CPU build into {folder} yourself, then run this again."
    )


def ensure(folder: Path, step: str, fingerprint: str, install) -> None:
    """Runs an install step once; a stamp with the fingerprint of what was asked for says that it is done."""
    stamp = folder / f".kinflow-{step}"
    wanted = hashlib.sha256(fingerprint.encode()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    started = time.perf_counter()
    say(f"Installing: {step} ...")
    install()
    stamp.write_text(wanted)
    say(f"Installing: {step} done in {time.perf_counter() - started:.0f} s")


def make_venv(folder: Path = VENV) -> None:
    if not venv_python(folder).exists():
        say(f"Making {folder.relative_to(ROOT)} ...")
        run([suitable_python(), "-m", "venv", folder], quiet=True)


def install_engine(folder: Path = VENV) -> None:
    make_venv(folder)
    ensure(folder, "torch (200 MB)", TORCH, lambda: pip(folder, NUMPY, *torch_arguments(folder)))
    ensure(
        folder,
        "detector and libraries",
        repr((ENGINE_PINS, NO_DEPS_PINS)),
        lambda: (pip(folder, *ENGINE_PINS), pip(folder, "--no-deps", *NO_DEPS_PINS)),
    )
    ensure(
        folder,
        "kinflow",
        (ROOT / "engine/pyproject.toml").read_text("utf-8") + version(),
        lambda: pip(folder, "--no-deps", "--editable", str(ROOT / "engine")),
    )


def install_bpy(folder: Path = VENV, release: str = BPY) -> None:
    ensure(
        folder,
        f"Blender {release} (bpy, 370 MB)",
        release,
        lambda: pip(folder, f"bpy=={release}", NUMPY),
    )


def install_tests(folder: Path = VENV) -> None:
    ensure(folder, "test tools", repr(TEST_PINS), lambda: pip(folder, NUMPY, *TEST_PINS))


def environment() -> dict[str, str]:
    return os.environ | {"KINFLOW_PYTHON": str(venv_python()), "PYTHONUNBUFFERED": "1"}


# -- demo ------------------------------------------------------------------------------------------------------------

DEMO_SCRIPT = """
import sys
import addon
addon.register()
from addon import batch
batch.leave(batch.run(sys.argv[1:]))
"""


def demo(photos: list[str]) -> int:
    """Photo -> scene.blend, render.png, overlay.png, fit.npz, fit.json in out/demo."""
    sample = ROOT / "blender_tests/samples/punch.png"
    paths = [Path(p) for p in photos] or [sample]
    for path in paths:
        if not path.is_file():
            raise BuildError(f"There is no photo {path}; check the path.")
    install_engine()
    install_bpy()
    kinflow = [venv_python(), "-m", "kinflow.cli"]
    say("Detector's models ...")
    run([*kinflow, "setup"], env=environment())
    failed = 0
    for path in paths:
        folder = ROOT / "out/demo" if len(paths) == 1 else ROOT / "out/demo" / path.stem
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        say(f"\n{path}: Blender opens it, the engine finds and fits the people ...")
        log = folder / "blender.log"
        with open(log, "w", encoding="utf-8") as stream:
            command = [
                str(venv_python()),
                "-c",
                DEMO_SCRIPT,
                str(path.resolve()),
                "--output",
                str(folder),
            ]
            done = subprocess.run(
                command, cwd=ROOT, env=environment(), stdout=stream, stderr=subprocess.STDOUT
            )
        report = last_report(log)
        if done.returncode or report is None or "error" in report:
            failed += 1
            say(
                (report or {}).get("error")
                or f"Blender ended with code {done.returncode}; see {log}"
            )
            continue
        fits = sorted(folder.glob("fit*.npz"))
        run([*kinflow, "overlay", path, *fits, "--out", folder / "overlay.png"], env=environment())
        log.unlink()
        say(
            f"  {report['people']} people, keypoint error {', '.join(f'{e:.1f}' for e in report['keypoint_error_px'])} px"
        )
        say(
            "  "
            + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in report["seconds"].items())
        )
        if path.resolve() == sample:
            run([*kinflow, "compare", fits[0], sample.with_suffix(".json")], env=environment())
        say(f"  {folder}: scene.blend, render.png, overlay.png, fit.npz, fit.json")
    return 1 if failed else 0


def last_report(log: Path) -> dict | None:
    """The JSON line that batch.py printed for the photo."""
    for line in reversed(log.read_text("utf-8", "replace").splitlines()):
        if line.startswith('{"photo"'):
            return json.loads(line)
    return None


# -- test ------------------------------------------------------------------------------------------------------------


def lint() -> int:
    """Style and types. -> exit code."""
    say("== lint and types")
    config = str(ROOT / "engine/pyproject.toml")
    python = str(venv_python())
    status = 0
    for command in (
        [
            "-m",
            "ruff",
            "check",
            "--quiet",
            "--config",
            config,
            "engine",
            "addon",
            "blender_tests",
            "build.py",
        ],
        [
            "-m",
            "ruff",
            "format",
            "--quiet",
            "--check",
            "--config",
            config,
            "engine",
            "addon",
            "blender_tests",
            "build.py",
        ],
        ["-m", "mypy", "--no-error-summary", "--config-file", config, "engine/kinflow"],
    ):
        status = (
            status or subprocess.run([python, *command], cwd=ROOT, env=environment()).returncode
        )
    return status


def test(arguments: list[str]) -> int:
    """Engine tests, then Blender tests; --slow adds the slow ones, --all-blenders the other bpy releases."""
    slow, everywhere = "--slow" in arguments, "--all-blenders" in arguments
    rest = [a for a in arguments if a not in ("--slow", "--all-blenders")]
    install_engine()
    install_bpy()
    install_tests()
    if slow:
        ensure(VENV, "Ray (70 MB)", RAY, lambda: pip(VENV, RAY, "psutil"))
    run([venv_python(), "-m", "kinflow.cli", "setup"], env=environment())
    status = lint()
    marker = [] if slow else ["-m", "not slow"]
    command = [venv_python(), "-m", "pytest", "-q", *marker, *rest]
    for folder in ("engine/tests", "blender_tests"):
        say(f"\n== {folder}")
        done = subprocess.run([str(c) for c in [*command, folder]], cwd=ROOT, env=environment())
        status = status or done.returncode
    if everywhere:
        for release in OTHER_BPY:
            folder = ROOT / ".venvs" / f"bpy-{release}"
            make_venv(folder)
            install_bpy(folder, release)
            ensure(
                folder,
                "test tools",
                repr(TEST_PINS),
                lambda folder=folder: pip(folder, NUMPY, "pytest==9.2.0"),
            )
            ensure(
                folder,
                "kinflow",
                version(),
                lambda folder=folder: pip(folder, "--no-deps", "--editable", str(ROOT / "engine")),
            )
            say(f"\n== blender_tests on bpy {release}")
            done = subprocess.run(
                [str(venv_python(folder)), "-m", "pytest", "-q", *marker, "blender_tests"],
                cwd=ROOT,
                env=environment(),
            )
            status = status or done.returncode
    return status


# -- add-on ----------------------------------------------------------------------------------------------------------


def addon() -> int:
    """The extension as one zip for every system: the add-on and the pure-Python wheel. The same input, the same bytes."""
    make_venv()
    dist = ROOT / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    wheels = dist / "wheel"
    wheels.mkdir(parents=True)
    env = environment() | {"SOURCE_DATE_EPOCH": "1767225600"}
    run(
        [
            venv_python(),
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--wheel-dir",
            wheels,
            ROOT / "engine",
        ],
        quiet=True,
        env=env,
    )
    shutil.rmtree(ROOT / "engine/build", ignore_errors=True)
    wheel = next(wheels.glob("*.whl"))
    manifest = (ROOT / "addon/blender_manifest.toml").read_text("utf-8")
    if f'version = "{version()}"' not in manifest or wheel.name not in manifest:
        raise BuildError(
            f"addon/blender_manifest.toml does not name version {version()} and {wheel.name}; change it there."
        )
    target = dist / f"kinflow-{version()}.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        files = [
            p
            for p in sorted((ROOT / "addon").rglob("*"))
            if p.is_file() and "__pycache__" not in p.parts
        ]
        for path, name in [(p, p.relative_to(ROOT / "addon").as_posix()) for p in files] + [
            (wheel, f"wheels/{wheel.name}")
        ]:
            info = zipfile.ZipInfo(name, EPOCH)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(info, path.read_bytes())
    shutil.move(wheel, dist / wheel.name)
    wheels.rmdir()
    write_repository_index(target, manifest)
    made = (target, dist / wheel.name, dist / "index.json")
    (dist / "SHA256SUMS").write_text(
        "".join(f"{sha256(path)}  {path.name}\n" for path in made), "utf-8"
    )
    for path in made:
        say(
            f"{path.relative_to(ROOT)}: {path.stat().st_size / 1e6:.2f} MB, sha256 {sha256(path)[:16]}"
        )
    return 0


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_repository_index(archive: Path, manifest: str) -> None:
    """index.json beside the zip: a folder with both is a repository that Blender can subscribe to."""
    import tomllib

    entry = tomllib.loads(manifest)
    entry.pop("wheels", None)
    entry |= {
        "archive_url": f"./{archive.name}",
        "archive_size": archive.stat().st_size,
        "archive_hash": f"sha256:{sha256(archive)}",
    }
    (archive.parent / "index.json").write_text(
        json.dumps({"version": "v1", "blocklist": [], "data": [entry]}, indent=1) + "\n", "utf-8"
    )


def bench(arguments: list[str]) -> int:
    install_engine()
    install_tests()
    names = sorted(
        p.stem.removeprefix("bench_") for p in (ROOT / "engine/benchmarks").glob("bench_*.py")
    )
    if not arguments or arguments[0] not in names:
        raise BuildError(f"Name a benchmark: {', '.join(names)}.")
    # what `kinflow bench` knows as well has its options there
    own = arguments[0] in ("fit", "speed", "photos", "regressor")
    command = [
        str(venv_python()),
        *(("-m", "kinflow.cli", "bench") if own else ("-m", f"benchmarks.bench_{arguments[0]}")),
    ]
    command += arguments if own else arguments[1:]
    return subprocess.run(command, cwd=ROOT / "engine", env=environment()).returncode


def gallery(arguments: list[str]) -> int:
    """The README's pictures."""
    install_engine()
    run([venv_python(), "-m", "kinflow.cli", "setup"], env=environment())
    return subprocess.run(
        [str(venv_python()), "-m", "benchmarks.make_gallery"],
        cwd=ROOT / "engine",
        env=environment(),
    ).returncode


def prior(arguments: list[str]) -> int:
    install_engine()
    return subprocess.run(
        [str(venv_python()), "-m", "kinflow.cli", "prior", *arguments], env=environment()
    ).returncode


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=("demo", "test", "addon", "bench", "prior", "gallery"))
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    try:
        if options.command == "addon":
            return addon()
        return {"demo": demo, "test": test, "bench": bench, "prior": prior, "gallery": gallery}[
            options.command
        ](options.arguments)
    except BuildError as error:
        print(f"{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; run the same command again to go on.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())

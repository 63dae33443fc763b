#!/usr/bin/env python3
"""One front door, standard library only.

    python3 build.py demo [PHOTO...]     photo -> posed, rigged body in Blender; leaves out/demo/
    python3 build.py test [--slow] [--all-blenders] [PYTEST ARGUMENTS]
    python3 build.py addon               dist/: the Blender extension, its index.json, the wheel
    python3 build.py bench NAME ...      benchmarks (NAME --help)
    python3 build.py fuzz --minutes N    damaged files and frames against every reader
    python3 build.py prior ...           kinflow prior ...
    python3 build.py gallery             the pictures of the README, into engine/gallery/
    python3 build.py lock                engine/locks/: versions and hashes of what the engine needs

Makes .venv/ at the root at the first call, with everything pinned.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent
ENGINE, LOCKS = ROOT / "engine", ROOT / "engine/locks"
VENV = ROOT / ".venv"
PYTHON_VERSION = (3, 11)
BPY = "5.0.1"
OTHER_BPY = ("4.2.23", "4.5.15")
# what `lock` resolves, for Python 3.11 to 3.14; the engine and the add-on install what it wrote
TORCH = "2.13.0"
ENGINE_PINS = (
    # bpy's wheels are built with numpy 1.26; later Pythons have no wheel of it
    "numpy==1.26.4 ; python_version < '3.12'",
    "numpy==2.4.6 ; python_version >= '3.12'",
    f"torch=={TORCH}",
    "opencv-python==4.11.0.86",
    "pillow==13.0.0",
    "tyro==1.0.17",
    "threadpoolctl==3.8.0",
    "array-api-compat==1.16.0",
    "platformdirs==4.14.8",
    "scipy==1.17.1",
    "tqdm==4.70.1",
    "ai-edge-litert==2.3.0",
    # the last that pip installs beyond Python 3.10: uv does not heed upper limits of Pythons
    "backports-strenum==1.2.8",
)
CUDA_PREFIXES = ("nvidia-", "cuda-", "triton")
MINORS = (11, 12, 13, 14)
SYSTEMS = (
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "x86_64-pc-windows-msvc",
    "aarch64-apple-darwin",
)
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
UV = "uv==0.13.9"
RAY = "ray==2.60.0"  # for the slow tests alone
PYTEST = "pytest==9.2.0"
BLENDER_NEEDS = ("array-api-compat", "platformdirs")  # pure wheels that the zip carries
TEST_PINS = (
    PYTEST,
    "hypothesis==6.170.15",
    "safetensors==0.8.0",
    "smplx==0.1.28",
    "onnx==1.23.2",
    "onnxruntime==1.32.0",
    "ruff==0.17.6",
    "mypy==2.4.1",
)
CHECKED = ("engine", "addon", "blender_tests", "build.py")
EPOCH = (2026, 1, 1, 0, 0, 0)


class BuildError(Exception):
    """Something the user can act on, in one sentence."""


def say(text: str) -> None:
    print(text, flush=True)


def version() -> str:
    text = (ENGINE / "kinflow/_version.py").read_text("utf-8")
    return re.search(r'"([^"]+)"', text).group(1)


# -- environment -----------------------------------------------------------------------------------


def suitable_python() -> str:
    """A Python 3.11: this one, or one on the PATH (bpy's wheels are built for it alone)."""
    if sys.version_info[:2] == PYTHON_VERSION:
        return sys.executable
    found = shutil.which("python3.11")
    if found is None:
        raise BuildError(
            "Python 3.11 is needed, because Blender's pip packages are built for it; "
            "install it and run this again."
        )
    return found


def venv_python(folder: Path = VENV) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def environment() -> dict[str, str]:
    return os.environ | {"KINFLOW_PYTHON": str(venv_python()), "PYTHONUNBUFFERED": "1"}


def call(*command: str | Path, cwd: Path = ROOT, **more: object) -> int:
    """Runs a command with the project's environment. -> exit code."""
    words = [str(c) for c in command]
    return subprocess.run(words, cwd=cwd, env=environment(), **more).returncode


def run(*command: str | Path, quiet: bool = False, **more: object) -> str:
    """Runs a command that has to succeed; quiet: its output is shown on failure alone."""
    words = [str(c) for c in command]
    done = subprocess.run(words, capture_output=quiet, text=True, **more)
    if done.returncode:
        if quiet:
            sys.stderr.write(done.stdout + done.stderr)
        shown = " ".join(words[:6])
        raise BuildError(f"This step failed (exit code {done.returncode}): {shown} ...")
    return done.stdout


def pip(folder: Path, command: str, *arguments: str | Path, **more: object) -> None:
    pip_command = [venv_python(folder), "-m", "pip", command]
    run(*pip_command, "--quiet", "--disable-pip-version-check", *arguments, quiet=True, **more)


def kinflow(*arguments: str | Path) -> None:
    run(venv_python(), "-m", "kinflow.cli", *arguments, env=environment())


def has_gpu() -> bool:
    if shutil.which("nvidia-smi") is None:
        return False
    return subprocess.run(["nvidia-smi", "-L"], capture_output=True).returncode == 0


def ensure(folder: Path, step: str, fingerprint: object, install: Callable[[], object]) -> None:
    """Runs an install step once; a stamp of what was asked for says that it is done."""
    stamp = folder / f".kinflow-{step}"
    wanted = hashlib.sha256(repr(fingerprint).encode()).hexdigest()
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
        run(suitable_python(), "-m", "venv", folder, quiet=True)


def locked(*names: str) -> str:
    """The lock's lines of some libraries, with their hashes."""
    return "".join(block for name, block in blocks(read_lock("libraries")) if name in names)


def pip_locked(folder: Path, command: str, names: tuple[str, ...], *arguments: str | Path) -> None:
    """pip for some libraries by their hashes."""
    with tempfile.TemporaryDirectory() as temporary:
        wanted = Path(temporary) / "requirements.txt"
        wanted.write_text(locked(*names), "utf-8")
        checked = ("--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", wanted)
        pip(folder, command, *checked, *arguments)


def install_libraries(folder: Path) -> None:
    """What the locks name, by the add-on's own installer: never CUDA unasked without a GPU."""
    worker = [sys.executable, "-I", ROOT / "addon/engine/install_worker.py", "--locks", LOCKS]
    cuda = ["--cuda"] if has_gpu() else []
    command = [str(c) for c in (*worker, "--into", venv_python(folder), *cuda)]
    done = subprocess.run(command, capture_output=True, text=True)
    last = json.loads((done.stdout.splitlines() or ["{}"])[-1])
    if done.returncode:
        sys.stderr.write(done.stderr[-4000:])
        raise BuildError(f"{last.get('error', 'No answer.')} {last.get('hint', '')}".strip())


def install_kinflow(folder: Path) -> None:
    """The sources as they lie here, built by the lock's setuptools."""
    wanted = (ENGINE / "pyproject.toml").read_text("utf-8") + version()
    options = ("--no-deps", "--no-index", "--no-build-isolation", "--editable")
    ensure(folder, "kinflow", wanted, lambda: pip(folder, "install", *options, ENGINE))


def install_engine(folder: Path = VENV) -> None:
    make_venv(folder)
    locks = [read_lock(name) for name in ("libraries", "torch-cpu", "torch-cuda")]
    step = "torch, detector, libraries (350 MB)"
    ensure(folder, step, locks, lambda: install_libraries(folder))
    install_kinflow(folder)


def install_bpy(folder: Path = VENV, release: str = BPY) -> None:
    step = f"Blender {release} (bpy, 370 MB)"
    numpy = ENGINE_PINS[0]
    ensure(folder, step, release, lambda: pip(folder, "install", f"bpy=={release}", numpy))


def install_tests(folder: Path = VENV) -> None:
    pins = (*TEST_PINS, ENGINE_PINS[0])
    ensure(folder, "test tools", pins, lambda: pip(folder, "install", *pins))


# -- lock ------------------------------------------------------------------------------------------


def read_lock(name: str) -> str:
    return (LOCKS / f"{name}.lock").read_text("utf-8")


def blocks(lock: str) -> list[tuple[str, str]]:
    """A lock's requirements, each with its name and its lines."""
    parts = re.split(r"(?m)^(?=\S)", lock)
    return [(re.split("[=<>! ]", part)[0], part) for part in parts if part[:1] not in ("", "#")]


def resolve(pins: tuple[str, ...], *options: str) -> list[tuple[str, str]]:
    """Versions and hashes of these and, unless told otherwise, of all that they need."""
    command = [venv_python(), "-m", "uv", "pip", "compile", "--quiet", "--universal"]
    shape = ["--generate-hashes", "--no-header", "--no-annotate", "--python-version", "3.11"]
    return blocks(run(*command, *shape, *options, "-", quiet=True, input="\n".join(pins)))


def torch_without_cuda() -> str:
    """PyTorch's own builds for Linux, by the hashes of its index; as locked where it is away."""
    pin = f"torch=={TORCH}+cpu"
    try:
        ((_, block),) = resolve((pin,), "--no-deps", "--index-url", CPU_INDEX)
    except BuildError:
        block = next(b for _, b in blocks(read_lock("torch-cpu")) if b.startswith(pin))
        say(f"{CPU_INDEX} cannot be reached: the hashes of {pin} stay as they are.")
    return re.sub(r"\A[^\\]*", f"{pin} ; sys_platform == 'linux' ", block)


def lock(_: list[str]) -> int:
    """Writes engine/locks/ from the pins above, for every system and Python 3.11 to 3.14."""
    make_venv()
    ensure(VENV, "uv", UV, lambda: pip(VENV, "install", UV))
    found = resolve(ENGINE_PINS)
    (torch,) = [block for name, block in found if name == "torch"]
    elsewhere = torch.replace(f"=={TORCH}", f"=={TORCH} ; sys_platform != 'linux'", 1)
    cuda = [block for name, block in found if name.startswith(CUDA_PREFIXES)]
    rest = sorted(block for _, block in found if block not in (torch, *cuda))
    header = "# Written by `python3 build.py lock`. Complete: install it with --no-deps.\n"
    for name, parts in {
        "libraries": rest,
        "torch-cpu": [torch_without_cuda(), elsewhere],
        "torch-cuda": [torch, *cuda],
    }.items():
        (LOCKS / f"{name}.lock").write_text(header + "".join(parts), "utf-8")
        say(f"engine/locks/{name}.lock: {len(parts)} packages")
    return check_locks()


def check_locks() -> int:
    """Whether every library has a wheel by its hash, for each Python and system. -> exit code."""
    command = [venv_python(), "-m", "uv", "pip", "install", "--quiet", "--dry-run", "--no-deps"]
    env = environment() | {"MACOSX_DEPLOYMENT_TARGET": "14.0"}
    failed = 0
    for minor, system in itertools.product(MINORS, SYSTEMS):
        # torch for Linux is in PyTorch's own index
        names = ("libraries",) if "linux" in system else ("libraries", "torch-cpu")
        shape = ["--python-version", f"3.{minor}", "--python-platform", system]
        checked = ["--only-binary", ":all:", "--require-hashes", "--target", VENV / "lock-check"]
        files = [word for name in names for word in ("-r", LOCKS / f"{name}.lock")]
        words = [str(c) for c in (*command, *shape, *checked, *files)]
        done = subprocess.run(words, env=env, capture_output=True, text=True)
        if done.returncode:
            failed += 1
            say(f"Python 3.{minor} on {system}: {done.stderr.strip()}")
    say(f"{len(MINORS) * len(SYSTEMS) - failed} of {len(MINORS) * len(SYSTEMS)} systems resolve")
    return 1 if failed else 0


# -- demo ------------------------------------------------------------------------------------------


def demo(photos: list[str]) -> int:
    """Photo -> scene.blend, render.png, overlay.png, fit.npz, fit.json in out/demo."""
    sample = ROOT / "blender_tests/samples/punch.png"
    paths = [Path(p) for p in photos] or [sample]
    for path in paths:
        if not path.is_file():
            raise BuildError(f"There is no photo {path}; check the path.")
    install_engine()
    install_bpy()
    say("Detector's models ...")
    kinflow("setup")
    failed = 0
    for path in paths:
        folder = ROOT / "out/demo" if len(paths) == 1 else ROOT / "out/demo" / path.stem
        fits = demo_photo(path, folder)
        if not fits:
            failed += 1
            continue
        kinflow("overlay", path, *fits, "--out", folder / "overlay.png")
        if path.resolve() == sample:
            kinflow("compare", fits[0], sample.with_suffix(".json"))
        say(f"  {folder}: scene.blend, render.png, overlay.png, fit.npz, fit.json")
    return 1 if failed else 0


def demo_photo(path: Path, folder: Path) -> list[Path]:
    """One photo in a Blender of its own. -> the fits' files; none where it failed, and says so."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    say(f"\n{path}: Blender opens it, the engine finds and fits the people ...")
    log = folder / "blender.log"
    with open(log, "w", encoding="utf-8") as stream:
        batch = [venv_python(), "addon/headless/batch.py", path.resolve(), "--output", folder]
        code = call(*batch, stdout=stream, stderr=subprocess.STDOUT)
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


# -- test ------------------------------------------------------------------------------------------


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
    slow, everywhere = "--slow" in arguments, "--all-blenders" in arguments
    rest = [a for a in arguments if a not in ("--slow", "--all-blenders")]
    install_engine()
    install_bpy()
    install_tests()
    if slow:
        ensure(VENV, "Ray (70 MB)", RAY, lambda: pip(VENV, "install", RAY, "psutil"))
    kinflow("setup")
    status = lint()
    marker = ["-m", "not browser" if slow else "not slow and not browser"]
    for folder in ("engine/tests", "blender_tests"):
        say(f"\n== {folder}")
        code = call(venv_python(), "-m", "pytest", "-q", *marker, *rest, folder)
        status = status or code
    for release in OTHER_BPY if everywhere else ():
        code = test_release(release, marker)
        status = status or code
    return status


def test_release(release: str, marker: list[str]) -> int:
    """Blender tests on another release of bpy, in an environment of its own. -> exit code."""
    folder = ROOT / ".venvs" / f"bpy-{release}"
    make_venv(folder)
    install_bpy(folder, release)
    ensure(folder, "pytest", PYTEST, lambda: pip(folder, "install", PYTEST))
    names = (*BLENDER_NEEDS, "setuptools")
    ensure(folder, "libraries", locked(*names), lambda: pip_locked(folder, "install", names))
    install_kinflow(folder)
    say(f"\n== blender_tests on bpy {release}")
    return call(venv_python(folder), "-m", "pytest", "-q", *marker, "blender_tests")


# -- add-on ----------------------------------------------------------------------------------------


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
    make_venv()
    dist = ROOT / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    dist.mkdir()
    with tempfile.TemporaryDirectory() as temporary:
        wheels = build_wheels(Path(temporary))
        manifest = checked_manifest(wheels)
        target = dist / f"kinflow-{version()}.zip"
        write_zip(target, wheels)
        (wheel,) = [w for w in wheels if w.name.startswith("kinflow-")]
        shutil.copy(wheel, dist / wheel.name)
    write_repository_index(target, manifest)
    made = (target, dist / wheel.name, dist / "index.json")
    sums = "".join(f"{sha256(path)}  {path.name}\n" for path in made)
    (dist / "SHA256SUMS").write_text(sums, "utf-8")
    for path in made:
        size = path.stat().st_size / 1e6
        say(f"{path.relative_to(ROOT)}: {size:.2f} MB, sha256 {sha256(path)[:16]}")
    return 0


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


# -- what the engine does --------------------------------------------------------------------------


def bench(arguments: list[str]) -> int:
    install_engine()
    install_tests()
    files = sorted((ENGINE / "benchmarks").glob("bench_*.py"))
    names = [path.stem.removeprefix("bench_") for path in files]
    if not arguments or arguments[0] not in names:
        raise BuildError(f"Name a benchmark: {', '.join(names)}.")
    # what `kinflow bench` knows as well has its options there
    if arguments[0] in ("fit", "speed", "photos", "regressor"):
        return call(venv_python(), "-m", "kinflow.cli", "bench", *arguments, cwd=ENGINE)
    module = f"benchmarks.bench_{arguments[0]}"
    return call(venv_python(), "-m", module, *arguments[1:], cwd=ENGINE)


def fuzz(arguments: list[str]) -> int:
    """Damaged files and frames against every reader; a crash is kept as a seed."""
    install_engine()
    install_tests()
    return call(venv_python(), "-m", "fuzz", *arguments, cwd=ENGINE)


def gallery(_: list[str]) -> int:
    """The README's pictures."""
    install_engine()
    kinflow("setup")
    return call(venv_python(), "-m", "benchmarks.make_gallery", cwd=ENGINE)


def prior(arguments: list[str]) -> int:
    install_engine()
    return call(venv_python(), "-m", "kinflow.cli", "prior", *arguments)


COMMANDS = {
    function.__name__: function
    for function in (demo, test, addon, bench, fuzz, prior, gallery, lock)
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    try:
        return COMMANDS[options.command](options.arguments)
    except BuildError as error:
        print(f"{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; run the same command again to go on.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())

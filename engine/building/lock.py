"""`build.py lock`: versions and hashes of what the engine needs, for all systems and Pythons."""

from __future__ import annotations

import itertools
import re
import subprocess

from .environment import (
    LOCKS,
    VENV,
    BuildError,
    blocks,
    ensure,
    environment,
    make_venv,
    pip,
    read_lock,
    run,
    say,
    venv_python,
)
from .pins import CPU_INDEX, CUDA_PREFIXES, ENGINE_PINS, MINORS, SYSTEMS, TORCH, UV


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

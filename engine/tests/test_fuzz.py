"""The fuzzers find what they are for, and every file that they have found is read again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kinflow.errors import AssetError

if sys.platform != "linux":
    pytest.skip("the fuzzers bound memory as Linux does", allow_module_level=True)
ENGINE = Path(__file__).parents[1]
sys.path.insert(0, str(ENGINE))
from fuzz import child  # noqa: E402
from fuzz.__main__ import CASES  # noqa: E402
from fuzz.child import files_of, run_cases  # noqa: E402
from fuzz.targets import TARGETS, Target  # noqa: E402

SAVED = sorted(path for path in CASES.glob("*/*") if path.is_dir())


def soon(seconds: float = 120.0) -> float:
    return time.monotonic() + seconds


@pytest.mark.parametrize("folder", SAVED, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_what_was_found_once_is_never_found_again(folder):
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    counts, findings = run_cases(folder.parent.name, [files], soon())
    assert not findings, findings[0].what
    assert counts["read"] + counts["refused"] == 1


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_files_of_every_kind_are_read_or_refused(name):
    cases = [files_of(name, 0, number) for number in range(2 if name == "model" else 60)]
    counts, findings = run_cases(name, cases, soon())
    assert not findings, "\n".join(finding.what for finding in findings)
    assert counts["read"] + counts["refused"] == len(cases)
    assert counts["refused"], "the damage is seen"


def test_a_case_is_made_again_from_its_number():
    for name in TARGETS:
        assert files_of(name, 5, 17) == files_of(name, 5, 17)
    assert files_of("amass", 5, 17) != files_of("amass", 6, 17)


def segfault(folder):
    os.kill(os.getpid(), signal.SIGSEGV)


def loop(folder):
    while True:
        pass


def fill(folder):
    bytearray(3 << 30)


def fill_and_refuse(folder):
    try:
        fill(folder)
    except MemoryError as error:
        raise AssetError("It is damaged.", "Give another.") from error


def stumble(folder):
    raise KeyError((folder / "x").read_text())


def mumble(folder):
    raise AssetError("No hint.")


@pytest.mark.parametrize(
    ("reader", "what"),
    [
        (segfault, "ends the process: -11"),
        (loop, "takes longer than 1"),
        (fill, "MemoryError"),
        (fill_and_refuse, "memory ran out"),
        (stumble, "KeyError: 'bad'"),
        (mumble, "no sentence with a hint"),
    ],
)
def test_a_reader_that_breaks_a_promise_is_found_and_the_next_cases_run(monkeypatch, reader, what):
    def read(folder):
        if (folder / "x").read_text() == "bad":
            reader(folder)

    monkeypatch.setitem(child.TARGETS, "planted", Target(lambda rng: {}, read, seconds=1.0))
    cases = [{"x": text} for text in (b"good", b"good", b"bad", b"good", b"bad", b"good")]
    counts, findings = run_cases("planted", cases, soon())
    assert [finding.files for finding in findings] == [{"x": b"bad"}] * 2
    assert all(what in finding.what for finding in findings), findings[0].what
    assert counts["read"] == 4 and counts["files"] == 6


def test_the_command_counts_and_its_exit_code_tells(tmp_path):
    command = [
        sys.executable,
        "-m",
        "fuzz",
        "--minutes",
        "0.03",
        "--target",
        "amass",
        "--seed",
        "1",
    ]
    done = subprocess.run(command, cwd=ENGINE, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "amass" in done.stdout and "0 kinds of findings" in done.stdout

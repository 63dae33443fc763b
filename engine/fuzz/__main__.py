"""python -m fuzz --minutes N [--target NAME ...] [--seed S]: counts, and 1 for findings."""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from .child import BATCH, Finding, made_cases, run_cases
from .targets import TARGETS

CASES = Path(__file__).parent / "cases"
WIRE = "wire"
SLICE_SECONDS = 6.0
_WIRE = "import json, sys; from fuzz.wire import run; print(json.dumps(run({}, {})))"


def save(finding: Finding) -> Path:
    """Writes a finding's files where `tests/test_fuzz.py` reads them from now on."""
    digest = hashlib.sha256(b"".join(finding.files.values())).hexdigest()[:12]
    folder = CASES / finding.target / digest
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in finding.files.items():
        (folder / name).write_bytes(data)
    return folder


def fuzz_wire(seconds: float, seed: int) -> tuple[Counter[str], list[str]]:
    """Damaged frames, in a process of their own. -> counts and findings."""
    command = [sys.executable, "-c", _WIRE.format(seconds / 60, seed)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 300)
    except subprocess.TimeoutExpired:
        return Counter(), [f"wire: it hangs (seed {seed})"]
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return Counter(), [f"wire: it ends with {done.returncode} (seed {seed}): {last}"]
    return Counter(json.loads(done.stdout.splitlines()[-1])), []


def fuzz_files(
    names: list[str], seconds: float, seed: int
) -> tuple[dict[str, Counter[str]], list[str]]:
    """Each target in turn, for the same time together. -> counts by target, and findings."""
    counts = {name: Counter[str]() for name in names}
    cases = {name: made_cases(name, seed, 0) for name in names}
    findings: dict[str, str] = {}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for name in names:
            deadline = min(end, time.monotonic() + min(SLICE_SECONDS, seconds / len(names)))
            added, new = run_cases(name, cases[name], deadline)
            counts[name] += added
            for finding in new:
                if finding.summary() not in findings:
                    findings[finding.summary()] = str(save(finding))
                    print(f"{finding.summary()}\n  {save(finding)}", flush=True)
    return counts, [f"{summary} ({folder})" for summary, folder in findings.items()]


def main() -> int:
    """Runs what is asked for. -> exit code."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--target", action="append", choices=[*TARGETS, WIRE])
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    names = arguments.target or list(TARGETS)
    wire = WIRE in names or (arguments.target is None and importlib.util.find_spec("fuzz.wire"))
    names = [name for name in names if name != WIRE]
    seconds = 60 * arguments.minutes
    share = seconds / (len(names) + 1) if wire and names else 0.0 if names else seconds
    print(f"seed {arguments.seed}, {arguments.minutes} minutes, batches of {BATCH}", flush=True)
    counts, findings = fuzz_files(names, seconds - share, arguments.seed) if names else ({}, [])
    for name, count in counts.items():
        numbers = f"{count['read']:6} read, {count['refused']:6} refused"
        print(f"{name:14} {count['files']:7} files, {numbers}")
    if wire:
        frames, more = fuzz_wire(share, arguments.seed)
        findings += more
        print(f"{WIRE:14} {frames['frames']:7} frames  {dict(frames)}")
    total = sum(count["files"] for count in counts.values())
    print(f"{total} files, {len(findings)} kinds of findings")
    for finding in findings:
        print(f"  {finding}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())

"""Another version of kinflow at work beside this one, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ENGINE = Path(__file__).resolve().parents[1]


class Version:
    """A process that runs a worker's code with the kinflow of a checkout.

    The worker prints, one line of JSON each: where its kinflow lies, then an answer to every line
    of JSON that it reads. It has to live by the public API alone.
    """

    def __init__(self, checkout: Path, worker: str, *arguments: str, threads: int = 1) -> None:
        engine = checkout.resolve() / "engine"
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        environment = os.environ | {"PYTHONPATH": str(engine)} | dict.fromkeys(names, str(threads))
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", worker, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        where = self._answer()
        if not Path(where).is_relative_to(engine):
            raise SystemExit(f"{where} was imported in the place of {engine}.")

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def ask(self, task: dict[str, Any]) -> Any:
        """What the worker answers."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(task) + "\n")
        self.process.stdin.flush()
        return self._answer()

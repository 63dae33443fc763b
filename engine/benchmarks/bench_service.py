"""build.py bench service: latencies at the client, over the wire."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from kinflow.client import Engine
from kinflow.records import Camera, Observation

SAMPLE = Path(__file__).parents[2] / "blender_tests" / "samples" / "punch.png"


def p50_p95(call: Callable[[], object], rounds: int) -> str:
    """Latencies of a call, after three that do not count."""
    for _ in range(3):
        call()
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - started))
    return f"p50 {np.percentile(times, 50):.1f} ms, p95 {np.percentile(times, 95):.1f} ms"


def seconds(code: str) -> float:
    """The fastest of three runs of some Python in a process of its own."""
    return min(_seconds(code) for _ in range(3))


def _seconds(code: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - started


def main() -> None:
    bare = seconds("pass")
    client, numpy, torch = (
        seconds(f"import {n}") - bare for n in ("kinflow.client", "numpy", "torch")
    )
    print(f"import kinflow.client: {1e3 * client:.0f} ms, of which numpy {1e3 * numpy:.0f} ms")
    started = time.perf_counter()
    with Engine() as engine:
        ready = time.perf_counter() - started
        print(f"cold start to ready: {ready:.2f} s, of which torch's own import {torch:.2f} s")
        observation = replace(engine.observe(str(SAMPLE))[0], camera=true_camera())
        time_interaction(engine, observation)
        print(
            f"cancel of a fit of 150 people returns after {cancel_ms(engine, observation):.0f} ms"
        )


def true_camera() -> Camera:
    """The sample's."""
    return Camera(**json.loads(SAMPLE.with_suffix(".json").read_text("utf-8"))["camera"])


def time_interaction(engine: Engine, observation: Observation) -> None:
    """What a dragged slider and a dragged keypoint wait for."""
    last = engine.fit(observation, losses=("ka",))[0]
    random = np.random.default_rng(0)

    def skin() -> None:
        z = 0.5 * random.standard_normal((1, 138)).astype(np.float32)
        pose = engine.call("decode", z=z, mesh=True)
        assert pose["vertices"].shape == (1, 13524, 3)

    def refit() -> None:
        points = observation.keypoints.copy()
        points[15] += random.normal(0, 8, 2).astype(np.float32)
        engine.call("refit", observation=replace(observation, keypoints=points), last=last)

    print(f"decode of one latent with full mesh: {p50_p95(skin, 100)}")
    print(f"refit after a moved keypoint: {p50_p95(refit, 60)}")


def cancel_ms(engine: Engine, observation: Observation) -> float:
    """From asking a running fit to stop until it has."""
    job = engine.submit("fit", observations=[observation] * 150, losses=["ka"])
    while job.fraction == 0:
        engine.poll(0.01)
    started = time.perf_counter()
    engine.cancel(job)
    while not job.done:
        engine.poll(0.005)
    return 1e3 * (time.perf_counter() - started)


if __name__ == "__main__":
    main()

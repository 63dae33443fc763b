"""build.py bench service: latencies at the client, over the wire."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from kinflow.client import Engine
from kinflow.records import Camera, Observation

SAMPLE = Path(__file__).parents[2] / "blender_tests" / "samples" / "punch.png"


def p50_p95(call, rounds: int) -> str:
    for _ in range(3):
        call()
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - started))
    return f"p50 {np.percentile(times, 50):.1f} ms, p95 {np.percentile(times, 95):.1f} ms"


def seconds(code: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - started


def main() -> None:
    bare = min(seconds("pass") for _ in range(3))
    print(
        f"import kinflow.client: {1e3 * (min(seconds('import kinflow.client') for _ in range(3)) - bare):.0f} ms, of which numpy "
        f"{1e3 * (min(seconds('import numpy') for _ in range(3)) - bare):.0f} ms"
    )
    torch_s = min(seconds("import torch") for _ in range(3)) - bare
    started = time.perf_counter()
    with Engine() as engine:
        print(
            f"cold start to ready: {time.perf_counter() - started:.2f} s, of which torch's own import {torch_s:.2f} s"
        )
        truth = json.loads(SAMPLE.with_suffix(".json").read_text())
        camera = Camera(**truth["camera"])
        observation = engine.observe(str(SAMPLE))[0]
        observation = Observation(
            observation.keypoints, observation.confidence, "blazepose33", camera
        )
        last = engine.fit(observation, losses=("ka",))[0]
        random = np.random.default_rng(0)

        def skin() -> None:
            pose = engine.call(
                "decode", z=0.5 * random.standard_normal((1, 138)).astype(np.float32), mesh=True
            )
            assert pose["vertices"].shape == (1, 13524, 3)

        def moved() -> None:
            points = observation.keypoints.copy()
            points[15] += random.normal(0, 8, 2).astype(np.float32)
            engine.call(
                "refit",
                observation=Observation(points, observation.confidence, "blazepose33", camera),
                last=last,
            )

        print(f"decode of one latent with full mesh: {p50_p95(skin, 100)}")
        print(f"refit after a moved keypoint: {p50_p95(moved, 60)}")
        job = engine.submit("fit", observations=[observation] * 150, losses=["ka"])
        while job.fraction == 0:
            engine.poll(0.01)
        started = time.perf_counter()
        engine.cancel(job)
        while not job.done:
            engine.poll(0.005)
        print(
            f"cancel of a fit of 150 people returns after {1e3 * (time.perf_counter() - started):.0f} ms"
        )


if __name__ == "__main__":
    main()

"""kinflow bench cuda: a card beside the CPU, in one run; without a card it says so in one line.

Energies and poses of the same people must agree within the solver's tolerance; then fits a second
at 1, 64 and 1,024 people, four starts each, keypoints alone.
"""

from __future__ import annotations

import time

import numpy as np

from kinflow import fit
from kinflow.commands.bench import BenchCuda
from kinflow.core.metrics import mpjpe

from .synthetic import make_people

ENERGY_NATS, MPJPE_MM = 1.0, 10.0


def run(options: BenchCuda) -> dict[str, float]:
    """Prints the comparison and the rates; returns fits a second by count. Empty without a card."""
    import torch

    if not torch.cuda.is_available():
        print("There is no CUDA device here: the rows of a card stay empty.")
        return {}
    torch.set_num_threads(options.threads)
    people, *_ = make_people(max(options.counts), 3.0, parts=False)
    print(f"{torch.cuda.get_device_name()}, beside {options.threads} CPU thread(s)")
    _compare(people[: options.compare])
    rates = {}
    for count in options.counts:
        for device in ("cuda", "cpu"):
            chosen = people[: count if device == "cuda" else min(count, options.most_on_cpu)]
            fit(chosen[:1], losses=("ka",), device=device)
            began = time.perf_counter()
            fit(chosen, losses=("ka",), device=device)
            rate = rates[f"{device} {count}"] = len(chosen) / (time.perf_counter() - began)
            print(f"{count:>6} people on {device:>4}: {rate:8.1f} fits a second", flush=True)
    return rates


def _compare(people: list) -> None:
    sides = [fit(people, losses=("ka",), device=device) for device in ("cuda", "cpu")]
    energy = np.array([[r.hypotheses[0].energy for r in side] for side in sides])
    apart = 1e3 * mpjpe(*(np.stack([r.joints for r in side]) for side in sides))
    gap = energy[0] - energy[1]
    print(
        f"{len(people)} people, cuda - cpu: energy median {np.median(gap):+.3f} nats, within "
        f"{ENERGY_NATS} for {np.mean(np.abs(gap) < ENERGY_NATS):.1%}; poses within {MPJPE_MM} mm "
        f"for {np.mean(apart < MPJPE_MM):.1%}"
    )

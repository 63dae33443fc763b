"""The benchmarks: they are found, they run, and they measure what they say."""

from __future__ import annotations

import importlib
import json
import pkgutil
from types import SimpleNamespace

import array_api_compat.torch as xp
import numpy as np
import pytest
import torch

from kinflow.bodies.model import torch_backend
from kinflow.bodies.tables import body_table
from kinflow.cli import main
from kinflow.commands.bench import import_benchmark
from kinflow.core.arrays import numpy_backend
from kinflow.priors.arrays import load_prior_arrays

bench_fit, synthetic, tasks = map(import_benchmark, ("bench_fit", "synthetic", "prior_tasks"))
PACKAGE = importlib.import_module("benchmarks")
rivals = importlib.import_module("benchmarks.baselines").load_baselines()
NAMES = [module.name for module in pkgutil.walk_packages(PACKAGE.__path__, "benchmarks.")]


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_finds_what_it_needs_of_kinflow(name):
    assert importlib.import_module(name).__doc__


def test_bench_fit_reports_ka_and_ba(capsys):
    words = ["--count", "2", "--validation", "1", "--priors", "light", "--threads", "1", "--json"]
    assert main(["bench", "fit", *words]) == 0
    header, *rows, answer = capsys.readouterr().out.strip().splitlines()[1:]
    assert header.index("KA px") < header.index("BA px") < header.index("mIoU")
    assert [row.split()[:2] for row in rows] == [["light", "ka"], ["light", "ka+ba"]]
    means = json.loads(answer)
    assert all(0 < means[f"light {losses}"] < 500 for losses in ("ka", "ka+ba"))


def test_the_reported_part_errors_of_the_truth_are_small_and_grow_with_a_shift(monkeypatch):
    meshes, draw = [], synthetic.draw_parts

    def draw_and_keep(body, camera, mesh):
        meshes.append(mesh)
        return draw(body, camera, mesh)

    monkeypatch.setattr(synthetic, "draw_parts", draw_and_keep)
    truth = synthetic.make_people(1, 0.0, seed=4)
    camera = truth.people[0].camera
    shifted = (meshes[0] + np.array([metres, 0.0, 0.0]) for metres in (0.0, 0.05, 0.2))
    results = [SimpleNamespace(vertices=mesh, camera=camera) for mesh in shifted]
    true, near, far = (bench_fit.part_errors(result, truth.parts[0]) for result in results)
    # only every fourth pixel is asked, so that a vertex lies some 2 px from the next
    assert true[0] < 4 and true[1] == 1
    assert true[0] < near[0] < far[0] and true[1] > near[1] > far[1]


@pytest.mark.parametrize("name", ["vposer", "gaussian", "none", "light"])
def test_rows_by_a_rivals_latent_are_those_by_differences(body, heldout, name):
    prior, host = rivals.get(name) or load_prior_arrays(name), numpy_backend()
    poses = heldout[:3].numpy()
    task = tasks.make_task("uplift", body.arrays, poses)
    random = np.random.default_rng(0)
    z = (0.5 * random.standard_normal((3, prior.dim))).astype(np.float32)
    table = body_table(body.arrays, host)
    model = tasks.Places(
        prior.decoder(host), table, tasks.Strength(1.0, 0.5), task, np.zeros_like(z)
    )
    linear = model.linearise(z)
    gradient = (linear.by_latent.swapaxes(1, 2) @ linear.residual[..., None])[
        ..., 0
    ] + linear.latent_gradient
    way = gradient / np.linalg.norm(gradient, axis=1, keepdims=True)
    step = np.float32(1e-2)
    ahead, behind = (model.linearise(z + sign * step * way).energy for sign in (1, -1))
    slope = (ahead - behind) / (2 * step)
    assert np.abs(slope / np.linalg.norm(gradient, axis=1) - 1).max() < 0.01


@pytest.mark.parametrize("name", ["vposer", "gaussian"])
def test_rivals_decode_alike_in_numpy_and_torch(name):
    z = np.random.default_rng(0).normal(size=(4, rivals[name].dim)).astype(np.float32)
    host = numpy_backend()
    by_numpy, _ = rivals[name].decoder(host).decode(host.xp, z)
    by_torch, _ = rivals[name].decoder(torch_backend()).decode(xp, torch.from_numpy(z))
    np.testing.assert_allclose(by_numpy, by_torch, atol=1e-5)


def test_the_gaussian_finds_the_code_that_it_decodes(heldout):
    prior, host = rivals["gaussian"], numpy_backend(np.float64)
    pose = heldout[:5].numpy()
    decoded, _ = prior.decoder(host).decode(host.xp, prior.encode(pose))
    np.testing.assert_allclose(decoded[:, :21], pose[:, :21], atol=1e-5)

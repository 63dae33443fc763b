"""CONTRIBUTING.md's worked example does what it says."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from scenes import COUNT, scene

from kinflow.bodies.arrays import default_body_arrays
from kinflow.bodies.model import torch_backend
from kinflow.bodies.tables import keypoint_table
from kinflow.core.arrays import numpy_backend, to_numpy
from kinflow.core.solver import SolverConfig, levenberg_marquardt

TEXT = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text("utf-8")
WRISTS = [15, 16]


@pytest.fixture(scope="module")
def example():
    """The code block, as a module."""
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.S)
    module = ModuleType("example_term")
    sys.modules[module.__name__] = module
    exec(compile(code, "CONTRIBUTING.md", "exec"), module.__dict__)
    yield module
    del sys.modules[module.__name__]


def marked(example, backend, place):
    """People whose wrists are said to be somewhere, and the state that they start from."""
    one = scene(backend)
    table = keypoint_table(default_body_arrays(), "blazepose33", backend)
    places = example.Places(table, backend.asarray(np.array(WRISTS)), 0.02, backend.asarray(place))
    rest = one.only("latent", "shape").terms
    return replace(one.problem, terms=(places, *rest)), one.state, table


def place_near(example) -> np.ndarray:
    problem, state, table = marked(example, numpy_backend(np.float64), np.zeros((COUNT, 2, 3)))
    reach = np.random.default_rng(0).normal(size=(COUNT, 2, 3))
    return problem.posed(state).places(table)[:, WRISTS] + 0.1 * reach


def test_the_examples_rows_give_the_gradient_that_autograd_gives(example):
    problem, state, _ = marked(example, torch_backend(dtype=torch.float64), place_near(example))
    linear = problem.linearise(state)
    still = torch.zeros_like(state.z), torch.zeros(COUNT, 16, dtype=torch.float64)

    def energy(by_latent, by_rest):
        return problem.energy(problem.moved(state, by_latent, by_rest)).sum()

    wanted = torch.autograd.functional.jacobian(energy, still)
    latent = (linear.residual[:, None] @ linear.by_latent)[:, 0] + linear.latent_gradient
    rest = (linear.residual[:, None] @ linear.by_rest)[:, 0] + linear.rest_gradient
    for found, exact in zip((latent, rest), wanted, strict=True):
        torch.testing.assert_close(found, exact, atol=1e-5 * float(exact.abs().max()), rtol=0)


def test_a_fit_with_the_example_puts_the_points_where_they_are_said_to_be(example):
    place = place_near(example)
    problem, state, table = marked(example, numpy_backend(np.float64), place)
    solution = levenberg_marquardt(problem, state, SolverConfig())
    reached = to_numpy(problem.posed(solution.state).places(table))[:, WRISTS]
    assert np.linalg.norm(reached - place, axis=-1).max() < 0.02


def test_every_path_that_contributing_names_exists():
    root = Path(__file__).parents[2]
    for name in re.findall(r"`((?:addon|engine|blender_tests)/[\w/.]*)`", TEXT):
        assert (root / name).exists(), name

"""Every term: its rows against autograd, and numpy against torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scenes import TERMS, on_a_floor, pulled, scene

import kinflow.core.terms
from kinflow.bodies.model import torch_backend
from kinflow.core.arrays import numpy_backend, to_numpy
from kinflow.core.posterior import State
from kinflow.core.terms.keypoints import Keypoints
from kinflow.core.terms.smoothness import Smoothness, SmoothWeights

TORCH64, NUMPY64 = torch_backend(dtype=torch.float64), numpy_backend(np.float64)
PRIORS = ("light", "light-aa", "light-rotmat", "realnvp")


def kind_of_parts(term: str) -> str:
    return "mask" if term == "mask" else "parts"


def everything(backend, prior: str = "light", parts: str = "parts"):
    return pulled(on_a_floor(scene(backend, prior, parts), backend), backend)


def alone(one, term: str):
    """The term; keypoints that weigh nothing stand in for the rows that a quadratic has not."""
    problem = one.only("keypoints", term)
    if term == "keypoints":
        return problem
    silent = [
        replace(t, confidence=0 * t.confidence) if isinstance(t, Keypoints) else t
        for t in problem.terms
    ]
    return replace(problem, terms=tuple(silent))


def gradients(linear) -> tuple[np.ndarray, np.ndarray]:
    """Of the energy, by the latent and by the rest, from its Gauss-Newton form."""
    residual = to_numpy(linear.residual)
    by_latent = np.einsum("sm,smd->sd", residual, to_numpy(linear.by_latent))
    by_rest = np.einsum("sm,smd->sd", residual, to_numpy(linear.by_rest))
    return by_latent + to_numpy(linear.latent_gradient), by_rest + to_numpy(linear.rest_gradient)


@pytest.fixture(scope="module")
def scenes():
    return {
        (prior, parts): [everything(b, prior, parts) for b in (TORCH64, NUMPY64)]
        for prior in PRIORS
        for parts in ("parts", "mask")
    }


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("term", TERMS)
def test_rows_of_every_term_give_the_gradient_that_autograd_gives(scenes, term, prior):
    one, _ = scenes[prior, kind_of_parts(term)]
    problem, state = alone(one, term), one.state
    linear = problem.linearise(state)

    def energy(by_latent, by_rest):
        return problem.energy(problem.moved(state, by_latent, by_rest))

    still = torch.zeros_like(state.z), torch.zeros(len(state.z), 19, dtype=torch.float64)
    wanted = torch.autograd.functional.jacobian(energy, still)
    torch.testing.assert_close(linear.energy, problem.energy(state))
    for found, exact in zip(gradients(linear), wanted, strict=True):
        own = np.stack([exact[i, i].numpy() for i in range(len(found))])
        np.testing.assert_allclose(found, own, atol=2e-6 * max(1.0, np.abs(own).max()))


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("term", TERMS)
def test_numpy_and_torch_give_the_same_energy_and_normal_equations(scenes, term, prior):
    sides = []
    for one in scenes[prior, kind_of_parts(term)]:
        linear = alone(one, term).linearise(one.state)
        rows = [to_numpy(a) for a in (linear.by_latent, linear.by_rest, linear.residual[..., None])]
        joined = np.concatenate(rows, -1)
        sides.append((to_numpy(linear.energy), joined.transpose(0, 2, 1) @ joined))
    np.testing.assert_allclose(sides[0][0], sides[1][0], rtol=1e-7)
    np.testing.assert_allclose(sides[0][1], sides[1][1], atol=1e-6 * np.abs(sides[1][1]).max())


@pytest.mark.parametrize("make", [torch_backend, numpy_backend])
def test_single_precision_is_kept_from_state_to_step(make):
    one = everything(make())
    linear = one.problem.linearise(one.state)
    moved = one.problem.step(linear, one.state, linear.energy * 0 + 0.5)
    for array in (
        *(array for array in vars(linear).values() if array is not None),
        *(moved.block(n) for n in ("z", "root", "betas", "transl", *moved.more)),
    ):
        assert str(array.dtype).endswith("float32")


def test_every_file_of_terms_is_tested_here():
    files = {p.stem for p in Path(kinflow.core.terms.__file__).parent.glob("*.py")}
    assert files - {"__init__", "robust"} == {*TERMS, "smoothness"} - {"mask"}


def motion(backend) -> tuple[Smoothness, State]:
    """Five frames of which one is missing."""
    from kinflow.core.arrays import numpy_namespace as np_
    from kinflow.core.rotations import axis_angle_to_matrix

    random = np.random.default_rng(0)
    turns = 0.4 * random.normal(size=(5, 3)).cumsum(0)
    arrays = (
        random.normal(size=(5, 138)),
        axis_angle_to_matrix(np_, turns),
        np.zeros((5, 10)),
        random.normal(size=(5, 3)),
    )
    frames = backend.asarray(np.array([0.0, 1, 3, 4, 5]))
    return Smoothness(SmoothWeights(), frames), State(*map(backend.asarray, arrays))


def test_slopes_of_the_smoothness_equal_autograd():
    from kinflow.core.rotations import axis_angle_to_matrix

    xp = TORCH64.xp
    term, state = motion(TORCH64)
    links = term.rows(xp, state)

    def energy(z, turn, transl):
        root = axis_angle_to_matrix(xp, turn) @ state.root
        return term.energy(xp, State(z, root, state.betas, transl)).sum()

    zero = torch.full((5, 3), 1e-9, dtype=torch.float64)
    wanted = torch.autograd.functional.jacobian(energy, (state.z, zero, state.transl))
    linear = torch.zeros(5, 141, dtype=torch.float64)
    turn = torch.zeros(5, 3, dtype=torch.float64)
    for i in range(3):
        linear[i : i + 3] += links.coefficients[:, i, None] * links.linear / links.deviation
        turn[i : i + 3] += (links.turn_slopes[:, i].mT @ links.turn[..., None])[..., 0]
    torch.testing.assert_close(linear[:, :138], wanted[0])
    torch.testing.assert_close(linear[:, 138:], wanted[2])
    torch.testing.assert_close(turn, wanted[1], atol=1e-4, rtol=1e-5)


def test_the_smoothness_in_numpy_is_that_in_torch():
    values = [to_numpy(t.energy(b.xp, s)) for b in (TORCH64, NUMPY64) for t, s in (motion(b),)]
    np.testing.assert_allclose(values[0], values[1], rtol=1e-9)


def test_an_even_motion_costs_nothing_whatever_the_gaps():
    term, state = motion(NUMPY64)
    frames = term.frames[:, None]
    even = State(
        2.0 * frames * np.ones(138) - 1,
        np.tile(np.eye(3), (5, 1, 1)),
        state.betas,
        0.1 * frames * np.ones(3),
    )
    assert term.energy(NUMPY64.xp, even).max() < 1e-18

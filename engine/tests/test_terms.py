"""Every term: its rows against autograd, and numpy against torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scenes import COUNT, TERMS, on_a_floor, pulled, scene

import kinflow.core.terms
from kinflow.bodies.arrays import default_body_arrays
from kinflow.bodies.contacts import contact_table, contacts
from kinflow.bodies.model import torch_backend
from kinflow.core.arrays import numpy_backend, pick, to_numpy
from kinflow.core.points import NUM_TURNS
from kinflow.core.posterior import ONE_PERSON, Problem, State
from kinflow.core.terms.contacts import Contacts, Firmness
from kinflow.core.terms.keypoints import Keypoints
from kinflow.core.terms.smoothness import Smoothness
from kinflow.fitting.sequence.captured import captured_scales

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
    assert files - {"__init__", "robust"} == {*TERMS, "smoothness", "contacts"} - {"mask"}


def motion(backend) -> tuple[Problem, State, dict[str, Smoothness | Contacts]]:
    """Five frames of somebody on a floor, of which one is missing, and what ties them."""
    random = np.random.default_rng(0)
    one = on_a_floor(scene(backend), backend)
    rows = backend.asarray(np.resize(np.arange(COUNT), 5))
    problem = replace(one.problem.pick(rows), terms=())
    state = pick(one.state, rows)
    way = backend.asarray(0.05 * random.normal(size=(5, 3)))
    state = replace(state, transl=state.transl + way)
    body = default_body_arrays()
    table = contact_table(body, backend)
    shares = backend.asarray(random.uniform(size=(2, 5, len(contacts(body)))))
    times = backend.asarray(np.array([0.0, 1, 3, 4, 5]))
    smooth = Smoothness(backend.asarray(captured_scales()), times)
    return (
        problem,
        state,
        {
            "smoothness": smooth,
            "contacts": Contacts(table, Firmness(0.2, 0.1, 0.3), *shares),
        },
    )


def moved_by(problem, state, own, camera):
    """By the latent, the root's turn, betas and the place (5, D + 16), gravity and floor (5, 3)."""
    dim = state.z.shape[-1]
    state = problem.moved(state, own[:, :dim], own[:, dim : dim + 16])
    more = {"gravity": state.more["gravity"] + camera[:, :2]}
    return replace(state, more=more | {"floor": state.more["floor"] + camera[:, 2:]})


def columns_of(problem, posed, rows, more):
    """Rows (T, R, WIDTH) -> by what `moved_by` moves."""
    xp, turns = problem.xp, rows[..., :NUM_TURNS].reshape((*rows.shape[:2], -1, 3))
    world = posed.skeleton.world
    by_latent = problem.decoder.pull_back(xp, posed.trace, world, turns[:, :, 1:])
    blank = torch.zeros((*rows.shape[:2], 1), dtype=torch.float64)
    camera = more.get("gravity", torch.cat((blank, blank), -1)), more.get("floor", blank)
    return torch.cat((by_latent, turns[:, :, 0], rows[..., NUM_TURNS:], *camera), -1)


@pytest.mark.parametrize("name", ["smoothness", "contacts"])
def test_what_ties_frames_gives_the_gradient_that_autograd_gives(name):
    problem, state, ties = motion(TORCH64)
    problem, tie = replace(problem, unknowns=ONE_PERSON), ties[name]
    xp, posed = problem.xp, problem.posed(state)
    links, columns = tie.links(xp, posed), 0
    by_feature = columns_of(problem, posed, links.rows, {})
    found = torch.zeros(5, by_feature.shape[-1], dtype=torch.float64)
    for i in range(links.coefficients.shape[1]):
        rows = slice(i, i + len(links.residual))
        pull = links.coefficients[:, i, None] * links.weight * links.residual
        found[rows] += (by_feature[rows].mT @ pull[..., None])[..., 0]
    if name == "contacts":
        heights = tie.rows(xp, posed)
        columns = columns_of(problem, posed, heights.rows, heights.more)
        found += (columns.mT @ heights.residual[..., None])[..., 0]

    def energy(own, camera):
        return tie.value(xp, problem.posed(moved_by(problem, state, own, camera))).sum()

    size = state.z.shape[-1] + 16
    still = (torch.zeros(5, size).double(), torch.zeros(5, 3).double())
    exact = torch.cat(torch.autograd.functional.jacobian(energy, still), -1)
    torch.testing.assert_close(found, exact, atol=1e-5 * float(exact.abs().max()), rtol=1e-5)


@pytest.mark.parametrize("name", ["smoothness", "contacts"])
def test_what_ties_frames_is_the_same_in_numpy_and_torch(name):
    values = []
    for backend in (TORCH64, NUMPY64):
        problem, state, ties = motion(backend)
        posed = problem.posed(state)
        links = ties[name].links(backend.xp, posed)
        values.append([to_numpy(a) for a in (ties[name].value(backend.xp, posed), links.rows)])
    for one, other in zip(*values, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-9)


def test_an_even_motion_costs_nothing_whatever_the_gaps():
    problem, state, ties = motion(NUMPY64)
    frames = ties["smoothness"].times[:, None]
    first = pick(state, np.zeros(5, int))
    even = replace(first, transl=0.1 * frames * np.ones(3))
    assert ties["smoothness"].value(problem.xp, problem.posed(even)).max() < 1e-18


def test_a_punch_costs_far_less_than_by_its_square():
    problem, state, ties = motion(NUMPY64)
    still = pick(state, np.zeros(5, int))
    cost = []
    for size in (0.05, 0.5):
        way = np.zeros((5, 3))
        way[2] = size
        posed = problem.posed(replace(still, transl=still.transl + way))
        cost.append(ties["smoothness"].value(problem.xp, posed).sum())
    assert cost[1] < 2 * cost[0]

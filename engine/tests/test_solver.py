"""The solver: blocks and groups against dense solves, and who may harm whom."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scenes import COUNT, scene

from kinflow.bodies.model import torch_backend
from kinflow.core.arrays import numpy_backend, solve_spd, to_numpy
from kinflow.core.arrays import numpy_namespace as np_
from kinflow.core.posterior import ROOT, SHARED_BETAS, TRANSL, Block
from kinflow.core.solver import LOOK_EVERY, SolverConfig, levenberg_marquardt
from kinflow.core.step import damped_step

NUMPY64, TORCH64 = numpy_backend(np.float64), torch_backend(dtype=torch.float64)


def dense_step(linear, damping, group, shared) -> tuple[np.ndarray, np.ndarray]:
    """The same step from one large system of everybody's unknowns."""
    people, _, dim = linear.by_latent.shape
    rest = linear.by_rest.shape[-1]
    own = dim + rest - shared
    groups = int(group.max()) + 1
    size = people * own + groups * shared
    normal, gradient = np.zeros((size, size)), np.zeros(size)
    for i in range(people):
        start = people * own + group[i] * shared
        columns = [*range(i * own, (i + 1) * own), *range(start, start + shared)]
        table = np.concatenate((linear.by_latent[i], linear.by_rest[i]), -1)
        pull = np.concatenate((linear.latent_gradient[i], linear.rest_gradient[i]))
        scale = (linear.by_rest[i] ** 2).sum(0)
        scale = scale if linear.rest_damping is None else linear.rest_damping[i]
        stiff = np.concatenate(
            (
                np.full(dim, linear.latent_weight[i, 0] + damping[i]),
                scale * damping[i] * 0.1 + 1e-4 + linear.rest_weight[i],
            )
        )
        normal[np.ix_(columns, columns)] += table.T @ table + np.diag(stiff)
        gradient[columns] += table.T @ linear.residual[i] + pull
    step = -np.linalg.solve(normal, gradient)
    mine = step[: people * own].reshape(people, own)
    together = step[people * own :].reshape(groups, shared)[group]
    return mine[:, :dim], np.concatenate((mine[:, dim:], together), -1)


@pytest.mark.parametrize("own_damping", [False, True])
@pytest.mark.parametrize("shared", [0, 10])
@pytest.mark.parametrize("prior", ["light", "light-aa"])
def test_a_step_of_blocks_equals_a_dense_solve(shared, prior, own_damping):
    """light-aa has fewer latents than rows: there A'A is the smaller system."""
    one = scene(NUMPY64, prior)
    group = np.array([0, 1, 0])
    unknowns = (ROOT, TRANSL, SHARED_BETAS)
    if own_damping:
        unknowns = tuple(replace(b, damping=10.0**i) for i, b in enumerate(unknowns))
    problem = replace(one.problem, unknowns=unknowns, group=group)
    linear, damping = problem.linearise(one.state), np.array([0.5, 0.2, 0.5])
    found = damped_step(np_, linear, damping, shared, group)
    wanted = dense_step(linear, damping, group, shared)
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-7 * np.abs(b).max())


def test_a_block_that_nobody_wrote_down_needs_no_change_to_the_solver():
    """A focal length for each photo, as a further shared block of a term of its own."""
    from dataclasses import dataclass

    from kinflow.core.arrays import Array, per_person
    from kinflow.core.posterior import Rows

    @dataclass(frozen=True)
    class Wanted:
        """0.5 (x - target)^2 of the block `extra`."""

        target: Array = per_person()

        def value(self, xp, posed):
            return 0.5 * (posed.state.block("extra") - self.target)[:, 0] ** 2

        def rows(self, xp, posed):
            apart = posed.state.block("extra") - self.target
            return Rows(
                self.value(xp, posed),
                apart,
                np.zeros((len(apart), 1, 85)),
                {"extra": np.ones((len(apart), 1, 1))},
            )

    one = scene(NUMPY64)
    state = replace(one.state, more={"extra": np.zeros((COUNT, 1))})
    group = np.array([0, 0, 1])
    problem = replace(
        one.problem,
        unknowns=(*one.problem.unknowns, Block("extra", 1, shared=True)),
        terms=(*one.problem.terms, Wanted(np.array([[1.0], [3.0], [7.0]]))),
        group=group,
    )
    solution = levenberg_marquardt(problem, state, SolverConfig(60, tolerance=1e-9))
    np.testing.assert_allclose(solution.state.more["extra"][:, 0], [2, 2, 7], atol=0.02)


def test_numpy_and_torch_walk_the_same_way():
    config = SolverConfig(max_iterations=2 * LOOK_EVERY)
    sides = [scene(b, "realnvp", "mask") for b in (NUMPY64, TORCH64)]
    found, exact = (levenberg_marquardt(s.problem, s.state, config) for s in sides)
    np.testing.assert_allclose(found.energy, to_numpy(exact.energy), rtol=1e-6)


@pytest.mark.parametrize("iterations", [1, 3])
def test_who_runs_out_of_iterations_has_the_energy_of_where_it_is(iterations):
    one = scene(NUMPY64)
    found = levenberg_marquardt(one.problem, one.state, SolverConfig(iterations, tolerance=0))
    np.testing.assert_allclose(found.energy, one.problem.energy(found.state), rtol=1e-12)
    assert (found.energy < one.problem.energy(one.state)).all()


def test_a_device_is_waited_for_once_in_five_iterations(monkeypatch):
    """Every wait is a copy to the host; nothing else of a step asks a tensor for its value."""
    waits = []
    monkeypatch.setattr(
        "kinflow.core.solver.to_numpy", lambda a: waits.append(1) or a.detach().numpy()
    )
    for name in ("__bool__", "__float__", "__int__", "item", "nonzero"):
        monkeypatch.setattr(torch.Tensor, name, lambda *a, **k: pytest.fail("a hidden wait"))
    one = scene(TORCH64, "light", "mask")
    levenberg_marquardt(one.problem, one.state, SolverConfig(max_iterations=20, tolerance=0))
    assert len(waits) <= 20 // LOOK_EVERY


@pytest.mark.parametrize("backend", [NUMPY64, TORCH64], ids=["numpy", "torch"])
def test_hopeless_starts_are_refused_and_harm_nobody(backend):
    one = scene(backend)
    z = to_numpy(one.state.z).copy()
    z[1] = np.nan
    config = SolverConfig(max_iterations=5)
    spoilt = levenberg_marquardt(one.problem, replace(one.state, z=backend.asarray(z)), config)
    alone = levenberg_marquardt(one.problem, one.state, config)
    assert not np.isfinite(to_numpy(spoilt.energy)[1])
    np.testing.assert_allclose(
        to_numpy(spoilt.energy)[[0, 2]], to_numpy(alone.energy)[[0, 2]], rtol=1e-6
    )


@pytest.mark.parametrize("backend", [NUMPY64, TORCH64], ids=["numpy", "torch"])
def test_a_hopeless_person_harms_neither_its_group_nor_another(backend):
    one = scene(backend)
    z = to_numpy(one.state.z).copy()
    z[1] = np.nan
    unknowns, group = (ROOT, TRANSL, SHARED_BETAS), backend.asarray(np.array([0, 0, 1]))
    problem = replace(one.problem, unknowns=unknowns, group=group)
    state = replace(one.state, z=backend.asarray(z))
    spoilt = levenberg_marquardt(problem, state, SolverConfig(max_iterations=10))
    before, after = (to_numpy(e)[[0, 2]] for e in (problem.energy(state), spoilt.energy))
    assert (after < before - 1).all()


@pytest.mark.parametrize("backend", [NUMPY64, TORCH64], ids=["numpy", "torch"])
def test_one_singular_matrix_never_spoils_a_batch(backend):
    good = np.array([[4.0, 1.0], [1.0, 3.0]])
    matrices = backend.asarray(np.stack((good, np.zeros((2, 2)), good)))
    right = backend.asarray(np.ones((3, 2, 1)))
    x, ok = (to_numpy(a) for a in solve_spd(backend.xp, matrices, right))
    assert ok.tolist() == [True, False, True]
    np.testing.assert_allclose(good @ x[2, :, 0], 1)
    assert (x[1] == 0).all()

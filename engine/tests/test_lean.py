"""The numpy path computes what the torch path computes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from kinflow import Observation, fit, load_body, load_prior
from kinflow.bodies.jacobians import PointSet
from kinflow.bodies.keypoints import keypoint_regressor
from kinflow.fitting import evaluate
from kinflow.fitting.lean import evaluate as lean
from kinflow.fitting.lean.solver import levenberg_marquardt as lean_solve
from kinflow.fitting.lean.solver import step as lean_step
from kinflow.fitting.problem import Problem, State, Weights
from kinflow.fitting.residuals.parts import part_field
from kinflow.fitting.solver import SolverConfig, levenberg_marquardt, step
from kinflow.rotations import axis_angle_to_matrix


def make_problem(
    prior_name: str, parts: str | None, hints: bool, dtype=torch.float64
) -> tuple[Problem, State]:
    random = torch.Generator().manual_seed(3)
    body, prior = load_body().to(dtype=dtype), load_prior(prior_name).to(dtype=dtype)
    regressor = keypoint_regressor(body, "blazepose33")
    points = PointSet.of(
        body, regressor.joint_weights, regressor.vertex_index, regressor.vertex_weights
    )
    count, names = 3, regressor.names
    draw = lambda *shape: torch.randn(*shape, generator=random, dtype=dtype)  # noqa: E731
    confidence = (draw(count, 33).abs() + 0.1).clamp_max(1)
    confidence[:, 4] = 0
    field = None
    if parts:
        plane = np.zeros((480, 480), np.uint8)
        plane[120:360, 180:300] = 1
        plane[100:150, 200:260] = 3
        plane[250:400, 190:230] = 10
        person = Observation(
            np.zeros((33, 2)),
            np.ones(33),
            "blazepose33",
            parts=plane if parts == "parts" else None,
            mask=plane > 0 if parts == "mask" else None,
        )
        field = part_field([person] * count, body, torch.full((count,), 120.0, dtype=dtype))
        field = replace(
            field,
            **{
                n: getattr(field, n).to(dtype)
                for n in ("distance", "origin", "step", "pixels", "weight", "size")
            },
        )
    extra = {}
    if hints:
        index = torch.tensor([11, 13, 15, 25, 27])
        extra = {
            "hint_index": index,
            "hint_depth": 0.2 * draw(count, 5),
            "hint_weight": torch.ones(count, 5, dtype=dtype),
        }
    problem = Problem(
        body,
        prior,
        points,
        Weights(),
        240 + 80 * draw(count, 33, 2),
        confidence,
        torch.full((count, 2), 600.0, dtype=dtype),
        torch.full((count, 2), 240.0, dtype=dtype),
        torch.full((count, 1), 4.0, dtype=dtype),
        (names.index("left_hip"), names.index("right_hip")),
        parts=field,
        **extra,
    )
    root = axis_angle_to_matrix(draw(count, 3))
    state = State(
        0.7 * draw(count, prior.dim),
        root,
        0.5 * draw(count, 10),
        torch.tensor([[0.0, 0.1, 4.0]], dtype=dtype).repeat(count, 1),
    )
    return problem, state


def as_lean(state: State) -> lean.LeanState:
    return lean.LeanState(
        state.z.numpy(), state.root.numpy(), state.betas.numpy(), state.transl.numpy()
    )


@pytest.mark.parametrize("prior", ["light", "light-aa", "light-rotmat", "realnvp"])
@pytest.mark.parametrize(
    ("parts", "hints"), [(None, False), (None, True), ("mask", True), ("parts", False)]
)
def test_energy_and_normal_equations_equal_torch(prior, parts, hints):
    problem, state = make_problem(prior, parts, hints)
    expected = evaluate.linearise(problem, state)
    found = lean.linearise(lean.LeanProblem(problem), as_lean(state))
    np.testing.assert_allclose(found.energy, expected.energy.numpy(), rtol=1e-7)

    def normal(by_z, by_global, residual):
        rows = np.concatenate((by_z, by_global, residual[..., None]), -1)
        return rows.transpose(0, 2, 1) @ rows

    a = normal(found.by_z, found.by_global, found.residual)
    b = normal(expected.by_z.numpy(), expected.by_global.numpy(), expected.residual.numpy())
    np.testing.assert_allclose(a, b, atol=1e-6 * np.abs(b).max())


def test_steps_equal_torch():
    problem, state = make_problem("light", "parts", True)
    damping = torch.full((3,), 0.5, dtype=torch.float64)
    expected = step(evaluate.linearise(problem, state), state, damping, 1.0, 1.0)
    found = lean_step(
        lean.linearise(lean.LeanProblem(problem), as_lean(state)),
        as_lean(state),
        damping.numpy(),
        1.0,
        1.0,
    )
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b.numpy(), atol=1e-6)


def test_solvers_walk_the_same_way():
    problem, state = make_problem("realnvp", None, True)
    config = SolverConfig(max_iterations=8)
    expected, found = (
        levenberg_marquardt(problem, state, config),
        lean_solve(problem, state, config),
    )
    np.testing.assert_allclose(found.energy.numpy(), expected.energy.numpy(), rtol=1e-6)


def test_hopeless_starts_are_refused_and_harm_nobody():
    problem, state = make_problem("light", None, False)
    bad = state.z.clone()
    bad[1] = torch.nan
    solution = lean_solve(
        problem, State(bad, state.root, state.betas, state.transl), SolverConfig(max_iterations=5)
    )
    assert not torch.isfinite(solution.energy[1])
    assert torch.isfinite(solution.energy[[0, 2]]).all()


def test_public_fit_is_the_same_person_either_way(monkeypatch):
    from kinflow.fitting import backend

    body = load_body()
    regressor = keypoint_regressor(body, "coco17")
    vertices, joints = body(
        torch.tensor([[3.1, 0.2, 0.1]]),
        load_prior().sample(1, 0.6, seed=4),
        None,
        torch.tensor([[0.0, 0.2, 4.0]]),
    )
    points = regressor(joints, vertices)[0].numpy()
    keypoints = points[:, :2] / points[:, 2:] * 700 + 320
    person = Observation(keypoints, np.ones(17), "coco17", mask=None)
    lean_result = fit(person, losses=("ka",))[0]
    monkeypatch.setattr(backend, "NUMPY_ON_CPU", False)
    torch_result = fit(person, losses=("ka",))[0]
    assert lean_result.keypoint_error_px < 0.5 and torch_result.keypoint_error_px < 0.5
    assert np.linalg.norm(lean_result.joints - torch_result.joints, axis=-1).max() < 0.05

"""How a state looks to the regressor: the Gauss-Newton step towards keypoints and part pixels."""

from __future__ import annotations

from dataclasses import replace

import array_api_compat.torch as xp
import numpy as np
import pytest
import torch
from drawn import TheTruth, drawn_people, observations_of

from kinflow import load_body, load_prior
from kinflow.core.body import pose_skeleton
from kinflow.core.camera import Lens, project
from kinflow.core.points import pose_points
from kinflow.core.rotations import axis_angle_to_matrix
from kinflow.core.skeleton import PARENTS
from kinflow.guessing import look
from kinflow.guessing.figure import Figure, evidence_of, place
from kinflow.guessing.inputs import observed_inputs
from kinflow.guessing.network import Regressor, State
from kinflow.training.regressor.examples import Style, make_inputs
from kinflow.training.regressor.losses import overlap
from kinflow.training.regressor.unlabelled import unlabelled_of


@pytest.fixture(scope="module")
def people():
    return drawn_people()


@pytest.fixture(scope="module")
def figure(body, light):
    return Figure(body, light)


@pytest.fixture(scope="module")
def with_parts(people):
    """Corrupted inputs, everybody with mask and part map."""
    return make_inputs(people, Style(no_parts=0, no_mask=0), np.random.default_rng(0))


def stepped(state, step):
    """The state after a step (B, 138 + 3 + 10)."""
    dz, turn, d_betas = step.split((138, 3, 10), 1)
    turned = axis_angle_to_matrix(xp, turn) @ state.root
    return State(state.z + dz, turned, state.betas + d_betas)


def test_the_step_that_the_network_is_shown_leads_to_the_observed_keypoints(people, figure, light):
    """From beside the truth it takes most of the misses away; at the observed it is small."""
    observations = observations_of(people)
    inputs = observed_inputs(observations, [o.camera for o in observations])
    generator = torch.Generator().manual_seed(0)
    scale = torch.cat((torch.full((138,), 0.15), torch.full((3,), 0.1), torch.full((10,), 0.3)))
    beside = stepped(
        TheTruth(people, light).answer, scale * torch.randn(24, 151, generator=generator)
    )
    shown = figure.look(beside, inputs)

    def missed(state):
        return (figure.look(state, inputs).keypoints - inputs.keypoints).norm(dim=-1).mean(1)

    before, after = missed(beside), missed(stepped(beside, shown.step))
    assert (after < before).float().mean() > 0.9 and after.mean() < 0.4 * before.mean()
    arrived = figure.look(beside, replace(inputs, keypoints=shown.keypoints))
    assert arrived.step.abs().mean() < 0.15 * shown.step.abs().mean()


def test_the_shown_step_is_the_regularised_least_squares_solution_by_autograd(people, figure):
    observations = observations_of(people)[:2]
    inputs = observed_inputs(observations, [o.camera for o in observations])
    base = Regressor().states(inputs, figure.look)[0]
    base = State(*(t.detach().double() for t in vars(base).values()))
    exact = Figure(load_body().to(dtype=torch.float64), load_prior("light").to(dtype=torch.float64))
    floats = ("keypoints", "confidence", "focal", "centre", "crop")
    inputs = replace(inputs, **{n: getattr(inputs, n).double() for n in floats})
    shown = exact.look(base, inputs)
    transl = place(exact, base, inputs).transl
    side = inputs.crop[:, 2, None, None]

    def pixels(x):
        z, turn, betas, move = x.split((138, 3, 10, 3), 1)
        root = (axis_angle_to_matrix(xp, 0.5 * turn) @ base.root)[:, None]
        rotations = torch.cat((root, exact.prior.decode(base.z + z)), 1)
        skeleton = pose_skeleton(xp, exact.body.table, rotations, base.betas + betas)
        points = pose_points(xp, exact.tables().keypoints, skeleton).places
        moved = points + (transl + 0.3 * transl[:, 2:] * move)[:, None]
        return project(xp, moved, Lens(inputs.focal, inputs.centre))[0] / side

    still = torch.zeros(2, 154, dtype=torch.float64)
    rows = torch.autograd.functional.jacobian(lambda x: pixels(x).sum(0).flatten(), still)
    rows = rows.transpose(0, 1)
    miss = inputs.keypoints / side - pixels(still)
    weight = inputs.confidence / (0.03**2 * (1 + (miss / 0.09).square().sum(-1)) ** 2)
    weight = weight.repeat_interleave(2, 1)
    normal = rows.mT @ (weight[..., None] * rows) + torch.eye(154, dtype=torch.float64)
    step = torch.linalg.solve(normal, rows.mT @ (weight * miss.flatten(1))[..., None])[..., 0]
    step[:, 138:141] *= 0.5
    torch.testing.assert_close(shown.step, step[:, :151], atol=1e-6, rtol=1e-5)


def test_the_look_in_numpy_is_that_in_torch(people, figure, light):
    inputs = make_inputs(people, Style(no_parts=0.3, no_mask=0.3), np.random.default_rng(0))
    truth = TheTruth(people, light).answer
    beside = State(0.8 * truth.z, truth.root, truth.betas)
    shown = figure.look(beside, inputs)
    exact = look.gauss_newton(
        xp, figure.tables(), tuple(vars(beside).values()), evidence_of(inputs)
    )
    torch.testing.assert_close(shown.keypoints, exact[0], atol=1e-2, rtol=0)
    torch.testing.assert_close(shown.step, exact[1], atol=2e-4, rtol=1e-3)


def test_rows_of_pixels_are_nearly_those_by_autograd(people, figure, light, with_parts):
    """Nearly: pose correctives and the bend of the skin at joints are left out."""
    inputs = with_parts.pick(torch.arange(4))
    state = State(*(t[:4] for t in vars(TheTruth(people, light).answer).values()))
    placed, evidence, tables = place(figure, state, inputs), evidence_of(inputs), figure.tables()

    def vertices(turn, move):
        rotations = axis_angle_to_matrix(xp, turn) @ placed.rotations
        skeleton = pose_skeleton(xp, tables.body, rotations, placed.betas)
        points = pose_points(xp, tables.skin.table, skeleton).places
        moved = points + (placed.transl + move)[:, None]
        return project(xp, moved, evidence.lens)[0], skeleton

    zero = (torch.zeros(4, 24, 3), torch.zeros(4, 3))
    still, skeleton = vertices(*zero)
    rows = look._pixel_rows(xp, tables, skeleton, placed.transl, evidence)
    parent = torch.cat((torch.eye(3).expand(4, 1, 3, 3), skeleton.world[:, list(PARENTS[1:])]), 1)
    turns = torch.einsum("bpjy,bjyz->bpjz", rows.rows[..., :72].unflatten(-1, (24, 3)), parent)
    by_turn, by_move = torch.autograd.functional.jacobian(
        lambda *x: (vertices(*x)[0] / evidence.side[:, None, None]).sum(0), zero
    )
    checked = 0
    for b, p in (rows.weight > 0).nonzero().tolist():
        # the matched vertex: the one whose row by translation, along its line, is the stated one
        lines = torch.nn.functional.normalize(evidence.pixels[b, p] - still[b], dim=1)
        candidates = torch.einsum("nu,nux->nx", lines, by_move[:, :, b])
        by_transl = rows.rows[b, p, -3:]
        chosen = int((candidates - by_transl).norm(dim=1).argmin())
        exact = torch.einsum("u,uax->ax", lines[chosen], by_turn[chosen, :, b])
        torch.testing.assert_close(by_transl, candidates[chosen], atol=1e-5, rtol=1e-3)
        assert (turns[b, p] - exact).norm() < 0.25 * exact.norm()
        checked += 1
    assert checked > 10


def test_pixels_of_a_part_that_lies_elsewhere_pull_it_there(people, figure, light, with_parts):
    """With confident keypoints left out, a step by the part map alone brings the parts nearer."""
    truth = TheTruth(people, light).answer
    tilt = axis_angle_to_matrix(xp, torch.tensor([0.0, 0.0, 0.15]))
    beside = replace(truth, root=tilt @ truth.root)
    shy = replace(with_parts, confidence=1e-6 * with_parts.confidence)
    after = replace(stepped(beside, figure.look(beside, shy).step), betas=beside.betas)
    photos = unlabelled_of(with_parts)
    far, near = (overlap(figure, place(figure, s, with_parts), photos) for s in (beside, after))
    assert (near < far).float().mean() > 0.9

import numpy as np
import pytest
import torch

from kinflow import Camera, FitResult, Observation, fit
from kinflow.bodies.jacobians import PointSet
from kinflow.bodies.keypoints import keypoint_regressor
from kinflow.errors import CancelledError, InvalidInputError
from kinflow.fitting.evaluate import energy, linearise
from kinflow.fitting.losses import keypoint_alignment
from kinflow.fitting.problem import Problem, State, Weights
from kinflow.fitting.residuals.keypoints import project
from kinflow.fitting.solver import apply
from kinflow.fitting.translation import perspective_translation, weak_perspective_translation
from kinflow.core.metrics import mpjpe, pa_mpjpe
from kinflow.rotations import axis_angle_to_matrix

CAMERA = Camera(1000, 1000, 500, 500, 1000, 1000)


@pytest.fixture(scope="module")
def scene(body, heldout):
    """Held-out poses in front of a camera, with their keypoints."""
    pose = heldout[40::170][:8]
    n = len(pose)
    generator = torch.Generator().manual_seed(0)
    betas = 0.5 * torch.randn(n, 10, generator=generator)
    yaw = torch.linspace(-0.8, 0.8, n)
    half = axis_angle_to_matrix(torch.tensor([torch.pi, 0.0, 0.0]))
    root = half @ axis_angle_to_matrix(torch.stack((0 * yaw, yaw, 0 * yaw), -1))
    transl = torch.tensor([0.1, 0.1, 4.5]).expand(n, 3)
    vertices, joints = body(root, pose, betas, transl)
    points = keypoint_regressor(body, "blazepose33")(joints, vertices).numpy()
    return joints.numpy(), [
        Observation(CAMERA.project(p), np.ones(33), "blazepose33", CAMERA) for p in points
    ]


@pytest.fixture(scope="module")
def results(scene):
    return fit(scene[1], losses=("ka",), device="cpu")


def test_noise_free_keypoints_are_reproduced(results):
    assert np.median([r.keypoint_error_px for r in results]) < 0.5
    assert max(r.keypoint_error_px for r in results) < 3.0
    assert {r.status for r in results} <= {"converged", "max_iterations"}


def test_held_out_poses_are_found_from_keypoints_alone(scene, results):
    errors = [pa_mpjpe(r.joints, truth) for r, truth in zip(results, scene[0], strict=True)]
    assert np.median(errors) < 0.045


def test_numbers_of_a_result_agree_with_each_other(body, results):
    for r in results[:3]:
        vertices, joints = body(
            *(torch.from_numpy(a[None]) for a in (r.global_orient, r.body_pose, r.betas, r.transl))
        )
        assert np.abs(vertices[0].numpy() - r.vertices).max() < 1e-4
        assert np.abs(joints[0].numpy() - r.joints).max() < 1e-4
        assert r.hypotheses[0].energy == min(h.energy for h in r.hypotheses)
        assert all(
            a.dtype == np.float32
            for a in (r.global_orient, r.body_pose, r.betas, r.transl, r.z, r.vertices, r.joints)
        )


def test_hypotheses_are_at_least_60_mm_apart_or_differ_by_a_limb(results):
    for r in results:
        for i, a in enumerate(r.hypotheses):
            for b in r.hypotheses[:i]:
                apart = np.linalg.norm((a.joints - a.joints[0]) - (b.joints - b.joints[0]), axis=1)[
                    :22
                ]
                assert apart.mean() > 0.055 or apart.max() > 0.17


def test_save_and_load_give_the_same_result(tmp_path, results):
    results[0].save(tmp_path / "f.npz")
    again = FitResult.load(tmp_path / "f.npz")
    assert np.array_equal(again.vertices, results[0].vertices) and again.camera == results[0].camera
    assert again.status == results[0].status and len(again.hypotheses) == len(results[0].hypotheses)
    results[0].to_obj(tmp_path / "f.obj")
    assert (tmp_path / "f.obj").read_text().count("\nv ") == len(results[0].vertices)


def test_smplx_parameters_give_the_same_mesh(body64, results):
    from test_body import smplx_twin

    keywords = {k: torch.from_numpy(v).double() for k, v in results[0].to_smplx().items()}
    vertices = smplx_twin(body64)(**keywords).vertices[0].numpy()
    assert np.abs(vertices - results[0].vertices).max() < 1e-4


def test_same_seed_and_batch_order_give_the_same_numbers(scene, results):
    again = fit(scene[1][:3], losses=("ka",), device="cpu")
    for a, b in zip(again, results, strict=False):
        # the depth of the whole body is nearly free (a smaller body nearer by), so pelvises are put on each other
        assert mpjpe(a.joints, b.joints) < 0.01


@pytest.mark.parametrize("visible", ["legs", "upper", "left"])
def test_any_subset_gives_a_plausible_whole_body(scene, visible):
    from kinflow.bodies.keypoint_names import BLAZEPOSE33

    keep = {
        "legs": [
            n for n in BLAZEPOSE33 if any(w in n for w in ("hip", "knee", "ankle", "heel", "foot"))
        ],
        "upper": [
            n for n in BLAZEPOSE33 if not any(w in n for w in ("knee", "ankle", "heel", "foot"))
        ],
        "left": [n for n in BLAZEPOSE33 if n.startswith("left") or n == "nose"],
    }[visible]
    confidence = np.array([float(n in keep) for n in BLAZEPOSE33])
    people = [Observation(o.keypoints, confidence, "blazepose33", CAMERA) for o in scene[1][:4]]
    for r in fit(people, losses=("ka",), device="cpu"):
        assert r.status in ("converged", "max_iterations")
        assert np.isfinite(r.vertices).all() and r.keypoint_error_px < 8
        assert np.linalg.norm(r.z) < 1.5 * np.sqrt(len(r.z)), "unseen limbs follow the prior"
        bones = (
            np.linalg.norm(r.joints[4] - r.joints[1]),
            np.linalg.norm(r.joints[18] - r.joints[16]),
        )
        assert 0.3 < bones[0] < 0.55 and 0.18 < bones[1] < 0.36, (
            "thigh and upper arm are of a person's size"
        )


def test_bad_people_never_harm_the_others(scene, results):
    nan = Observation(np.full((33, 2), np.nan), np.ones(33), "blazepose33", CAMERA)
    unseen = Observation(scene[1][0].keypoints, np.zeros(33), "blazepose33", CAMERA)
    two = np.zeros(33)
    two[:2] = 1
    few = Observation(scene[1][0].keypoints, two, "blazepose33", CAMERA)
    mixed = fit([nan, scene[1][0], unseen, few], losses=("ka",), device="cpu")
    assert [r.status for r in mixed] == [
        "too_few_keypoints",
        mixed[1].status,
        "too_few_keypoints",
        "too_few_keypoints",
    ]
    assert mixed[1].status in ("converged", "max_iterations")
    assert mpjpe(mixed[1].joints, results[0].joints) < 0.02
    assert all(r.message for r in (mixed[0], mixed[2], mixed[3]))


@pytest.mark.parametrize(
    "arguments",
    [
        {"losses": ("xa",)},
        {"losses": ()},
        {"solver": "magic"},
        {"starts": [None]},
        {"device": "toaster"},
    ],
)
def test_wrong_arguments_are_typed_errors(scene, arguments):
    with pytest.raises(InvalidInputError):
        fit(scene[1][:2], **arguments)


def test_a_fit_can_be_cancelled_between_iterations(scene):
    with pytest.raises(CancelledError):
        fit(
            scene[1][:2],
            losses=("ka",),
            device="cpu",
            progress=lambda fraction, message: fraction < 0.1,
        )


def test_an_empty_list_gives_an_empty_list():
    assert fit([]) == []


def test_a_previous_fit_is_a_start(scene, results):
    again = fit(scene[1][:2], losses=("ka",), device="cpu", starts=[results[0], None])
    assert again[0].hypotheses[0].energy <= results[0].hypotheses[0].energy + 0.5


def test_shared_betas_are_shared(scene):
    people = fit(scene[1][:3], losses=("ka",), device="cpu", shared_betas=True)
    assert np.array_equal(people[0].betas, people[1].betas) and np.array_equal(
        people[0].betas, people[2].betas
    )


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_reference_solvers_run_on_a_photo(scene, solver):
    results = fit(scene[1][:2], losses=("ka",), device="cpu", solver=solver)
    assert all(
        r.status in ("converged", "max_iterations") and r.keypoint_error_px < 12 for r in results
    )


@pytest.fixture(scope="module", params=["light", "realnvp", "light-aa"])
def problem(request, body64, scene):
    from kinflow import load_prior

    prior = load_prior(request.param).to(dtype=torch.float64)
    regressor = keypoint_regressor(body64, "blazepose33")
    points = PointSet.of(
        body64, regressor.joint_weights, regressor.vertex_index, regressor.vertex_weights
    )
    t = lambda a: torch.from_numpy(np.array(a, np.float64))  # noqa: E731
    keypoints = t([o.keypoints for o in scene[1][:2]]) + 7.0
    hints = (
        torch.tensor([13, 14, 25]),
        torch.full((2, 3), 0.1, dtype=torch.float64),
        torch.ones(2, 3, dtype=torch.float64),
    )
    p = Problem(
        body64,
        prior,
        points,
        Weights(),
        keypoints,
        torch.rand(2, 33, generator=torch.Generator().manual_seed(4), dtype=torch.float64),
        t([[1000.0, 1000.0]] * 2),
        t([[500.0, 500.0]] * 2),
        t([[4.0]] * 2),
        (23, 24),
        *hints,
    )
    generator = torch.Generator().manual_seed(1)
    r = lambda *s: torch.randn(*s, generator=generator, dtype=torch.float64)  # noqa: E731
    root = axis_angle_to_matrix(
        torch.tensor([[np.pi, 0.1, 0.2], [3.0, -0.2, 0.0]], dtype=torch.float64)
    )
    return p, State(
        0.5 * r(2, prior.dim),
        root,
        0.3 * r(2, 10),
        torch.tensor([[0.0, 0.1, 4.0]] * 2, dtype=torch.float64),
    )


def test_gradient_of_the_energy_equals_autograd(problem):
    p, state = problem
    lin = linearise(p, state)
    assert torch.allclose(lin.energy, energy(p, state))
    by_z = torch.einsum("sm,smd->sd", lin.residual, lin.by_z) + state.z
    by_global = torch.einsum("sm,smd->sd", lin.residual, lin.by_global)
    by_global[:, 3:13] += state.betas

    def f(dz, dg):
        return energy(p, apply(state, dz, dg))

    zero = torch.zeros_like(state.z), torch.zeros(2, 16, dtype=torch.float64)
    want_z, want_global = torch.autograd.functional.jacobian(f, zero)
    for i in range(2):
        assert (want_z[i, i] - by_z[i]).abs().max() < 1e-6 * max(1, float(by_z.abs().max()))
        assert (want_global[i, i] - by_global[i]).abs().max() < 1e-6 * max(
            1, float(by_global.abs().max())
        )


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_solvers_agree_on_the_minimum(problem, solver):
    """From a little beside the second-order solver's solution, first-order ones come to the same energy.

    Exactly so for smooth flows. A PReLU flow's decoder has kinks, at which a second-order step may stop a few nats early.
    """
    from kinflow.fitting.reference import minimise
    from kinflow.fitting.solver import SolverConfig, levenberg_marquardt

    p, state = problem
    found = levenberg_marquardt(p, state, SolverConfig(200, tolerance=1e-6))
    generator = torch.Generator().manual_seed(2)
    z = found.state.z + 0.05 * torch.randn(found.state.z.shape, generator=generator).double()
    again = minimise(p, State(z, found.state.root, found.state.betas, found.state.transl), solver)
    smooth = p.prior.flow.architecture == "realnvp"
    assert (again.energy - found.energy).abs().max() < (0.3 if smooth else 8.0)


def test_translation_equals_plain_least_squares():
    generator = torch.Generator().manual_seed(0)
    joints = torch.randn(4, 17, 3, generator=generator, dtype=torch.float64)
    focal, centre = (
        torch.full((4, 2), 900.0, dtype=torch.float64),
        torch.tensor([[320.0, 240.0]] * 4, dtype=torch.float64),
    )
    true = torch.tensor([0.2, -0.1, 6.0], dtype=torch.float64)
    flat = joints.clone()
    flat[..., 2] = 0
    keypoints = (flat + true)[..., :2] / 6.0 * focal[:, None] + centre[:, None]
    noisy = keypoints + torch.randn(keypoints.shape, generator=generator, dtype=torch.float64)
    confidence = torch.rand(4, 17, generator=generator, dtype=torch.float64)
    got = weak_perspective_translation(flat, noisy, confidence, focal, centre)
    for b in range(4):
        w = confidence[b].sqrt().repeat_interleave(2)
        design = torch.zeros(34, 3, dtype=torch.float64)
        design[:, 0] = flat[b, :, :2].flatten()
        design[0::2, 1], design[1::2, 2] = 1, 1
        u = ((noisy[b] - centre[b]) / focal[b]).flatten()
        s, dx, dy = torch.linalg.lstsq(design * w[:, None], (u * w)[:, None]).solution[:, 0]
        assert torch.allclose(got[b], torch.stack((dx / s, dy / s, 1 / s)), atol=1e-8)
    assert torch.autograd.gradcheck(
        weak_perspective_translation,
        tuple(t[:1].clone().requires_grad_() for t in (flat, noisy, confidence))
        + (focal[:1], centre[:1]),
    )


@pytest.mark.parametrize("case", ["one", "same_place", "none"])
def test_degenerate_translations_are_finite_and_in_front(case):
    joints = torch.randn(1, 5, 3, generator=torch.Generator().manual_seed(0))
    keypoints, confidence = torch.rand(1, 5, 2) * 100, torch.ones(1, 5)
    if case == "one":
        confidence[:, 1:] = 0
    elif case == "same_place":
        keypoints[:] = 50.0
    else:
        confidence[:] = 0
    out = weak_perspective_translation(
        joints, keypoints, confidence, torch.full((1, 2), 500.0), torch.full((1, 2), 50.0)
    )
    better = perspective_translation(
        joints,
        keypoints,
        confidence,
        torch.full((1, 2), 500.0),
        torch.full((1, 2), 50.0),
        torch.full((1,), 10.0),
    )
    assert torch.isfinite(out).all() and torch.isfinite(better).all() and (better[:, 2] > 0).all()
    assert (
        out[:, 2] + (joints * confidence[..., None]).sum(1)[:, 2] / confidence.sum().clamp_min(1)
        > 0
    ).all()


def test_under_perspective_the_true_place_is_found_where_equation_2_misses_it():
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(6, 17, 3, generator=generator, dtype=torch.float64) * torch.tensor(
        [0.3, 0.7, 0.3], dtype=torch.float64
    )
    true = torch.tensor([0.2, -0.1, 2.0], dtype=torch.float64).expand(6, 3)
    focal, centre = (
        torch.full((6, 2), 400.0, dtype=torch.float64),
        torch.full((6, 2), 240.0, dtype=torch.float64),
    )
    keypoints, _ = project(points + true[:, None], focal, centre)
    confidence, scale = (
        torch.ones(6, 17, dtype=torch.float64),
        torch.full((6,), 40.0, dtype=torch.float64),
    )
    confidence[:, 3], keypoints[:, 3] = 0, torch.nan
    weak = weak_perspective_translation(points, keypoints, confidence, focal, centre)
    better = perspective_translation(points, keypoints, confidence, focal, centre, scale)
    assert (better - true).norm(dim=1).max() < 0.1 * (weak - true).norm(dim=1).max()
    wrong = keypoints.clone()
    wrong[:, 7] += 150  # one swapped keypoint
    robust = perspective_translation(points, wrong, confidence, focal, centre, scale, steps=6)
    pulled = perspective_translation(points, wrong, confidence, focal, centre, 1e6 * scale, steps=6)
    assert ((robust - true).norm(dim=1) < (pulled - true).norm(dim=1)).all()
    given = torch.where(confidence[..., None] > 0, keypoints, torch.zeros_like(keypoints))
    assert torch.autograd.gradcheck(
        lambda p: perspective_translation(
            p, given[:1], confidence[:1], focal[:1], centre[:1], scale[:1]
        ),
        points[:1].clone().requires_grad_(),
    )


def test_keypoint_alignment_is_equation_1():
    projected = torch.tensor([[[0.0, 0.0], [3.0, 4.0], [9.0, 9.0]]])
    keypoints = torch.tensor([[[0.0, 2.0], [0.0, 0.0], [float("nan"), 0.0]]])
    confidence = torch.tensor([[1.0, 0.5, 0.0]])
    keypoints = torch.nan_to_num(keypoints)
    assert keypoint_alignment(projected, keypoints, confidence).item() == pytest.approx(
        (2 + 0.5 * 5) / 1.5
    )


def test_a_near_person_tells_the_focal_length(body, heldout):
    from dataclasses import replace

    from kinflow.fitting.fit import FitConfig

    true = Camera(420, 420, 320, 320, 640, 640)  # a wide lens, the person 1.4 m away
    pose = heldout[900:901]
    root = axis_angle_to_matrix(torch.tensor([[torch.pi, 0.3, 0.0]]))
    vertices, joints = body(root, pose, None, torch.tensor([[0.0, 0.2, 1.4]]))
    points = true.project(
        keypoint_regressor(body, "blazepose33")(joints, vertices)[0].double().numpy()
    )
    plane = np.zeros((640, 640), bool)  # only says how large the photo is
    person = Observation(points, np.ones(33), "blazepose33", mask=plane)
    (found,) = fit(person, losses=("ka",), config=replace(FitConfig(), estimate_focal=True))
    guess = Camera.guess(640, 640).fx
    assert abs(np.log(found.camera.fx / 420)) < 0.5 * abs(np.log(guess / 420)), found.camera.fx


@pytest.mark.parametrize(
    ("shoulder", "elbow"),
    [((0, 0, -1.1), (0, -0.9, 0)), ((0, 0, -1.1), (0, -1.3, 0)), ((0, -0.9, -0.6), (0, 0, 0))],
)
def test_a_frontal_bent_arm_gives_both_depth_signs(body, shoulder, elbow):
    """On the photo alone an arm that points forward looks like one that points back."""
    pose = torch.zeros(1, 23, 3)
    pose[0, 15], pose[0, 16], pose[0, 17] = (
        torch.tensor(shoulder),
        torch.tensor([0.0, 0.0, 1.1]),
        torch.tensor(elbow),
    )
    root = axis_angle_to_matrix(torch.tensor([[torch.pi, 0.0, 0.0]]))
    vertices, joints = body(root, pose, None, torch.tensor([[0.0, 0.2, 4.5]]))
    points = CAMERA.project(
        keypoint_regressor(body, "coco17")(joints, vertices)[0].double().numpy()
    )
    (result,) = fit(Observation(points, np.ones(17), "coco17", CAMERA), losses=("ka",))
    depths = [h.joints[20, 2] - h.joints[16, 2] for h in result.hypotheses]
    assert min(depths) < -0.1 and max(depths) > 0.1, depths

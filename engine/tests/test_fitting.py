from dataclasses import replace

import array_api_compat.torch as xp
import numpy as np
import pytest
import torch

from kinflow import Camera, FitResult, Observation, fit
from kinflow.bodies.arrays import default_body_arrays
from kinflow.bodies.keypoints import keypoint_regressor
from kinflow.core.arrays import pick
from kinflow.core.metrics import mpjpe, pa_mpjpe
from kinflow.core.posterior import State
from kinflow.core.rotations import axis_angle_to_matrix
from kinflow.core.solver import Solution
from kinflow.core.terms.parts import Parts
from kinflow.drawing.zbuffer import rasterise
from kinflow.errors import CancelledError, InvalidInputError
from kinflow.fitting.backend import backend_for, iterations, silent
from kinflow.fitting.config import FitConfig, Weights
from kinflow.fitting.people import Means, gather
from kinflow.fitting.refit import refit
from kinflow.fitting.results import results_of
from kinflow.fitting.stages import begin, body_parts, fine, shared_shape
from kinflow.priors.arrays import load_prior_arrays

CAMERA = Camera(1000, 1000, 500, 500, 1000, 1000)


@pytest.fixture(scope="module")
def scene(body, heldout):
    """Held-out poses in front of a camera, with their keypoints."""
    pose = heldout[40::170][:8]
    n = len(pose)
    generator = torch.Generator().manual_seed(0)
    betas = 0.5 * torch.randn(n, 10, generator=generator)
    yaw = torch.linspace(-0.8, 0.8, n)
    half = axis_angle_to_matrix(xp, torch.tensor([torch.pi, 0.0, 0.0]))
    root = half @ axis_angle_to_matrix(xp, torch.stack((0 * yaw, yaw, 0 * yaw), -1))
    transl = torch.tensor([0.1, 0.1, 4.5]).expand(n, 3)
    vertices, joints = body(root, pose, betas, transl)
    points = keypoint_regressor(body, "blazepose33")(joints, vertices).numpy()
    return joints.numpy(), [
        Observation(CAMERA.project(p), np.ones(33), "blazepose33", CAMERA, photo=i)
        for i, p in enumerate(points)
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
        # the depth of the whole body is nearly free (a smaller body nearer by), so pelvises are put
        # on each other
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


def test_no_part_of_a_fit_goes_on_without_asking_whether_to_stop(scene, monkeypatch):
    from kinflow.fitting import backend

    known, asks = backend.levenberg_marquardt, []

    def asked(model, state, config, progress=None):
        asks.append(progress is not None)
        return known(model, state, config, progress)

    monkeypatch.setattr(backend, "levenberg_marquardt", asked)
    config = FitConfig(estimate_focal=True)
    fit(scene[1][:2], device="cpu", shared_betas=True, config=config)
    assert asks and all(asks)


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


def of_shape(body, betas, photo, confidence=1.0):
    """Somebody upright, 4 m away or a little farther, with the mask of the true mesh."""
    root = axis_angle_to_matrix(xp, torch.tensor([[torch.pi, 0.3 * photo, 0.0]]))
    place = torch.tensor([[0.0, 0.2, 4.0 + 0.5 * photo]])
    vertices, joints = body(root, None, torch.tensor(betas)[None], place)
    points = keypoint_regressor(body, "coco17")(joints, vertices)[0].numpy()
    mesh = vertices[0].double().numpy()
    mask = rasterise(CAMERA.project(mesh), mesh[:, 2], body.faces.numpy(), 1000, 1000).mask
    certain = np.full(17, confidence)
    return Observation(CAMERA.project(points), certain, "coco17", CAMERA, mask=mask, photo=photo)


def test_who_is_seen_surely_says_most_of_a_shared_shape(body):
    betas = 2.5 * np.eye(10, dtype=np.float32)[5]
    people = [of_shape(body, betas, 0), of_shape(body, -betas, 1, confidence=0.1)]
    sure, unsure = (r.betas for r in fit(people, losses=("ka",), device="cpu"))
    shared = fit(people, losses=("ka",), device="cpu", shared_betas=True)[0].betas
    assert 3 * np.linalg.norm(shared - sure) < np.linalg.norm(shared - unsure)


def test_keypoints_and_body_parts_are_of_the_shared_body(body):
    """The energy that the solver ends with is that of the bodies that are handed out."""
    betas = 4 * np.eye(10, dtype=np.float32)[0]
    observations = [of_shape(body, betas, photo) for photo in range(2)]
    means = Means(
        default_body_arrays(), load_prior_arrays("light"), backend_for("cpu"), FitConfig()
    )
    quietly = iterations(silent, 0, 1)
    search = fine(*begin(gather(observations, [CAMERA] * 2, means), None), quietly)
    search = shared_shape(body_parts(search, 0, quietly), quietly)
    best = search.best()
    state = pick(search.solution.state, best)
    assert any(isinstance(term, Parts) for term in search.people.problem.terms)
    assert np.array_equal(state.betas[0], state.betas[1]) and np.abs(state.betas).max() > 0.5
    energy = search.people.problem.energy(state)
    np.testing.assert_allclose(search.solution.energy[best], energy, rtol=1e-3)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_reference_solvers_run_on_a_photo(scene, solver):
    results = fit(scene[1][:2], losses=("ka",), device="cpu", solver=solver)
    assert all(
        r.status in ("converged", "max_iterations") and r.keypoint_error_px < 12 for r in results
    )


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_first_order_solvers_agree_on_the_minimum(scene, solver):
    """From the second-order solver's solution they go nowhere better on a smooth flow."""
    off = dict.fromkeys(("hypotheses", "sharpen", "rotated_starts", "together"), False)
    config = FitConfig(fine_iterations=200, **off)
    options = {"prior": "realnvp", "losses": ("ka",), "device": "cpu", "config": config}
    people = scene[1][:2]
    start = fit(people, **options | {"config": replace(config, rotated_starts=True)})
    start = fit(people, starts=start, **options)
    again = fit(people, starts=start, solver=solver, **options)
    for a, b in zip(again, start, strict=True):
        assert abs(a.hypotheses[0].energy - b.hypotheses[0].energy) < 1.0


def test_a_code_of_another_prior_is_encoded_again_and_never_decoded(scene, results):
    """Both priors have 138 numbers: nothing but the mark tells their codes apart."""
    other = fit(scene[1][:1], prior="realnvp", losses=("ka",), device="cpu")[0]
    assert len(other.z) == len(results[0].z) and other.prior.name == "realnvp"
    held = FitConfig(fine_iterations=1, hypotheses=False, sharpen=False, rotated_starts=False)
    again = fit(scene[1][:1], starts=[other], losses=("ka",), device="cpu", config=held)[0]
    assert again.prior == results[0].prior
    assert mpjpe(again.joints, other.joints) < 0.02
    moved = refit(scene[1][0], other, body=default_body_arrays(), prior=load_prior_arrays("light"))
    assert moved.prior.name == "light" and mpjpe(moved.joints, other.joints) < 0.06


def test_one_persons_bad_data_fails_that_person_alone(scene, results):
    """A part map with labels that no body has makes the field of that person raise."""
    wild = np.full((1000, 1000), 200, np.uint8)
    broken = replace(scene[1][1], parts=wild)
    mixed = fit([scene[1][0], broken, scene[1][2]], device="cpu")
    assert mixed[1].status == "failed" and mixed[1].message
    for fitted, alone in ((mixed[0], results[0]), (mixed[2], results[2])):
        assert fitted.status in ("converged", "max_iterations")
        assert mpjpe(fitted.joints, alone.joints) < 0.02


@pytest.mark.parametrize("starts", ["rotations", "both"])
@pytest.mark.parametrize("place", [1e6, 1e30])
def test_a_keypoint_beyond_every_photo_harms_nobody_else(scene, results, starts, place):
    far = scene[1][1].keypoints.copy()
    far[13] = place
    mask = np.ones((1000, 1000), bool) if starts == "both" else None
    lost = Observation(far, np.ones(33), "blazepose33", mask=mask)
    fitted = fit([scene[1][0], lost], losses=("ka",), starts=starts, device="cpu")[0]
    assert fitted.status in ("converged", "max_iterations")
    assert mpjpe(fitted.joints, results[0].joints) < 0.02


def test_keypoints_that_state_a_large_scale_of_error_are_believed_less(scene):
    knee = 25  # of BlazePose: nothing else is near it
    sigma = np.full(33, 3.0)
    sigma[knee] = 200
    sure = []
    for person in scene[1][:4]:
        wrong = person.keypoints.copy()
        wrong[knee] += 15
        sure.append(replace(person, keypoints=wrong))
    unsure = [replace(person, sigma=sigma) for person in sure]
    errors = [
        np.mean([r.keypoint_errors_px[knee] for r in fit(p, losses=("ka",), device="cpu")])
        for p in (sure, unsure)
    ]
    assert errors[1] > errors[0] + 5


def test_a_shape_that_nobody_has_is_no_converged_fit(scene):
    """Keypoints of a body that is stretched tenfold along one axis."""
    points = scene[1][0].keypoints * np.array([10.0, 1.0])
    config = FitConfig(weights=Weights(betas=1e-4))
    result = fit(Observation(points, np.ones(33), "blazepose33", CAMERA), config=config)[0]
    assert np.abs(result.betas).max() <= 8 or (result.status == "failed" and result.message)


@pytest.mark.parametrize(
    ("sigmas", "depth", "status", "why"),
    [
        (2.0, 4.5, "converged", ""),
        (26.0, 4.5, "failed", "shape that nobody has"),
        (2.0, -4.5, "failed", "behind the camera"),
    ],
)
def test_converged_is_said_of_a_body_alone_and_in_front(scene, sigmas, depth, status, why):
    """Whatever the solver says of its own end."""
    prior = load_prior_arrays("light")
    means = Means(default_body_arrays(), prior, backend_for("cpu"), FitConfig())
    state = State(
        z=np.zeros((1, prior.dim), np.float32),
        root=np.diag([1, -1, -1]).astype(np.float32)[None],
        betas=sigmas * np.eye(10, dtype=np.float32)[:1],
        transl=np.array([[0, 0, depth]], np.float32),
    )
    solution = Solution(state, energy=np.ones(1), converged=np.ones(1, bool))
    (result,) = results_of(gather(scene[1][:1], [CAMERA], means), solution, np.zeros(1, int))
    assert result.status == status and why in result.message


def test_a_near_person_tells_the_focal_length(body, heldout):
    true = Camera(420, 420, 320, 320, 640, 640)  # a wide lens, the person 1.4 m away
    pose = heldout[900:901]
    root = axis_angle_to_matrix(xp, torch.tensor([[torch.pi, 0.3, 0.0]]))
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
    root = axis_angle_to_matrix(xp, torch.tensor([[torch.pi, 0.0, 0.0]]))
    vertices, joints = body(root, pose, None, torch.tensor([[0.0, 0.2, 4.5]]))
    points = CAMERA.project(
        keypoint_regressor(body, "coco17")(joints, vertices)[0].double().numpy()
    )
    (result,) = fit(Observation(points, np.ones(17), "coco17", CAMERA), losses=("ka",))
    depths = [h.joints[20, 2] - h.joints[16, 2] for h in result.hypotheses]
    assert min(depths) < -0.1 and max(depths) > 0.1, depths


def test_a_result_says_how_unusual_its_pose_is_and_keeps_it_in_its_file(tmp_path, results):
    assert all(0 <= r.unusual <= 100 for r in results)
    own = load_prior_arrays("light").unusual(results[0].body_pose[None])
    assert results[0].unusual == pytest.approx(float(own.body[0]), abs=2)
    results[0].save(tmp_path / "fit.npz")
    assert FitResult.load(tmp_path / "fit.npz").unusual == results[0].unusual

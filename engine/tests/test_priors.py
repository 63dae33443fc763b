"""What a prior's file carries beside its flow: Gaussian, calibration, which way is up; collars."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import array_api_compat.torch as torch_xp
import numpy as np
import pytest
import torch

from kinflow.core.arrays import Backend, numpy_backend
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.body import pose_skeleton
from kinflow.core.rotations import axis_angle_to_matrix, geodesic_angle, matrix_to_axis_angle
from kinflow.core.skeleton import JOINT_INDEX, PARENTS
from kinflow.errors import AssetError
from kinflow.priors.arrays import SHIPPED, load_prior_arrays
from kinflow.priors.storage import save_prior
from kinflow.priors.unusual import PARTS

DATA = Path(__file__).parents[1] / "benchmarks" / "data"
TORCH = Backend(torch_xp, torch.float64)


@pytest.fixture(scope="module")
def light():
    return load_prior_arrays("light")


def random_poses(count, spread=0.4, seed=0):
    vectors = spread * np.random.default_rng(seed).normal(size=(count, 23, 3))
    return axis_angle_to_matrix(xp, vectors)


def world_of(pose, root):
    """World rotations (B, 24, 3, 3)."""
    world = [root]
    for joint in range(1, 24):
        world.append(world[PARENTS[joint]] @ pose[:, joint - 1])
    return np.stack(world, 1)


def test_the_gaussian_is_the_training_poses(light):
    with np.load(DATA / "training_poses.npz") as data:
        theta = data["pose"].reshape(len(data["pose"]), -1)[:, :63]
    mean, factor = light.gaussian.mean, light.gaussian.factor
    spread = np.sqrt(np.diag(factor @ factor.T))[:63]
    # mirrored training has no left and right
    assert np.abs(theta.mean(0) - mean[:63]).max() < 0.25
    assert 0.7 < (theta.std(0) / spread)[np.array(spread) > 0.1].mean() < 1.2


def test_numpy_gaussian_equals_torch(light):
    z = np.random.default_rng(0).normal(size=(5, 69))
    rows = np.random.default_rng(1).normal(size=(5, 4, 23, 3))
    one, two = numpy_backend(np.float64).record(light.gaussian), TORCH.record(light.gaussian)
    pose, trace = one.decode(xp, z)
    root = np.broadcast_to(np.eye(3), (5, 3, 3))
    world = world_of(pose, root)
    other, other_trace = two.decode(torch_xp, torch.from_numpy(z))
    np.testing.assert_allclose(pose, other.numpy(), atol=1e-12)
    back = two.pull_back(torch_xp, other_trace, torch.from_numpy(world), torch.from_numpy(rows))
    np.testing.assert_allclose(one.pull_back(xp, trace, world, rows), back.numpy(), atol=1e-10)


def test_the_gaussians_rows_are_its_jacobian(light):
    from kinflow.bodies.arrays import default_body_arrays
    from kinflow.bodies.tables import body_table

    table = body_table(default_body_arrays(), TORCH)
    gaussian = TORCH.record(light.gaussian)
    z = torch.randn(1, 69, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    root, betas = torch.eye(3, dtype=torch.float64)[None, None], torch.zeros(1, 10).double()

    def place(code):
        rotations = torch.cat((root, gaussian.decode(torch_xp, code)[0]), 1)
        return pose_skeleton(torch_xp, table, rotations, betas)

    wrist = JOINT_INDEX["left_wrist"]
    exact = torch.autograd.functional.jacobian(lambda code: place(code).place[0, wrist], z)[:, 0]
    skeleton = place(z)
    arm = (skeleton.place[:, wrist, None] - skeleton.place)[:, 1:] * table.subtree[1:, wrist, None]
    rows = torch.linalg.cross(arm[:, None], torch.eye(3).double()[None, :, None])
    trace = gaussian.decode(torch_xp, z)[1]
    by_latent = gaussian.pull_back(torch_xp, trace, skeleton.world, rows)
    assert torch.allclose(by_latent[0], exact, atol=1e-9)


def test_up_is_learned_from_the_pose(light, heldout_up):
    """Closer than the best constant, on performers that were not trained on."""
    poses, up = heldout_up
    mean, kappa = light.upright.predict(xp, poses)
    apart = np.degrees(np.arccos(np.clip((mean * up).sum(-1), -1, 1)))
    constant = up.mean(0) / np.linalg.norm(up.mean(0))
    guess = np.degrees(np.arccos(np.clip(up @ constant, -1, 1)))
    assert np.median(apart) < 0.8 * np.median(guess) and np.median(apart) < 6
    assert light.upright.log_density(xp, poses, up).mean() > 1.0
    assert (kappa > 0).all()


@pytest.fixture(scope="module")
def heldout_up():
    with np.load(DATA / "heldout_poses.npz") as data:
        pose, root = data["pose"].reshape(-1, 23, 3), data["global_orient"]
    return axis_angle_to_matrix(xp, pose), axis_angle_to_matrix(xp, root)[:, 1]


def test_the_density_of_up_integrates_to_one(light):
    directions = np.random.default_rng(0).normal(size=(200_000, 3))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    pose = np.broadcast_to(random_poses(1), (len(directions), 23, 3, 3))
    density = np.exp(light.upright.log_density(xp, pose, directions))
    assert 4 * np.pi * density.mean() == pytest.approx(1, abs=0.05)


def test_rows_of_up_are_its_change_with_the_pose(light):
    upright = numpy_backend(np.float64).record(light.upright)
    pose, root = random_poses(2), random_poses(2, seed=1)[:, 0]
    mean, _, rows = upright.rows(xp, pose, world_of(pose, root))
    for joint in (3, 17, 20):
        turn = 1e-6 * np.array([0.3, -0.5, 0.8])
        parent = world_of(pose, root)[:, PARENTS[joint]]
        turned = pose.copy()
        # a turn in the world, seen from the parent
        local = parent.swapaxes(-1, -2) @ axis_angle_to_matrix(xp, turn) @ parent
        turned[:, joint - 1] = local @ pose[:, joint - 1]
        change = (upright.predict(xp, turned)[0] - mean) / 1e-6
        np.testing.assert_allclose(rows[:, :, joint - 1] @ turn / 1e-6, change, atol=1e-5)


def test_numpy_up_equals_torch(light):
    pose = random_poses(4)
    two = TORCH.record(light.upright)
    mean, kappa = numpy_backend(np.float64).record(light.upright).predict(xp, pose)
    other, other_kappa = two.predict(torch_xp, torch.from_numpy(pose))
    np.testing.assert_allclose(mean, other.numpy(), atol=1e-12)
    np.testing.assert_allclose(kappa, other_kappa.numpy(), rtol=1e-10)


@pytest.mark.parametrize("name", SHIPPED)
def test_percentiles_of_captured_poses_spread_evenly(name):
    with np.load(DATA / "validation_poses.npz") as data:
        poses = data["pose"][::8].reshape(-1, 23, 3)
    unusual = load_prior_arrays(name).unusual(poses)
    for percentiles in (unusual.body, *unusual.parts.values()):
        quarters = np.histogram(percentiles, [0, 25, 50, 75, 100.1])[0] / len(poses)
        # thinned frames are a little less usual than all
        assert (quarters > 0.1).all() and (quarters < 0.55).all(), quarters


def test_a_bent_arm_makes_the_arms_unusual_and_the_legs_not(light):
    with np.load(DATA / "validation_poses.npz") as data:
        poses = data["pose"][::20].reshape(-1, 23, 3)
    bent = axis_angle_to_matrix(xp, poses)
    elbow = JOINT_INDEX["left_elbow"] - 1
    bent[:, elbow] = bent[:, elbow] @ axis_angle_to_matrix(xp, np.array([1.2, 0.0, 0.0]))
    before, after = light.unusual(poses), light.unusual(bent)
    gain = {n: np.median(after.parts[n] - before.parts[n]) for n in PARTS}
    assert np.median(after.body) > np.median(before.body) + 20
    assert max(gain, key=gain.get) == "arms"
    assert "arms: " in after.text(int(after.parts["arms"].argmax()))


def test_an_everyday_pose_is_called_usual(light):
    with np.load(DATA / "validation_poses.npz") as data:
        unusual = light.unusual(data["pose"][::20])
    row = int(np.argmin([unusual.body, *unusual.parts.values()], 1)[0])
    row = int(np.max([unusual.body, *unusual.parts.values()], 0).argmin())
    assert unusual.text(row) == "usual"


@pytest.mark.parametrize("name", SHIPPED)
def test_collars_move_with_the_arm_as_real_shoulders_do(name):
    """The capture keeps clavicles rigid; the prior believes the shoulder's rhythm instead."""
    prior = load_prior_arrays(name)
    z = np.random.default_rng(0).normal(size=(2000, prior.dim))
    poses = prior.decode(z)
    collar, shoulder = (JOINT_INDEX[f"left_{n}"] - 1 for n in ("collar", "shoulder"))
    angle = np.degrees(geodesic_angle(xp, poses[:, collar], np.eye(3, dtype=poses.dtype)))
    assert 3 < np.median(angle) < 20 and np.percentile(angle, 99) < 45
    elevation = matrix_to_axis_angle(xp, poses[:, collar])[:, 2]
    raised = (poses[:, collar] @ poses[:, shoulder])[:, 1, 0]  # the arm's axis along up
    assert np.corrcoef(elevation, raised)[0, 1] > 0.7


def test_a_checkpoint_without_its_gaussian_is_refused(light, tmp_path):
    path = tmp_path / "p.safetensors"
    less = {k: v for k, v in light.extras.items() if k != "gaussian.factor"}
    save_prior(path, light.tensors, light.header, less)
    with pytest.raises(AssetError, match=r"gaussian\.factor"):
        load_prior_arrays(path)


@pytest.mark.parametrize("field", ["eps", "lift_sigma"])
@pytest.mark.parametrize("value", [1e300, -1.0, float("nan")])
def test_a_checkpoint_whose_scales_are_no_scales_is_refused(light, tmp_path, field, value):
    path = tmp_path / "p.safetensors"
    save_prior(path, light.tensors, replace(light.header, **{field: value}), light.extras)
    with pytest.raises(AssetError, match=field):
        load_prior_arrays(path)

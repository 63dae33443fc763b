"""A latent code means something only under the prior that made it: no other ever decodes it."""

import json

import bpy
import numpy as np
import pytest

from addon.scene import body, latent, pose
from addon.scene.camera import EYE_LEVEL
from addon.scene.parameters import Parameters, apply_parameters
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.rotations import axis_angle_to_matrix, geodesic_angle, matrix_to_axis_angle
from kinflow.priors.arrays import load_prior_arrays
from kinflow.records import PriorId

ELSEWHERE = "0" * 64  # checksum of a prior that is not here


@pytest.fixture
def armature():
    assert bpy.ops.kinflow.add_body() == {"FINISHED"}
    return bpy.context.view_layer.objects.active


def parameters(prior: PriorId, z: np.ndarray) -> Parameters:
    """A pose that people take, with a code that is told to be some prior's."""
    rotations = load_prior_arrays("light").decode(sample(0.7, seed=3)[None])[0]
    body_pose = matrix_to_axis_angle(xp, rotations)
    return Parameters(np.zeros(3), body_pose, np.zeros(10), np.zeros(3), z, prior)


def sample(spread: float, seed: int) -> np.ndarray:
    return spread * np.random.default_rng(seed).standard_normal(138)


def error(armature: bpy.types.Object, rotations: np.ndarray) -> float:
    """Largest angle between the rig's pose and these rotations, radians."""
    bpy.context.view_layer.update()
    return float(geodesic_angle(xp, pose.read_body_pose(armature), rotations).max())


@pytest.mark.parametrize(
    "made_by", [PriorId("light", ELSEWHERE), PriorId("my-own-prior", ELSEWHERE), PriorId("", "")]
)
def test_a_code_of_another_prior_is_encoded_from_the_pose(armature, made_by):
    fit = parameters(made_by, sample(1.0, seed=8))
    apply_parameters(armature, fit, EYE_LEVEL)
    wanted = axis_angle_to_matrix(xp, fit.body_pose)
    assert error(armature, wanted) < 1e-3
    # the sliders say the same as the bones: moving one by nothing moves nothing
    armature.kinflow.latent_0[0] = armature.kinflow.latent_0[0]
    assert error(armature, wanted) < 2e-3
    assert armature.kinflow.prior == "light"
    assert armature.kinflow.prior_checksum == load_prior_arrays("light").checksum


def test_a_code_of_a_prior_that_is_here_brings_its_prior_along(armature):
    flow = load_prior_arrays("realnvp")
    z = sample(0.6, seed=2)
    body_pose = matrix_to_axis_angle(xp, flow.decode(z[None])[0])
    fit = Parameters(np.zeros(3), body_pose, np.zeros(10), np.zeros(3), z, flow.id)
    apply_parameters(armature, fit, EYE_LEVEL)
    assert (armature.kinflow.prior, armature.kinflow.prior_checksum) == flow.id
    np.testing.assert_allclose(latent.latent(armature), flow.axes @ z, atol=1e-5)


def test_a_hypothesis_keeps_its_prior_through_the_file(armature):
    fit = parameters(PriorId("light", ELSEWHERE), sample(1.0, seed=8))
    again = Parameters.from_json(fit.to_json())
    assert again.prior == fit.prior
    np.testing.assert_array_equal(again.body_pose, fit.body_pose)


@pytest.mark.parametrize("name", ["light", "a-prior-of-somebody-else"])
def test_a_saved_body_of_another_prior_keeps_its_pose_when_a_slider_is_touched(
    armature, tmp_path, name
):
    bpy.ops.kinflow.sample()
    armature.kinflow.prior, armature.kinflow.prior_checksum = name, ELSEWHERE
    bpy.context.view_layer.update()
    before = pose.read_body_pose(armature)
    # what the other prior's code would decode to here is not this pose
    with pose.updates_paused():
        armature.kinflow.latent_0 = np.full(32, 0.9)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "s.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "s.blend"))
    (again,) = body.find_bodies()
    again.kinflow.latent_0[0] += 1e-3  # from what it says of the pose since the file was opened
    assert error(again, before) < 5e-3
    assert (again.kinflow.prior, again.kinflow.prior_checksum) == load_prior_arrays("light").id
    again.kinflow.latent_0[0] += 1.5
    assert error(again, before) > 0.05


def test_stored_poses_of_another_prior_are_blended_as_poses(armature):
    for slot in "AB":
        bpy.ops.kinflow.sample()
        bpy.ops.kinflow.store_pose(slot=slot)
    wanted = pose.read_body_pose(armature)
    kept = json.loads(armature.kinflow.stored_b) | {"prior": ELSEWHERE, "sigmas": [0.0] * 138}
    armature.kinflow.stored_b = json.dumps(kept)
    armature.kinflow.blend = 1.0
    assert error(armature, wanted) < 5e-3


def test_pose_presets_of_another_prior_are_not_offered(armature):
    light = latent.preset_folder(armature)
    apply_parameters(
        armature, parameters(load_prior_arrays("realnvp").id, np.zeros(138)), EYE_LEVEL
    )
    assert latent.preset_folder(armature) != light

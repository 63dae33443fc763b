"""The regressor at work: its network, its checkpoint, and guesses as starts of a fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from drawn import drawn_people, observations_of

from kinflow import fit
from kinflow.core.metrics import mpjpe
from kinflow.errors import AssetError, InvalidInputError
from kinflow.guessing.guess import guess
from kinflow.guessing.inputs import observed_inputs
from kinflow.guessing.network import Regressor, View, load_regressor, save_regressor
from kinflow.tensorfile import read_tensors, write_tensors


@pytest.fixture(scope="module")
def people():
    return drawn_people()


def test_without_steps_the_network_gives_one_answer_and_needs_no_look(people):
    observations = observations_of(people)
    inputs = observed_inputs(observations, [o.camera for o in observations])

    def fails(state, inputs):
        pytest.fail("it looked")

    def stays(state, inputs):
        return View(inputs.keypoints, torch.zeros(24, 151))

    assert len(Regressor(steps=0).eval().states(inputs, fails)) == 1
    assert len(Regressor(steps=2).eval().states(inputs, stays)) == 3


def test_the_shipped_guess_is_near_and_a_fit_from_it_no_worse_than_from_four_rotations(
    people, body
):
    observations = observations_of(people)
    rotations, betas = torch.from_numpy(people.rotations), torch.from_numpy(people.betas)
    truth = body(rotations[:, 0], rotations[:, 1:], betas)[1].numpy()
    guesses = guess(observations)
    fields = ("global_orient", "body_pose", "betas")
    arrays = (np.stack([getattr(g, n) for g in guesses]) for n in fields)
    joints = body(*(torch.from_numpy(a) for a in arrays))[1].numpy()
    assert mpjpe(joints, truth).mean() < 0.12

    def error(starts):
        results = fit(observations, losses=("ka",), starts=starts, device="cpu")
        return np.mean([mpjpe(r.joints, t) for r, t in zip(results, truth, strict=True)])

    near, both, usual = (error(starts) for starts in ("regressor", "both", None))
    assert near < 1.1 * usual and both < 1.05 * usual


def test_who_has_too_few_keypoints_gets_no_guess_and_a_status(people):
    observations = observations_of(people)[:3]
    observations[1] = replace(observations[1], confidence=np.zeros(17))
    assert [g is None for g in guess(observations)] == [False, True, False]
    results = fit(observations, losses=("ka",), starts="regressor", device="cpu")
    assert [r.status == "too_few_keypoints" for r in results] == [False, True, False]
    with pytest.raises(InvalidInputError, match="Unknown starts"):
        fit(observations, starts="magic")


def test_guesses_are_starts_besides_the_rotations_too(people):
    observations = observations_of(people)[:2]
    results = fit(observations, losses=("ka",), starts=[guess(observations)[0], None], device="cpu")
    assert all(r.status in ("converged", "max_iterations") for r in results)


def test_a_checkpoint_comes_back_within_a_byte_of_each_row(tmp_path):
    net = Regressor()
    save_regressor(tmp_path / "r.safetensors", net, "test")
    for name, value in load_regressor(tmp_path / "r.safetensors").state_dict().items():
        step = 0.5 * float(value.abs().max()) / 120 + 1e-6
        torch.testing.assert_close(value, net.state_dict()[name], atol=step, rtol=1e-3)


def test_a_damaged_checkpoint_is_an_error_that_names_the_field(tmp_path):
    save_regressor(tmp_path / "r.safetensors", Regressor(), "test")
    tensors, header = read_tensors(tmp_path / "r.safetensors")
    path = tmp_path / "damaged.safetensors"
    lame = {n: v for n, v in tensors.items() if n != "head.weight.scale"}
    write_tensors(path, lame, header)
    with pytest.raises(AssetError, match=r"head\.weight\.scale"):
        load_regressor(path)
    path = tmp_path / "empty.safetensors"
    write_tensors(path, {}, header)
    with pytest.raises(AssetError, match="field"):
        load_regressor(path)
    for steps in ("many", "1000", "-1"):
        write_tensors(tmp_path / "odd.safetensors", tensors, header | {"steps": steps})
        with pytest.raises(AssetError, match="steps"):
            load_regressor(tmp_path / "odd.safetensors")
    write_tensors(tmp_path / "stale.safetensors", tensors, header | {"prior": "0" * 16})
    with pytest.raises(AssetError, match="another prior"):
        load_regressor(tmp_path / "stale.safetensors")
    write_tensors(tmp_path / "other.safetensors", {}, {"kinflow_kind": "prior"})
    with pytest.raises(AssetError, match="not a kinflow regressor"):
        load_regressor(tmp_path / "other.safetensors")


def test_a_checkpoint_with_other_planes_is_refused_with_the_shape_that_is_needed(tmp_path):
    save_regressor(tmp_path / "r.safetensors", Regressor(), "test")
    tensors, header = read_tensors(tmp_path / "r.safetensors")
    first = tensors["backbone.layers.0.weight"]
    old = np.concatenate((first[:, :3], first), 1)
    path = tmp_path / "old.safetensors"
    write_tensors(path, tensors | {"backbone.layers.0.weight": old}, header)
    with pytest.raises(AssetError, match=r"backbone\.layers\.0\.weight.*\(32, 32, 3, 3\)"):
        load_regressor(path)

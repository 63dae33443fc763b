"""The regressor's training: losses, augmented photos, both stages, the command."""

from __future__ import annotations

import json
from dataclasses import replace

import array_api_compat.torch as xp
import numpy as np
import pytest
import torch
from drawn import TheTruth, drawn_people

from kinflow.cli import main
from kinflow.core.rotations import axis_angle_to_matrix
from kinflow.errors import InvalidInputError
from kinflow.guessing.figure import Figure
from kinflow.guessing.inputs import CROP
from kinflow.guessing.network import Regressor, load_regressor
from kinflow.training.regressor import stages
from kinflow.training.regressor.augment import Augmentation, augment
from kinflow.training.regressor.evaluate import score
from kinflow.training.regressor.examples import Style, Truth, make_inputs
from kinflow.training.regressor.losses import (
    SupervisedWeights,
    alignment,
    overlap,
    predict,
    supervised,
)
from kinflow.training.regressor.stages import OTHER_STYLE, captured_poses
from kinflow.training.regressor.supervised import Training
from kinflow.training.regressor.unlabelled import unlabelled_of, unlabelled_of_people
from kinflow.training.regressor.weak import WeakConfig, refine


@pytest.fixture(scope="module")
def people():
    return drawn_people()


@pytest.fixture(scope="module")
def figure(body, light):
    return Figure(body, light)


@pytest.fixture(scope="module")
def photos(people):
    """Everybody with mask and part map."""
    style = Style(no_parts=0, no_mask=0)
    return unlabelled_of(make_inputs(people, style, np.random.default_rng(0)))


def test_the_losses_and_errors_of_the_truth_are_small(people, figure, light):
    inputs = make_inputs(people, Style(), np.random.default_rng(0))
    keypoints = torch.from_numpy(people.keypoints)
    inputs = replace(inputs, keypoints=keypoints, confidence=torch.ones(24, 17))
    placed = predict(figure, TheTruth(people, light), inputs)
    assert alignment(placed, inputs).max() < 0.01
    weights = SupervisedWeights(latent=0, keypoints=0)
    assert float(supervised(figure, placed, Truth.of(people), inputs, weights)) < 1e-2
    result = score(figure, TheTruth(people, light), people, OTHER_STYLE)
    assert result.mpjpe < 1 and result.pixels < 4


def test_body_parts_pull_towards_the_truth(people, figure, light, photos):
    true = predict(figure, TheTruth(people, light), photos.inputs)
    bent = axis_angle_to_matrix(xp, torch.tensor([0.0, 0.5, 0.3])) @ true.rotations[:, 1:]
    turned = replace(true, rotations=torch.cat((true.rotations[:, :1], bent), 1))
    near, far = (overlap(figure, placed, photos) for placed in (true, turned))
    assert (near < far).float().mean() > 0.9


def test_another_view_of_a_photo_shows_the_same_parts_at_the_same_pixels(photos):
    how = Augmentation(mirror=0.5, roll=0.4)
    shown, view = augment(photos, how, torch.Generator().manual_seed(0))
    whole, labels = view.inputs, view.labels
    cells = ((view.pixels - whole.crop[:, None, :2]) / whole.crop[:, None, 2:] * CROP).long()
    inside = ((cells >= 0) & (cells < CROP)).all(-1) & (labels > 0)
    cells = cells.clamp(0, CROP - 1)
    drawn = whole.parts[torch.arange(24)[:, None], cells[..., 1], cells[..., 0]].long()
    assert (drawn == labels)[inside].float().mean() > 0.85  # borders move by a cell
    assert (shown.confidence <= whole.confidence).all()
    assert (shown.confidence > 0).sum(1).min() >= 4


def test_mirroring_a_photo_twice_gives_it_back(photos):
    how = Augmentation(mirror=1, roll=0, shift=0, size=0, hide=0)
    _, once = augment(photos, how, torch.Generator())
    _, twice = augment(once, how, torch.Generator())
    before, after = photos.inputs, twice.inputs
    torch.testing.assert_close(after.keypoints, before.keypoints, atol=1e-3, rtol=0)
    assert torch.equal(after.confidence, before.confidence)
    assert torch.equal(twice.labels, photos.labels)
    assert (after.parts == before.parts).float().mean() > 0.999


def test_photos_without_3d_lower_the_keypoint_error_of_those_people(people, figure):
    torch.manual_seed(0)
    net = Regressor(steps=0)  # with steps even an untrained one is near: they are shown the way
    unlabelled = unlabelled_of_people(people, OTHER_STYLE)
    before = score(figure, net, people, OTHER_STYLE)
    config = WeakConfig(steps=25, batch=16, lr=2e-3, augmentation=Augmentation(0, 0, 0, 0, 0))
    training = Training(figure)
    after = score(figure, refine(net, unlabelled, config, training), people, OTHER_STYLE)
    assert after.pixels < 0.95 * before.pixels and after.part_iou > before.part_iou
    with pytest.raises(InvalidInputError, match="no photo"):
        refine(net, unlabelled.pick(torch.arange(0)), config, training)


def test_captured_poses_are_each_used_as_often(tmp_path):
    pose = np.zeros((4, 23, 3), np.float32) + np.arange(4, dtype=np.float32)[:, None, None] / 10
    np.savez(tmp_path / "poses.npz", pose=pose)
    poses = captured_poses((tmp_path / "poses.npz",), 8, 0)
    assert len(poses) == 8 and len(torch.unique(poses.flatten(1), dim=0)) == 4
    assert captured_poses((), 8, 0) is None
    with pytest.raises(InvalidInputError, match="no poses"):
        captured_poses((tmp_path / "none.npz",), 8, 0)


def test_the_command_trains_both_stages_and_writes_a_checkpoint(tmp_path, capsys, monkeypatch):
    drawn = stages.drawn

    def few(path, crowd, report):
        return drawn(path, replace(crowd, count=min(crowd.count, 24)), report)

    monkeypatch.setattr(stages, "drawn", few)
    sizes = ["--people", "24", "--steps", "3", "--batch", "8", "--unlabelled", "16"]
    words = ["train", "regressor", "--out", str(tmp_path), *sizes, "--json"]
    assert main([*words, "--weak.steps", "2", "--weak.batch", "8"]) == 0
    output = capsys.readouterr()
    assert "after full supervision: 2D" in output.err
    assert "after photos without 3D: 2D" in output.err
    answer = json.loads(output.out.strip().splitlines()[-1])
    assert {"fs_px", "ws_px", "ws_miou"} <= set(answer)
    assert all(np.isfinite(v) for v in answer.values() if not isinstance(v, bool))
    assert load_regressor(tmp_path / "regressor.safetensors").backbone_name == "small"

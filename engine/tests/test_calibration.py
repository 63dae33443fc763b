"""Scales of error keep their promise; renders' truth is where it says; who is whom."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from kinflow import Observation
from kinflow.commands.bench import import_benchmark
from kinflow.perception.calibration import confidence, share_within, sigma_px

scenes, renders, bench, fitting = map(
    import_benchmark, ("render_scenes", "renders", "bench_calibration", "fit_calibration")
)
CHOSEN = [(kind, number) for kind in scenes.KINDS for number in range(4)]


@pytest.mark.parametrize("times", [1.0, 2.0])
def test_so_many_errors_of_the_stated_density_lie_within_sigma(times):
    # the radius of the density exp(-r / sigma) in the plane is gamma-distributed
    radius = np.random.default_rng(0).gamma(2.0, size=200_000)
    assert np.mean(radius < times) == pytest.approx(share_within(times), abs=0.005)


def test_sigma_grows_where_views_disagree_and_where_the_keypoint_is_hidden():
    spread, visible = np.full(33, 0.01), np.ones(33)
    usual = sigma_px(spread, visible, 400.0)
    apart = sigma_px(np.where(np.arange(33) == 5, 0.05, spread), visible, 400.0)
    assert apart[5] > 2 * usual[5] and np.array_equal(np.delete(apart, 5), np.delete(usual, 5))
    assert (sigma_px(spread, visible - 0.5, 400.0) > usual).all()
    np.testing.assert_allclose(sigma_px(spread, visible, 800.0), 2 * usual)
    assert (sigma_px(np.zeros(33), visible, 400.0) > 0).all()


def test_confidence_is_the_share_of_errors_within_a_twentieth_of_the_size():
    sigma = np.array([1.0, 5.0, 20.0, 200.0])
    radius = np.random.default_rng(1).gamma(2.0, size=(100_000, 1)) * sigma
    np.testing.assert_allclose(confidence(sigma, 400.0), (radius < 20).mean(0), atol=0.01)


@pytest.mark.parametrize(("power", "shape"), [(1, 2.0), (2, 1.0)])
def test_the_likeliest_weights_are_those_that_the_errors_were_drawn_with(power, shape):
    random = np.random.default_rng(2)
    features = np.column_stack((np.ones(40_000), random.normal(size=(40_000, 2))))
    weights = np.array([-3.0, 0.8, -0.3])
    # r / sigma of Laplace's density, and (r / sigma)^2 / 2 of Gauss's, are gamma-distributed
    ratio = (power * random.gamma(shape, size=40_000)) ** (1 / power)
    error = ratio * np.exp(features @ weights)
    np.testing.assert_allclose(fitting.likeliest(features, error, power), weights, atol=0.02)
    best = fitting.log_likelihood(features @ weights, error, power)
    assert best > fitting.log_likelihood(features @ weights + 0.1, error, power)
    assert best > fitting.log_likelihood(features @ weights, error, 3 - power)


@pytest.mark.parametrize(("kind", "number"), CHOSEN)
def test_people_of_a_scene_stand_on_the_floor_before_the_camera(kind, number):
    scene = scenes.make_scene("validation", kind, number)
    assert len(scene.figures) in ((2, 3) if kind == "crowd" else (1,))
    assert scene.view.place()[1] > 0
    for figure in scene.figures:
        vertices, _, _ = figure.posed()
        assert abs(vertices[:, 1].min()) < 1e-6
        seen, _, _ = figure.seen_by(scene.view).posed()
        assert np.abs(scene.view.to_world(seen) - vertices).max() < 1e-6


def test_a_scene_is_the_same_again_and_no_two_are_alike():
    first, again, other = (scenes.make_scene("heldout", "crowd", n) for n in (0, 0, 1))
    flags = [np.full(33, scenes.SHOWN)] * 3
    assert first.truth(flags[: len(first.figures)]) == again.truth(flags[: len(again.figures)])
    assert not np.allclose(first.figures[0].body_pose, other.figures[0].body_pose)


def test_only_people_who_are_cut_lie_much_beyond_the_rim():
    shares = {"whole": [], "cut": []}
    for kind, share in shares.items():
        for number in range(6):
            scene = scenes.make_scene("training", kind, number)
            camera = scene.view.camera
            _, _, keypoints = scene.figures[0].seen_by(scene.view).posed()
            pixels = camera.project(keypoints)
            share.append(((pixels >= 0) & (pixels < (camera.width, camera.height))).all(1).mean())
    assert np.mean(shares["whole"]) > 0.97 and max(shares["cut"]) < 0.97


def test_something_stands_before_a_person_who_is_occluded():
    for number in range(4):
        scene = scenes.make_scene("training", "occluded", number)
        (box,), view = scene.boxes, scene.view
        box = box @ view.rotation.T + view.transl
        _, _, keypoints = scene.figures[0].seen_by(view).posed()
        low, high = (f(view.camera.project(box[:4]), axis=0) for f in (np.min, np.max))
        pixels = view.camera.project(keypoints)
        assert ((pixels > low) & (pixels < high)).all(1).any()
        assert box[:, 2].max() < keypoints[:, 2].min()


@pytest.fixture
def crowd(tmp_path):
    """A render of two people, without its picture."""
    scene = next(
        s
        for s in (scenes.make_scene("heldout", "crowd", n) for n in range(9))
        if len(s.figures) == 2
    )
    truth = scene.truth([np.full(33, scenes.SHOWN)] * 2)
    (tmp_path / "crowd-000.json").write_text(json.dumps(truth))
    return renders.load_renders(tmp_path)[0]


def test_each_person_is_matched_by_where_the_keypoints_lie_and_nobody_twice(crowd):
    first, second = (person.keypoints for person in crowd.people)
    assert crowd.match([second + 2, first + 2]) == [1, 0]
    assert crowd.match([first + 2]) == [0, None]
    assert crowd.match([first + 3, first + 2, second + 10_000]) == [1, None]
    assert crowd.match([]) == [None, None]


def test_who_shows_too_little_is_not_asked_for(crowd):
    crowd.truth["people"][0]["visibility"] = [scenes.OUT] * 30 + [scenes.SHOWN] * 3
    assert len(crowd.people) == 1


def test_the_bench_counts_errors_by_their_own_sigma(crowd, monkeypatch):
    def observe(path):
        sigma = np.full(33, 10.0)
        sigma[0] = 1.0
        shift = np.zeros((33, 2))
        shift[:2] = 5.0, 0.0
        confidence = np.ones(33)
        confidence[-1] = 0
        return [
            Observation(p.keypoints + shift, confidence, "blazepose33", sigma=sigma)
            for p in crowd.people
        ]

    monkeypatch.setattr(bench, "observe", observe)
    points = bench.measure([crowd])
    assert len(points.error) == 64
    within = points.error < points.sigma
    assert (~within).sum() == 2
    alone = replace(points, sigma=points.sigma * 1e3)
    assert "1.000" in alone.line("all", np.ones(64, bool))

"""People of one photo: which way is down, one floor, and what is known of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kinflow import Camera, Observation, fit, load_body, load_prior
from kinflow.bodies.keypoint_names import BLAZEPOSE33
from kinflow.commands.bench import import_benchmark
from kinflow.core.metrics import mpjpe
from kinflow.errors import InvalidInputError
from kinflow.fitting.batches import Batch, split
from kinflow.fitting.population import Who
from kinflow.fitting.refit import refit
from kinflow.fitting.views import View, agreed
from kinflow.gravity import gravity_of, pitch_and_roll, upright_rotation

ground_scenes = import_benchmark("ground_scenes")
make_ground, observations = ground_scenes.make_ground, ground_scenes.observations
NUMBERS = (0, 2, 3)  # scenes of validation performers


def options(**more):
    return {"losses": ("ka",), "device": "cpu"} | more


@pytest.fixture(scope="module")
def grounds():
    return [make_ground("validation", number) for number in NUMBERS]


@pytest.fixture(scope="module")
def people(grounds):
    random = np.random.default_rng(0)
    return [o for i, g in enumerate(grounds) for o in observations(g, i, 2.0, random)]


@pytest.fixture(scope="module")
def results(people):
    return fit(people, **options())


def of_photo(results, number):
    return [r for r in results if r.photo == number]


def above_floor(result) -> float:
    """The lowest point of a body, m."""
    return result.floor - float((result.vertices @ result.gravity).max())


def test_pitch_and_roll_are_found_from_the_people_alone(grounds, results):
    for number, ground in enumerate(grounds):
        pitch, roll = pitch_and_roll(of_photo(results, number)[0].gravity)
        assert abs(pitch - ground.pitch) < 8 and abs(roll - ground.roll) < 5


def test_people_of_one_photo_have_one_camera_and_one_floor(grounds, results):
    for number in range(len(grounds)):
        first, *others = of_photo(results, number)
        assert not first.camera_assumed and first.pitch_range is not None
        low, high = first.pitch_range
        assert low < pitch_and_roll(first.gravity)[0] < high
        for other in others:
            assert np.array_equal(other.gravity, first.gravity) and other.floor == first.floor


def test_who_stands_is_on_the_floor_and_nobody_is_far_below_it(grounds, results):
    for number, ground in enumerate(grounds):
        for person, result in zip(ground.people, of_photo(results, number), strict=True):
            assert above_floor(result) > -0.06
            if person.posture in ("stand", "walk"):
                assert above_floor(result) < 0.10


def test_people_stand_where_they_stand_however_the_photos_are_mixed(people, results):
    order = np.random.default_rng(1).permutation(len(people))
    mixed = fit([people[i] for i in order], **options())
    for found, i in zip(mixed, order, strict=True):
        assert found.photo == people[i].photo
        assert mpjpe(found.joints, results[i].joints) < 0.01


def test_a_photo_is_never_cut_apart_by_a_batch(people):
    everyone = Batch(people, [p.camera for p in people], [Who()] * len(people))
    for size in (1, 3, 100):
        batches = split(everyone, size)
        assert sorted(i for rows in batches for i in rows) == list(range(len(people)))
        photos = [{people[i].photo for i in rows} for rows in batches]
        assert sum(map(len, photos)) == len(NUMBERS)
        assert all(len(rows) <= max(size, 4) for rows in batches)


def test_nobody_is_glued_to_the_floor():
    """Two people stand; a third is as high as a table before them."""
    ground = make_ground("validation", 2)
    random = np.random.default_rng(0)
    figure = ground.people[0].figure
    aloft = replace(figure, transl=figure.transl + np.array([0.9, 0.7, -0.5]))
    more = (*ground.people, replace(ground.people[0], figure=aloft))
    found = fit(observations(replace(ground, people=more), 0, 1.0, random), **options())
    assert above_floor(found[-1]) > 0.4
    assert abs(above_floor(found[0])) < 0.1


def test_a_camera_that_is_stated_is_kept(people):
    pair = [p for p in people if p.photo == 1]
    for result in fit(pair, **options(pitch=-12.0, roll=3.0)):
        assert pitch_and_roll(result.gravity) == pytest.approx((-12, 3), abs=1e-4)
        assert not result.camera_assumed and result.pitch_range is None
    level = fit(pair, **options(pitch=0.0))[0]
    np.testing.assert_allclose(level.gravity, [0, 1, 0], atol=1e-6)


def cut_at_the_waist(person: Observation) -> Observation:
    gone = [any(n in name for n in ("knee", "ankle", "heel", "foot")) for name in BLAZEPOSE33]
    return replace(person, confidence=np.where(gone, 0, person.confidence))


def turned(person: Observation, matrix) -> Observation:
    """Keypoints turned about the photo's middle."""
    camera = person.camera
    middle = np.array([camera.cx, camera.cy])
    size = max(camera.width, camera.height)
    lens = Camera(camera.fx, camera.fy, size / 2, size / 2, size, size)
    return replace(person, keypoints=(person.keypoints - middle) @ matrix + size / 2, camera=lens)


@pytest.mark.parametrize(
    "change",
    [
        cut_at_the_waist,
        lambda person: turned(person, np.array([[0, 1], [-1, 0]])),
        lambda person: turned(person, -np.eye(2)),
    ],
    ids=["cut at the waist", "a photo on its side", "upside down"],
)
def test_where_people_do_not_tell_the_camera_is_level_and_said_to_be_assumed(people, change):
    pair = [change(p) for p in people if p.photo == 1]
    for result in fit(pair, **options()):
        assert result.status in ("converged", "max_iterations")
        assert result.camera_assumed and result.floor is None and result.pitch_range is None
        np.testing.assert_allclose(result.gravity, [0, 1, 0])
        assert np.isfinite(result.vertices).all()


def test_a_view_from_the_top_is_no_wild_camera():
    ground = make_ground("validation", 2)
    rotation = upright_rotation(gravity_of(-88, 0)).T
    place = np.array([0.0, 6.0, 1.0])
    view = replace(ground.view, rotation=rotation, transl=-rotation @ place)
    seen = observations(replace(ground, view=view), 0, 1.0, np.random.default_rng(0))
    for result in fit(seen, **options()):
        pitch, roll = pitch_and_roll(result.gravity)
        assert np.isfinite(result.vertices).all() and abs(roll) <= 30
        assert result.camera_assumed == (pitch == 0) or abs(pitch) <= 60


def test_who_is_seen_badly_never_moves_the_others_floor(people):
    pair = [p for p in people if p.photo == 1]
    alone = fit(pair, **options())
    nothing = np.full((33, 2), np.nan)
    joined = fit([*pair, replace(pair[0], keypoints=nothing)], **options())
    assert joined[-1].status == "too_few_keypoints" and joined[-1].camera_assumed
    assert joined[0].floor == pytest.approx(alone[0].floor, abs=0.01)


def test_a_moved_wrist_changes_neither_shape_nor_floor(people, results):
    index = BLAZEPOSE33.index("left_wrist")
    number = next(i for i, p in enumerate(people) if p.photo == 1 and p.confidence[index] > 0)
    moved = people[number].keypoints.copy()
    moved[index] += 25
    dragged = replace(people[number], keypoints=moved)
    means = {"body": load_body(), "prior": load_prior("light")}
    last = results[number]
    kept = refit(dragged, last, **means)
    np.testing.assert_allclose(kept.betas, last.betas, atol=1e-6)
    assert kept.floor == last.floor and np.array_equal(kept.gravity, last.gravity)
    assert abs(above_floor(kept) - above_floor(last)) < 0.05
    free = refit(dragged, last, **means, keep_shape=False)
    assert np.abs(free.betas - last.betas).max() > 1e-4


def test_sex_and_age_say_how_tall_people_are(people):
    pair = [p for p in people if p.photo == 1]
    man, woman = (fit(pair, **options(sex=sex, age="adult"))[0] for sex in ("male", "female"))
    neutral, child = (fit(pair, **options(age=age))[0] for age in (None, "child"))
    size, masculine = 0, 2
    assert man.betas[masculine] > 0.5 and woman.betas[masculine] < -0.3
    assert man.betas[size] > woman.betas[size]
    assert abs(neutral.betas[masculine]) < 0.8
    assert child.betas[size] < -2


def test_people_may_be_of_different_sexes(people):
    pair = [p for p in people if p.photo == 1]
    first, second = fit(pair, **options(sex=["female", "male"]))
    assert first.betas[2] < 0 < second.betas[2]


@pytest.mark.parametrize("wrong", [{"sex": "unknown"}, {"age": ["adult"]}, {"age": "old"}])
def test_unknown_sexes_and_ages_are_typed_errors(people, wrong):
    with pytest.raises(InvalidInputError):
        fit(people[:2], **options(**wrong))


def test_frames_of_a_clip_agree_on_a_camera_and_who_assumed_has_no_say():
    one = View(gravity_of(-10, 0), 1.5, False, (-14.0, -6.0))
    other = View(gravity_of(-14, 0), 1.7, False, (-18.0, -10.0))
    view = agreed([View(), one, other])
    assert pitch_and_roll(view.gravity)[0] == pytest.approx(-12, abs=0.01)
    assert view.floor == pytest.approx(1.6) and view.pitch_range == (-16.0, -8.0)
    assert agreed([View()]).camera_assumed

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.skeleton import JOINT_INDEX
from kinflow.errors import AssetError, InvalidInputError
from kinflow.mocap.augment import LIMBS, recombined
from kinflow.mocap.dataset import (
    HAND_KEYED,
    captured_poses,
    load_recordings,
    training_pool,
)
from kinflow.priors.arrays import load_prior_arrays
from kinflow.priors.storage import PriorHeader, flow_of
from kinflow.training.data import Pool, clip_interval
from kinflow.training.density import DensityFlow
from kinflow.training.prior import RECIPES, TrainPrior, train_prior

CLIPS = (
    ("cmu/01", "a", "train", "walking"),
    ("cmu/02", "a", "train", "dance"),
    ("cc0/03", "hand keyed", "train", HAND_KEYED),
    ("cmu/04", "b", "validation", "walking"),
    ("cmu/05", "c", "test", "walking"),
    ("cmu/06", "c", "test", "dance"),
)


def quiet(line):
    """A report that nobody reads."""


@pytest.fixture
def clips(tmp_path):
    """A few BVH clips of swinging arms, enough to train on, with their table."""
    import gzip

    from test_mocap import HIERARCHY

    folder = tmp_path / "clips"
    for number, (name, *_) in enumerate(CLIPS):
        path = folder / f"{name}.bvh.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        frames = np.zeros((40, 69))
        frames[:, 3:] = 15 * np.random.default_rng(number).normal(size=(40, 66))
        rows = "\n".join(" ".join(f"{v:.3f}" for v in row) for row in frames)
        motion = f"{HIERARCHY}MOTION\nFrames: 40\nFrame Time: 0.033333\n{rows}\n"
        path.write_bytes(gzip.compress(motion.encode()))
    with open(folder / "clips.csv", "w", newline="") as stream:
        csv.writer(stream).writerows([("clip", "performer", "split", "kind"), *CLIPS])
    return folder


@pytest.mark.parametrize("eps", [0.0, 1.0])
@pytest.mark.parametrize("architecture", ["light", "realnvp"])
def test_what_is_trained_is_the_density_of_what_is_saved(architecture, eps):
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    mix = random.normal(size=(138, 138)) / 12
    header = PriorHeader(architecture, "6d", 0.04, eps=eps)
    net = DensityFlow(header, random.normal(size=138), mix @ mix.T + np.eye(138))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    x = torch.randn(16, 138)
    arrays = {n: a.astype(np.float64) for n, a in net.tensors().items()}
    saved = flow_of(arrays, header).log_density(xp, x.double().numpy())
    np.testing.assert_allclose(net.log_prob(x).detach().numpy(), saved, rtol=1e-4, atol=2e-2)


def test_autograds_gradient_of_a_rounded_kink_is_the_likelihoods_change():
    torch.manual_seed(0)
    header = PriorHeader("light", "axis_angle", 0.04, eps=1.0)
    net = DensityFlow(header, np.zeros(69), np.eye(69)).double()
    x = torch.randn(64, 69, dtype=torch.float64)
    net.log_prob(x).mean().backward()
    bias = net.bias[2]
    direction, slope = torch.randn_like(bias), bias.grad.clone()
    values = []
    for sign in (1, -1):
        with torch.no_grad():
            bias.add_(sign * 1e-4 * direction)
            values.append(float(net.log_prob(x).mean()))
            bias.sub_(sign * 1e-4 * direction)
    assert (values[0] - values[1]) / 2e-4 == pytest.approx(float(slope @ direction), rel=1e-5)


def test_each_architecture_has_its_own_recipe_unless_one_is_asked_for():
    config = TrainPrior(Path("mocap"), Path("out"), architecture="realnvp")
    assert config.chosen_recipe() == RECIPES["coupling"]
    assert replace(config, architecture="light").chosen_recipe() == RECIPES["rounded"]
    assert replace(config, recipe="paper").chosen_recipe() == RECIPES["paper"]


def test_paper_recipe_is_the_papers():
    recipe = RECIPES["paper"]
    assert (recipe.batch, recipe.lr, recipe.steps, recipe.eps) == (64, 1e-4, 200_000, 0.0)
    assert recipe.lr_at(0) == 1e-4 and recipe.lr_at(10_000) == pytest.approx(0.99e-4)


def test_training_writes_a_prior_with_all_that_travels_beside_it(clips, tmp_path):
    plan = TrainPrior(clips, tmp_path / "one", representation="axis_angle", steps=200)
    (path,) = train_prior(plan, quiet)
    prior = load_prior_arrays(path)
    pose = prior.decode(np.zeros((2, prior.dim)))
    assert prior.header.eps == 1.0 and prior.gaussian.dim == 69
    assert prior.unusual(pose).body.shape == (2,)
    assert np.isfinite(prior.upright.log_density(xp, pose, np.eye(3)[[1, 1]])).all()
    with open(tmp_path / "one.csv", newline="") as stream:
        curve = list(csv.DictReader(stream))
    assert float(curve[-1]["validation_log_prob"]) > -1e4


def test_the_same_seed_trains_the_same_prior(clips, tmp_path):
    plans = [
        TrainPrior(clips, tmp_path / name, representation="axis_angle", steps=100)
        for name in ("one", "two")
    ]
    a, b = (load_prior_arrays(train_prior(plan, quiet)[0]) for plan in plans)
    assert a.checksum == b.checksum


def test_a_coupling_flow_of_an_odd_dimension_is_refused(clips, tmp_path):
    plan = TrainPrior(clips, tmp_path / "x", architecture="realnvp", representation="axis_angle")
    with pytest.raises(InvalidInputError, match="even dimension"):
        train_prior(plan, quiet)


def test_splits_have_no_performer_in_common(clips):
    recordings = load_recordings(clips)
    people = [set(captured_poses(recordings, s).performers) for s in ("train", "validation")]
    test = captured_poses(recordings, "test")
    assert not people[0] & people[1] and not (people[0] | people[1]) & set(test.performers)
    assert len(test.poses) == len(test.clip) == len(test.performer)


def test_hand_keyed_clips_weigh_little_and_a_kind_can_be_left_out(clips):
    recordings = load_recordings(clips)
    pool, less = training_pool(recordings), training_pool(recordings, without="dance")
    frames = {r.kind: len(r.clip) for r in recordings if r.split == "train"}
    assert set(frames) == {"walking", "dance", HAND_KEYED}
    assert len(less.poses) < len(pool.poses)
    light = np.sort(np.unique(pool.weights.round(12)))
    assert light[0] < 0.5 * light[-1]


def test_a_folder_without_its_table_is_refused(tmp_path):
    with pytest.raises(AssetError, match=r"clips\.csv"):
        load_recordings(tmp_path)


def test_recombination_exchanges_whole_limbs_and_nothing_else():
    random = np.random.default_rng(0)
    vectors = random.normal(size=(8, 138)).astype(np.float32)
    others = random.normal(size=(4, 8, 138)).astype(np.float32)
    take = np.zeros((4, 8), bool)
    take[1, 3] = True
    mixed = recombined(vectors, others, take).reshape(8, 23, 6)
    changed = (mixed != vectors.reshape(8, 23, 6)).any(-1)
    assert set(np.flatnonzero(changed[3])) == set(list(LIMBS.values())[1])
    assert not np.delete(changed, 3, 0).any()
    assert JOINT_INDEX["right_knee"] - 1 in LIMBS["right leg"]


def test_half_of_a_batch_is_recombined():
    vectors = np.repeat(np.arange(1000, dtype=np.float32)[:, None], 138, 1)
    drawn = Pool(vectors, np.full(1000, 1e-3)).draw((4000,), 0.0, np.random.default_rng(0))
    mixed = (drawn != drawn[:, 6 * 2 : 6 * 2 + 1]).any(1).mean()
    assert 0.44 < mixed < 0.5  # a sixteenth of them takes no limb


def test_interval_is_over_clips_not_frames():
    clip = np.repeat([0, 1], 1000)
    mean, low, high = clip_interval(np.repeat([0.0, 1.0], 1000), clip)
    assert mean == 0.5 and low == 0.0 and high == 1.0


def test_interval_is_over_performers_where_they_are_known():
    clip, performer = np.repeat(np.arange(20), 10), np.repeat([0, 1], 100)
    values = np.repeat([0.0, 1.0], 100)
    narrow, wide = clip_interval(values, clip), clip_interval(values, clip, performer)
    assert wide[1] == 0.0 and wide[2] == 1.0 and narrow[1] > 0.1

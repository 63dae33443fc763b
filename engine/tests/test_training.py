import math
from dataclasses import replace

import array_api_compat.torch as xp
import numpy as np
import pytest
import torch

from kinflow.core.joint_limits import violation_rate
from kinflow.core.representations import to_matrix
from kinflow.priors.arrays import load_prior_arrays
from kinflow.priors.storage import PriorHeader, flow_of, read_prior_file
from kinflow.tensorfile import read_tensors
from kinflow.training import gradient as gradient_module
from kinflow.training.data import Pool, clip_interval
from kinflow.training.gradient import DensityNet
from kinflow.training.initialise import whitening_start
from kinflow.training.limits import Settling, settle
from kinflow.training.prior import RECIPES, TrainPrior, train_prior


def small_net(architecture, seed=0):
    generator = torch.Generator().manual_seed(seed)
    net = DensityNet(architecture, 12)
    whitening_start(net, torch.zeros(12), torch.eye(12), 0.7, generator)
    for name in net.p:
        if name[0] in "wbc":
            net.p[name].add_(0.2 * torch.randn(net.p[name].shape, generator=generator))
    return net


def mean_log_density(net, x):
    """By the core's flow, in double precision."""
    header = PriorHeader(net.architecture, "6d", 0.04)
    flow = flow_of({n: t.double() for n, t in net.tensors().items()}, header)
    return float(flow.log_density(xp, x.double()).mean())


@pytest.mark.parametrize("architecture", ["light", "realnvp"])
def test_hand_written_loss_equals_the_flow(architecture):
    net = small_net(architecture)
    x = torch.randn(32, 12, generator=torch.Generator().manual_seed(1))
    expected = -mean_log_density(net, x) - 6 * math.log(2 * math.pi)
    assert float(net.loss_and_grad(x)) == pytest.approx(expected, rel=1e-5, abs=1e-4)


def test_hand_written_gradient_of_realnvp_equals_finite_differences():
    net = small_net("realnvp")
    x = torch.randn(32, 12, generator=torch.Generator().manual_seed(1))
    net.loss_and_grad(x)
    gradient, base = net.grad.clone(), net.flat.clone()

    def loss():
        return -mean_log_density(net, x)

    for name in net.p:
        direction = torch.zeros_like(base)
        offset = (net.p[name].data_ptr() - net.flat.data_ptr()) // 4
        size = net.p[name].numel()
        direction[offset : offset + size] = torch.randn(
            size, generator=torch.Generator().manual_seed(2)
        )
        direction /= direction.norm()
        net.flat.copy_(base + 1e-3 * direction)
        high = loss()
        net.flat.copy_(base - 1e-3 * direction)
        low = loss()
        net.flat.copy_(base)
        assert (high - low) / 2e-3 == pytest.approx(
            float(gradient @ direction), rel=2e-2, abs=2e-3
        ), name


def test_light_gradient_holds_the_boundary_term_that_moving_a_kink_needs():
    """Over many samples the gradient by the biases is the change of the mean likelihood."""
    net = small_net("light")
    net.p["log_slope"].copy_(torch.tensor([0.6, -0.4, 0.3, -0.5]))
    x = torch.randn(400_000, 12, generator=torch.Generator().manual_seed(1))
    base = net.flat.clone()
    offset = (net.p["c"].data_ptr() - net.flat.data_ptr()) // 4
    direction = torch.zeros_like(base)
    direction[offset : offset + 12] = 1 / math.sqrt(12)

    def slope(width):
        old, gradient_module.BOUNDARY_WIDTH = gradient_module.BOUNDARY_WIDTH, width
        net.loss_and_grad(x)
        gradient_module.BOUNDARY_WIDTH = old
        return float(net.grad @ direction)

    with_term, without = slope(0.1), slope(1e-6)
    values = []
    for step in (0.05, -0.05):
        net.flat.copy_(base + step * direction)
        values.append(float(net.loss_and_grad(x)))
    true = (values[0] - values[1]) / 0.1
    assert abs(with_term - true) < 0.2 * abs(without - true)


@pytest.mark.parametrize("architecture", ["light", "realnvp"])
def test_inverses_followed_by_products_give_the_same_gradients_for_a_whole_chunk(architecture):
    """The step that a GPU captures, on the CPU: a chunk's steps, at the fastest recipe's rate."""
    net, twin = small_net(architecture), small_net(architecture)
    optimisers = []
    for one in (net, twin):
        parameter = torch.nn.Parameter(one.flat)
        parameter.grad = one.grad
        optimisers.append(torch.optim.Adam([parameter], lr=1e-3))
    twin.renew_inverse()
    generator = torch.Generator().manual_seed(5)
    for _ in range(500):
        x = torch.randn(32, 12, generator=generator)
        net.loss_and_grad(x)
        twin.flat.copy_(net.flat)
        twin.loss_and_grad(x, newton=True)
        assert (net.grad - twin.grad).norm() < 1e-2 * net.grad.norm() + 1e-3
        optimisers[0].step()


QUICK = {"representation": "axis_angle", "recipe": "cosine", "settle_steps": 20}


def quiet(line):
    """A report that nobody reads."""


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_captured_training_learns_on_a_gpu(tmp_path):
    write_clips(tmp_path)
    plan = TrainPrior(tmp_path, tmp_path / "cpu", steps=1000, **QUICK)
    paths = [
        train_prior(replace(plan, out=tmp_path / device, device=device), quiet)
        for device in ("cpu", "cuda")
    ]
    cpu, cuda = (read_prior_file(p)[2].notes["test_log_prob_mean"] for p in paths)
    assert abs(cpu - cuda) < 0.1 * abs(cpu) + 2


def test_paper_recipe_is_the_papers():
    recipe = RECIPES["paper"]
    assert (recipe.batch, recipe.lr, recipe.steps) == (64, 1e-4, 200_000)
    assert recipe.lr_at(0) == 1e-4 and recipe.lr_at(10_000) == pytest.approx(0.99e-4)


def write_clips(folder, count=24):
    """A few BVH clips of swinging arms, enough to train on."""
    from test_mocap import HIERARCHY

    (folder / "cmu").mkdir(parents=True)
    for name in ("02_01", "02_08", "walking_41", "walking_42", "walking_45", "walking_46"):
        random = np.random.default_rng(abs(hash(name)) % 1000)
        frames = np.zeros((count, 69))
        frames[:, 3:] = 15 * random.normal(size=(count, 66))
        rows = "\n".join(" ".join(f"{v:.3f}" for v in row) for row in frames)
        (folder / "cmu" / f"{name}.bvh").write_text(
            f"{HIERARCHY}MOTION\nFrames: {count}\nFrame Time: 0.033333\n{rows}\n"
        )


def test_an_interrupted_training_goes_on_as_if_it_was_not(tmp_path):
    write_clips(tmp_path)
    plan = TrainPrior(tmp_path, tmp_path / "whole", steps=1500, device="cpu", **QUICK)
    whole = train_prior(plan, quiet)

    class StopError(Exception):
        pass

    def stop(line):
        if line.strip().startswith("1000/"):
            raise StopError

    interrupted = replace(plan, out=tmp_path / "parts")
    with pytest.raises(StopError):
        train_prior(interrupted, stop)
    a, b = (read_tensors(path)[0] for path in (whole, train_prior(interrupted, quiet)))
    assert all(np.array_equal(a[k], b[k]) for k in a)


def test_interval_is_over_clips_not_frames():
    clip = np.repeat([0, 1], 1000)
    mean, low, high = clip_interval(np.repeat([0.0, 1.0], 1000), clip)
    assert mean == 0.5 and low == 0.0 and high == 1.0


def test_settling_keeps_samples_inside_the_joints_ranges():
    """From a flow that bends joints too far, some steps of the joint-limit term mend much."""
    prior = load_prior_arrays("light-aa")
    tensors = {name: torch.from_numpy(array.copy()) for name, array in prior.tensors.items()}
    tensors["dense.4.weight"] *= 1.5  # poses half as far again from the mean
    z = torch.randn(2000, prior.dim, generator=torch.Generator().manual_seed(0))

    def decoded(flow):
        vectors = flow_of(flow, prior.header).to_pose(xp, z)[0]
        return vectors, violation_rate(xp, to_matrix(xp, "axis_angle", vectors))

    vectors, before = decoded(tensors)
    pool = Pool(vectors, torch.ones(len(vectors)) / len(vectors))
    header = replace(prior.header, lift_sigma=0.025)
    _, after = decoded(settle(tensors, header, pool, Settling(150, 30.0), quiet))
    assert before > 0.01 and after < 0.8 * before, (before, after)

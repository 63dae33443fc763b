import math

import numpy as np
import pytest
import torch

from kinflow.training import gradient as gradient_module
from kinflow.training.gradient import DensityNet
from kinflow.training.initialise import whitening_start
from kinflow.training.prior import RECIPES, TrainPrior, clip_interval, train_prior


def small_net(architecture, seed=0):
    generator = torch.Generator().manual_seed(seed)
    net = DensityNet(architecture, 12)
    whitening_start(net, torch.zeros(12), torch.eye(12), 0.7, generator)
    for name in net.p:
        if name[0] in "wbc":
            net.p[name].add_(0.2 * torch.randn(net.p[name].shape, generator=generator))
    return net


@pytest.mark.parametrize("architecture", ["light", "realnvp"])
def test_hand_written_loss_equals_the_flow(architecture):
    net = small_net(architecture)
    x = torch.randn(32, 12, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        want = -net.to_flow().double().log_prob(x.double()).mean() - 6 * math.log(2 * math.pi)
    assert float(net.loss_and_grad(x)) == pytest.approx(float(want), rel=1e-5, abs=1e-4)


def test_hand_written_gradient_of_realnvp_equals_finite_differences():
    net = small_net("realnvp")
    x = torch.randn(32, 12, generator=torch.Generator().manual_seed(1))
    net.loss_and_grad(x)
    gradient, base = net.grad.clone(), net.flat.clone()

    def loss():
        with torch.no_grad():
            return -net.to_flow().double().log_prob(x.double()).mean().item()

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
    """In expectation over many samples the gradient by the biases equals the change of the mean likelihood."""
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
    """The step that a GPU captures, on the CPU: as many steps as a chunk has, at the fastest recipe's rate."""
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


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_captured_training_learns_on_a_gpu(tmp_path):
    write_clips(tmp_path)
    options = dict(
        mocap=tmp_path, representation="axis_angle", recipe="cosine", settle_steps=20, steps=1000
    )
    paths = [
        train_prior(TrainPrior(out=tmp_path / d, device=d, **options), lambda line: None)
        for d in ("cpu", "cuda")
    ]
    from kinflow.priors.storage import load_flow

    cpu, cuda = (load_flow(p)[1].notes["test_log_prob_mean"] for p in paths)
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
    quiet = lambda line: None  # noqa: E731
    options = dict(
        mocap=tmp_path, representation="axis_angle", recipe="cosine", device="cpu", settle_steps=20
    )
    whole = train_prior(TrainPrior(out=tmp_path / "whole", steps=1500, **options), quiet)

    class StopError(Exception):
        pass

    def stop(line):
        if line.strip().startswith("1000/"):
            raise StopError

    with pytest.raises(StopError):
        train_prior(TrainPrior(out=tmp_path / "parts", steps=1500, **options), stop)
    parts = train_prior(TrainPrior(out=tmp_path / "parts", steps=1500, **options), quiet)
    from kinflow.tensorfile import read_tensors

    a, b = read_tensors(whole)[0], read_tensors(parts)[0]
    assert all(np.array_equal(a[k], b[k]) for k in a)


def test_interval_is_over_clips_not_frames():
    clip = np.repeat([0, 1], 1000)
    mean, low, high = clip_interval(np.repeat([0.0, 1.0], 1000), clip)
    assert mean == 0.5 and low == 0.0 and high == 1.0


def test_settling_keeps_samples_inside_the_joints_ranges():
    """From a flow that bends joints too far, some steps of the joint-limit term alone already mend much."""
    from kinflow import load_prior
    from kinflow.priors.representations import REPRESENTATIONS
    from kinflow.core.joint_limits import violation_rate
    from kinflow.training.limits import settle

    prior = load_prior("light-aa")
    flow = prior.to(dtype=torch.float64).flow.float()
    with torch.no_grad():
        flow.dense[-1].weight.mul_(1.5)  # poses half as far again from the mean
    representation = REPRESENTATIONS["axis_angle"]
    z = torch.randn(2000, flow.dim, generator=torch.Generator().manual_seed(0))
    pool = flow.to_pose(z).detach()
    before = violation_rate(representation.to_matrix(pool))
    after_flow = settle(
        flow,
        representation,
        pool,
        torch.ones(len(pool)) / len(pool),
        0.025,
        150,
        30.0,
        0,
        lambda line: None,
    )
    after = violation_rate(representation.to_matrix(after_flow.to_pose(z)).detach())
    assert before > 0.01 and after < 0.8 * before, (before, after)

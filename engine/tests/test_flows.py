import array_api_compat.torch as xp
import numpy as np
import pytest
import torch

from kinflow import load_prior
from kinflow.core.arrays import Backend
from kinflow.core.flow import Kink
from kinflow.core.representations import to_matrix, to_vector
from kinflow.core.rotations import axis_angle_to_matrix, geodesic_angle
from kinflow.errors import AssetError, InvalidInputError
from kinflow.priors.arrays import load_prior_arrays


def codes(prior, n=16, seed=0):
    return torch.randn(
        n, prior.dim, generator=torch.Generator().manual_seed(seed), dtype=prior.axes.dtype
    )


def test_to_latent_undoes_to_pose(prior):
    z = codes(prior)
    assert (prior.flow.to_latent(prior.flow.to_pose(z)) - z).abs().max() < 1e-3
    double = prior.to(dtype=torch.float64)
    z = codes(double)
    assert (double.flow.to_latent(double.flow.to_pose(z)) - z).abs().max() < 1e-8


def test_decode_undoes_encode(prior, heldout):
    pose = heldout[::40]
    assert geodesic_angle(xp, prior.decode(prior.encode(pose)), pose).max() < 1e-3
    assert (prior.decode(prior.encode(pose)) - pose).abs().max() < 1e-4


def test_log_prob_equals_the_autograd_jacobian(prior):
    double = prior.to(dtype=torch.float64)
    x = double.flow.to_pose(codes(double, 3))
    for row in x:
        jacobian = torch.autograd.functional.jacobian(
            lambda v: double.flow.to_latent(v[None])[0], row
        )
        z = double.flow.to_latent(row[None])
        want = (
            -0.5 * (z**2).sum()
            - 0.5 * double.dim * np.log(2 * np.pi)
            + torch.linalg.slogdet(jacobian)[1]
        )
        assert abs(double.flow.log_prob(row[None]) - want).item() < 1e-6


def test_light_holds_exactly_95914_parameters(light):
    assert sum(p.numel() for p in light.flow.parameters()) == 95_914


def test_prelu_slopes_are_positive_and_bent():
    slopes = torch.cat([s.slope for s in load_prior("light").flow.steps])
    assert (slopes > 0).all()
    assert (slopes - 1).abs().max() > 0.05, "the shipped light flow is not a linear map"


def test_numpy_equals_torch(prior, heldout):
    arrays = load_prior_arrays(prior.name)
    z, pose = codes(prior), heldout[::60]
    assert np.abs(arrays.decode(z.numpy()) - prior.decode(z).numpy()).max() < 1e-5
    double = prior.to(dtype=torch.float64)
    assert np.allclose(arrays.encode(pose.numpy()), double.encode(pose).numpy(), atol=1e-5)
    assert np.abs(arrays.decode(arrays.encode(pose.numpy())) - pose.numpy()).max() < 1e-4
    exact = double.log_prob(pose.double()).numpy()
    assert np.allclose(arrays.log_prob(pose.double().numpy()), exact, rtol=1e-6)


def test_rows_pulled_back_equal_autograd(prior):
    double = prior.to(dtype=torch.float64)
    flow, z = double.flow.core(), 0.7 * codes(double, 2)
    pose, trace = flow.decode(xp, z)
    # with the parents at rest a turn in the world is a local one
    world = torch.cat((torch.eye(3).double().expand(2, 1, 3, 3), pose), 1)
    generator = torch.Generator().manual_seed(1)
    rows = torch.randn(2, 5, 23, 3, generator=generator, dtype=torch.float64)
    kind = double.header.representation
    if kind == "axis_angle":
        world = torch.eye(3).double().expand(2, 24, 3, 3)
    pulled = flow.pull_back(xp, trace, world, rows)

    def turned(code):
        # local left perturbation: log(R(z') R(z)^T) to first order is the skew part
        delta = to_matrix(xp, kind, flow.to_pose(xp, code)[0]) @ pose.detach().mT
        pairs = ((2, 1), (0, 2), (1, 0))
        w = [0.5 * (delta[..., i, j] - delta[..., j, i]) for i, j in pairs]
        return torch.einsum("bmjx,bjx->bm", rows, torch.stack(w, -1))

    jacobian = torch.autograd.functional.jacobian(turned, z)
    for i in range(2):
        assert (jacobian[i, :, i] - pulled[i]).abs().max() < 1e-6


@pytest.mark.parametrize("eps", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("slope", [0.4, 1.0, 2.5])
def test_a_kink_is_undone_and_its_slopes_are_those_of_autograd(eps, slope):
    kink = Kink(torch.tensor([slope], dtype=torch.float64), eps)
    h = torch.linspace(-3, 3, 40, dtype=torch.float64)[None].requires_grad_()
    u, trace = kink.to_pose(xp, h)
    slopes, _ = trace
    (exact,) = torch.autograd.grad(u.sum(), h, retain_graph=True)
    torch.testing.assert_close(slopes, exact)
    again, logdet = kink.to_latent(xp, u)
    torch.testing.assert_close(again, h)
    torch.testing.assert_close(logdet, -slopes.log().sum(-1))


def test_the_volume_is_the_inverse_of_the_density_s_and_its_gradient_that_of_autograd(prior):
    double = prior.to(dtype=torch.float64)
    z = codes(double, 4).requires_grad_()
    decoder = load_prior_arrays(prior.name).decoder(Backend(xp, torch.float64, "cpu"))
    x, traces = decoder.to_pose(xp, z)
    value, gradient = decoder.volume(xp, (x, None, traces))
    (exact,) = torch.autograd.grad(value.sum() + 0 * z.sum(), z)
    torch.testing.assert_close(gradient, exact)
    _, logdet = decoder.to_latent(xp, x)
    assert (value + logdet).std() < 1e-6, "up to a constant"


def test_codes_of_different_flows_are_told_apart():
    marks = {load_prior_arrays(n).checksum for n in ("light", "light-aa", "light-rotmat")}
    assert len(marks) == 3
    assert (
        load_prior("light").id == load_prior_arrays("light").id == ("light", load_prior().checksum)
    )


def test_samples_are_rotations_and_follow_the_seed(prior):
    a, b, c = prior.sample(5, seed=3), prior.sample(5, seed=3), prior.sample(5, seed=4)
    assert torch.equal(a, b) and not torch.equal(a, c)
    assert a.shape == (5, 23, 3, 3)
    assert torch.allclose(torch.linalg.det(a), torch.ones(5, 23), atol=1e-4)


def test_axes_are_orthonormal_and_ordered(prior):
    eye = torch.eye(prior.dim)
    assert (prior.axes @ prior.axes.T - eye).abs().max() < 1e-4
    assert (prior.axis_shares[:-1] >= prior.axis_shares[1:] - 1e-7).all()
    assert abs(float(prior.axis_shares.sum()) - 1) < 1e-4


@pytest.mark.parametrize(
    "pose",
    [
        torch.zeros(1, 22, 3),
        torch.full((1, 23, 3), float("nan")),
        2 * torch.eye(3).expand(1, 23, 3, 3),
        -torch.eye(3).expand(1, 23, 3, 3),
    ],
)
def test_bad_poses_are_typed_errors(light, pose):
    with pytest.raises(InvalidInputError):
        light.encode(pose)


@pytest.mark.parametrize(
    "z", [torch.zeros(1, 137), torch.zeros(138), torch.full((1, 138), float("inf"))]
)
def test_bad_codes_are_typed_errors(light, z):
    with pytest.raises(InvalidInputError):
        light.decode(z)


def test_damaged_and_future_checkpoints_are_typed_errors(tmp_path, light):
    from kinflow.priors.arrays import ASSETS

    raw = (ASSETS / "prior-light.safetensors").read_bytes()
    for name, data in {
        "short": raw[:5],
        "cut": raw[:-100],
        "header": b"\xff" * 8 + raw[8:],
        "json": raw[:8] + b"{" + raw[9:9],
        "future": raw.replace(b'"format_version":"1"', b'"format_version":"9"'),
        "kind": raw.replace(b'"prior"', b'"other"'),
    }.items():
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(data)
        with pytest.raises(AssetError):
            load_prior(path)
    with pytest.raises(AssetError, match="no prior"):
        load_prior(tmp_path / "none.safetensors")


def test_files_are_read_by_the_safetensors_package_too():
    safetensors = pytest.importorskip("safetensors.numpy")
    from kinflow.priors.arrays import ASSETS
    from kinflow.tensorfile import read_tensors

    ours, _ = read_tensors(ASSETS / "prior-light.safetensors")
    theirs = safetensors.load_file(ASSETS / "prior-light.safetensors")
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[k], theirs[k]) for k in ours)


def test_captured_poses_are_likelier_than_noise(light, heldout):
    lifted = to_vector(xp, "6d", heldout[::30])
    generator = torch.Generator().manual_seed(0)
    lifted = lifted + light.header.lift_sigma * torch.randn(lifted.shape, generator=generator)
    turns = torch.randn(len(lifted), 23, 3, generator=generator)
    random = to_vector(xp, "6d", axis_angle_to_matrix(xp, turns))
    assert light.flow.log_prob(lifted).mean() > light.flow.log_prob(random).mean() + 100

import time

import numpy as np
import pytest
import torch

from kinflow import load_prior
from kinflow.errors import AssetError, InvalidInputError
from kinflow.priors.numpy_flow import load_numpy_prior
from kinflow.priors.pullback import forward_with_trace, pull_back, rotation_rows_to_vector
from kinflow.priors.representations import lift
from kinflow.rotations import axis_angle_to_matrix, geodesic_angle


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
    assert geodesic_angle(prior.decode(prior.encode(pose)), pose).max() < 1e-3
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


def test_numpy_flow_equals_torch(prior, heldout):
    twin = load_numpy_prior(prior.name)
    z = codes(prior)
    assert np.abs(twin.decode(z.numpy()) - prior.decode(z).numpy()).max() < 1e-5
    pose = heldout[::60]
    assert np.allclose(
        twin.encode(pose.numpy()),
        prior.to(dtype=torch.float64).encode(pose.double()).numpy(),
        atol=1e-5,
    )
    assert np.abs(twin.decode(twin.encode(pose.numpy())) - pose.numpy()).max() < 1e-4


def test_rows_pulled_back_equal_autograd(prior):
    double = prior.to(dtype=torch.float64)
    z = 0.7 * codes(double, 2)
    x, trace = forward_with_trace(double.flow, z)
    rotations = double.representation.to_matrix(x)
    rows = torch.randn(2, 5, 23, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    got = pull_back(
        double.flow, trace, rotation_rows_to_vector(double.representation, x, rotations, rows)
    )

    def turned(code):
        # local left perturbation: log(R(z') R(z)^T) to first order is the skew part
        new = double.representation.to_matrix(double.flow.to_pose(code))
        delta = new @ rotations.transpose(-1, -2)
        w = 0.5 * torch.stack(
            (
                delta[..., 2, 1] - delta[..., 1, 2],
                delta[..., 0, 2] - delta[..., 2, 0],
                delta[..., 1, 0] - delta[..., 0, 1],
            ),
            -1,
        )
        return torch.einsum("bmjx,bjx->bm", rows, w)

    jacobian = torch.autograd.functional.jacobian(turned, z)
    for i in range(2):
        assert (jacobian[i, :, i] - got[i]).abs().max() < 1e-6


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
    from kinflow.priors.prior import ASSETS

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
    from kinflow.priors.prior import ASSETS
    from kinflow.tensorfile import read_tensors

    ours, _ = read_tensors(ASSETS / "prior-light.safetensors")
    theirs = safetensors.load_file(ASSETS / "prior-light.safetensors")
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[k], theirs[k]) for k in ours)


def test_lifted_heldout_poses_are_likelier_than_noise(light, heldout):
    x = lift(
        light.representation.to_vector(heldout[::30]),
        light.header.lift_sigma,
        torch.Generator().manual_seed(0),
    )
    random = light.representation.to_vector(
        axis_angle_to_matrix(torch.randn(len(x), 23, 3, generator=torch.Generator().manual_seed(1)))
    )
    assert light.flow.log_prob(x).mean() > light.flow.log_prob(random).mean() + 100


def test_numpy_decode_of_one_code_is_interactive():
    """No wall time is asserted: only that decoding one code does not cost more than a hundred plain products."""
    twin = load_numpy_prior("light")
    z = np.zeros((1, twin.dim), np.float32)
    matrix = np.zeros((twin.dim, twin.dim), np.float32)

    def best(call):
        times = []
        for _ in range(30):
            started = time.perf_counter()
            call()
            times.append(time.perf_counter() - started)
        return min(times)

    assert best(lambda: twin.decode(z)) < 100 * best(lambda: z @ matrix)

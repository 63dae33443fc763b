"""Hand-written likelihood gradients of the flows, in the density direction.

Training runs x -> z with the inverse matrices V = W^-1 as parameters, so that a step needs no
solve: only V^-1 for d log|det V| / dV = V^-T. Everything lives in one flat vector, updated by one
fused Adam call. Tested against autograd through `core.flow`.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from ..core.flow import NUM_DENSE, SCALE_BOUND
from ..priors.storage import HIDDEN

BOUNDARY_WIDTH = 0.1


class DensityNet:
    """Parameters of a flow in the density direction, as views into `flat` (P,).

    Their gradients are views into `grad` (P,).
    """

    def __init__(self, architecture: str, dim: int, device: torch.device | str = "cpu") -> None:
        self.architecture, self.dim = architecture, dim
        shapes = _shapes(architecture, dim)
        count = sum(torch.Size(shape).numel() for shape in shapes.values())
        self.flat = torch.zeros(count, device=device)
        self.grad = torch.zeros(count, device=device)
        self._inverse: Tensor | None = None
        self.p: dict[str, Tensor] = {}
        self.g: dict[str, Tensor] = {}
        offset = 0
        for name, shape in shapes.items():
            size = torch.Size(shape).numel()
            self.p[name] = self.flat[offset : offset + size].view(shape)
            self.g[name] = self.grad[offset : offset + size].view(shape)
            offset += size

    def renew_inverse(self) -> None:
        """Inverts V exactly and keeps it, for `inverse_by_newton` to follow from."""
        if self._inverse is None:
            self._inverse = torch.empty_like(self.p["V"])
        self._inverse.copy_(torch.linalg.inv(self.p["V"].double()))

    def inverse_by_newton(self, rounds: int = 2) -> Tensor:
        """V^-1 from the last step's by Newton-Schulz, X <- X (2 I - V X).

        By products alone, so that a GPU can capture it.
        """
        assert self._inverse is not None
        for _ in range(rounds):
            correction = torch.baddbmm(
                self._inverse, self._inverse, self.p["V"] @ self._inverse, beta=2, alpha=-1
            )
            self._inverse.copy_(correction)
        return self._inverse

    @torch.no_grad()
    def loss_and_grad(self, x: Tensor, newton: bool = False) -> Tensor:
        """Mean negative log-likelihood less D/2 log(2 pi); fills `grad`. x (B, D) -> ().

        newton: follow the inverse by products instead of solving, and leave log|det V| out of the
        returned value (not out of the gradient), so that no step waits for the host.
        """
        p, g = self.p, self.g
        batch = len(x)
        inverse = self.inverse_by_newton() if newton else torch.linalg.inv_ex(p["V"])[0]
        inputs, states = [x], []
        h = torch.addmm(p["c"][0], x, p["V"][0].T)
        logdet = x.new_zeros(()) if newton else torch.linalg.slogdet(p["V"])[1].sum()
        extra = x.new_zeros(())
        for i in range(NUM_DENSE - 1):
            h, state, contribution = self._step(i, h)
            states.append(state)
            extra = extra + contribution
            inputs.append(h)
            h = torch.addmm(p["c"][i + 1], h, p["V"][i + 1].T)
        loss = 0.5 * (h * h).sum() / batch - logdet - extra / batch
        upstream = h / batch
        for i in range(NUM_DENSE - 1, -1, -1):
            torch.mm(upstream.T, inputs[i], out=g["V"][i])
            torch.sum(upstream, 0, out=g["c"][i])
            if i:
                upstream = self._step_backward(i - 1, upstream @ p["V"][i], states[i - 1], batch)
        g["V"].sub_(inverse.transpose(-1, -2))
        return loss

    def _step(self, i: int, h: Tensor) -> tuple[Tensor, tuple, Tensor]:
        p = self.p
        if self.architecture == "light":
            slope = p["log_slope"][i].exp()
            negative = h < 0
            bent = torch.where(negative, h * slope, h)
            return bent, (h, negative, slope), negative.sum() * p["log_slope"][i]
        a, b = _halves(h, self._first_half(i))
        inputs = a.expand(2, *a.shape)
        hidden0 = torch.baddbmm(p["b0"][i], inputs, p["w0"][i].mT).tanh_()
        hidden1 = torch.baddbmm(p["b1"][i], hidden0, p["w1"][i].mT).tanh_()
        raw, shift = torch.baddbmm(p["b2"][i], hidden1, p["w2"][i].mT)
        scale = SCALE_BOUND * (raw / SCALE_BOUND).tanh()
        gain = (-scale).exp()
        out = (b - shift) * gain
        state = (a, hidden0, hidden1, scale, gain, out)
        return self._joined(a, out, i), state, -scale.sum()

    def _step_backward(self, i: int, upstream: Tensor, state: tuple, batch: int) -> Tensor:
        if self.architecture == "light":
            return self._kink_backward(i, upstream, state, batch)
        return self._coupling_backward(i, upstream, state, batch)

    def _kink_backward(self, i: int, upstream: Tensor, state: tuple, batch: int) -> Tensor:
        log_slope = self.p["log_slope"][i]
        h, negative, slope = state
        bent = (upstream * h * slope).masked_fill(~negative, 0).sum()
        self.g["log_slope"][i] = bent - negative.sum() / batch
        # The density of a PReLU flow jumps at the kink: log s * 1[h < 0] has no gradient in h
        # almost everywhere, yet moving the kink through the data changes the mean likelihood by
        # log s * p(h = 0). Without this boundary term the gradient is biased and training falls
        # back to a linear map. A kernel estimates it.
        below = (h * (-1 / BOUNDARY_WIDTH)).sigmoid()
        boundary = below * (1 - below) * (log_slope / (BOUNDARY_WIDTH * batch))
        return torch.where(negative, upstream * slope, upstream) + boundary

    def _coupling_backward(self, i: int, upstream: Tensor, state: tuple, batch: int) -> Tensor:
        p, g = self.p, self.g
        a, hidden0, hidden1, scale, gain, out = state
        grad_a, grad_out = _halves(upstream, self._first_half(i))
        grad_b = grad_out * gain
        grad_scale = 1 / batch - grad_out * out
        grad_raw = grad_scale * (1 - (scale / SCALE_BOUND) ** 2)
        grad2 = torch.stack((grad_raw, -grad_b))
        torch.bmm(grad2.mT, hidden1, out=g["w2"][i])
        torch.sum(grad2, 1, keepdim=True, out=g["b2"][i])
        grad1 = (grad2 @ p["w2"][i]) * (1 - hidden1 * hidden1)
        torch.bmm(grad1.mT, hidden0, out=g["w1"][i])
        torch.sum(grad1, 1, keepdim=True, out=g["b1"][i])
        grad0 = (grad1 @ p["w1"][i]) * (1 - hidden0 * hidden0)
        torch.bmm(grad0.mT, a.expand(2, *a.shape), out=g["w0"][i])
        torch.sum(grad0, 1, keepdim=True, out=g["b0"][i])
        return self._joined(grad_a + (grad0 @ p["w0"][i]).sum(0), grad_b, i)

    def _joined(self, a: Tensor, b: Tensor, i: int) -> Tensor:
        return torch.cat((a, b) if self._first_half(i) else (b, a), -1)

    @staticmethod
    def _first_half(i: int) -> bool:
        # step i of the density direction is step NUM_DENSE - 2 - i of the stored flow
        return (NUM_DENSE - 2 - i) % 2 == 0

    @staticmethod
    @torch.no_grad()
    def of_light(tensors: dict[str, Tensor]) -> DensityNet:
        """The density direction of a `light` flow's arrays."""
        net, last = DensityNet("light", len(tensors["dense.0.bias"])), NUM_DENSE - 1
        for i in range(NUM_DENSE):
            inverse = torch.linalg.inv(tensors[f"dense.{last - i}.weight"].double())
            net.p["V"][i] = inverse
            net.p["c"][i] = -inverse @ tensors[f"dense.{last - i}.bias"].double()
        for i in range(last):
            net.p["log_slope"][i] = -tensors[f"steps.{last - 1 - i}.slope"].log()[0]
        return net

    def stored(self, p: dict[str, Tensor]) -> dict[str, Tensor]:
        """Parameters -> the same map from latent to pose, under a checkpoint's names.

        Differentiable.
        """
        weights = torch.linalg.inv(p["V"]).flip(0)
        biases = -(weights @ p["c"].flip(0)[..., None])[..., 0]
        result = {f"dense.{i}.weight": weights[i] for i in range(NUM_DENSE)}
        result |= {f"dense.{i}.bias": biases[i] for i in range(NUM_DENSE)}
        for i in range(NUM_DENSE - 1):
            k = NUM_DENSE - 2 - i
            if self.architecture == "light":
                result[f"steps.{i}.slope"] = (-p["log_slope"][k]).exp()[None]
                continue
            for layer in range(3):
                for index, net in enumerate(("scale", "shift")):
                    place = f"steps.{i}.{net}"
                    result[f"{place}_weight{layer}"] = p[f"w{layer}"][k, index]
                    result[f"{place}_bias{layer}"] = p[f"b{layer}"][k, index, 0]
        return result

    @torch.no_grad()
    def tensors(self) -> dict[str, Tensor]:
        """The map from latent to pose under a checkpoint's names, float32 on the CPU."""
        precise = {name: view.double().cpu() for name, view in self.p.items()}
        return {name: tensor.float() for name, tensor in self.stored(precise).items()}


def _shapes(architecture: str, dim: int) -> dict[str, tuple[int, ...]]:
    """Of the parameters, by name."""
    shapes: dict[str, tuple[int, ...]] = {"V": (NUM_DENSE, dim, dim), "c": (NUM_DENSE, dim)}
    if architecture == "light":
        return shapes | {"log_slope": (NUM_DENSE - 1,)}
    sizes = (dim // 2, HIDDEN, HIDDEN, dim // 2)
    for layer, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes)):
        # index 0 of the second axis is the scale network, 1 the shift network
        shapes[f"w{layer}"] = (NUM_DENSE - 1, 2, fan_out, fan_in)
        shapes[f"b{layer}"] = (NUM_DENSE - 1, 2, 1, fan_out)
    return shapes


def _halves(h: Tensor, first_half: bool) -> tuple[Tensor, Tensor]:
    """The half that stays, the half that changes."""
    first, second = h.chunk(2, -1)
    return (first, second) if first_half else (second, first)

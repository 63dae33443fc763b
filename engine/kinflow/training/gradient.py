"""Hand-written likelihood gradients of the flows, in the density direction.

Training runs x -> z with the inverse matrices V = W^-1 as parameters, so that a step needs no solve: only
V^-1 for d log|det V| / dV = V^-T. Everything lives in one flat vector, updated by one fused Adam call.
Tested against autograd through `flows.architectures`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..priors import layers
from ..priors.architectures import HIDDEN, NUM_DENSE, Flow

BOUNDARY_WIDTH = 0.1


class DensityNet:
    """Parameters of a flow in the density direction, as views into `flat` (P,), with gradients in `grad` (P,)."""

    def __init__(self, architecture: str, dim: int, device: torch.device | str = "cpu") -> None:
        self.architecture, self.dim = architecture, dim
        shapes: list[tuple[str, tuple[int, ...]]] = [
            ("V", (NUM_DENSE, dim, dim)),
            ("c", (NUM_DENSE, dim)),
        ]
        if architecture == "light":
            shapes.append(("log_slope", (NUM_DENSE - 1,)))
        else:
            half = dim // 2
            sizes = (half, HIDDEN, HIDDEN, half)
            for layer in range(3):
                # index 0 of the second axis is the scale network, 1 the shift network
                shapes.append((f"w{layer}", (NUM_DENSE - 1, 2, sizes[layer + 1], sizes[layer])))
                shapes.append((f"b{layer}", (NUM_DENSE - 1, 2, 1, sizes[layer + 1])))
        count = sum(int(torch.Size(shape).numel()) for _, shape in shapes)
        self.flat = torch.zeros(count, device=device)
        self.grad = torch.zeros(count, device=device)
        self._inverse: Tensor | None = None
        self.p: dict[str, Tensor] = {}
        self.g: dict[str, Tensor] = {}
        offset = 0
        for name, shape in shapes:
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
        """V^-1 from the last step's by Newton-Schulz, X <- X (2 I - V X): products alone, so that a GPU can capture it."""
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

        newton: follow the inverse by products instead of solving, and leave log|det V| out of the returned value (not
        out of the gradient), so that no step waits for the host.
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
            return (
                torch.where(negative, h * slope, h),
                (h, negative, slope),
                negative.sum() * p["log_slope"][i],
            )
        first_half = self._first_half(i)
        a, b = layers.split_halves(h, first_half)
        hidden0 = torch.baddbmm(
            p["b0"][i], a.expand(2, *a.shape), p["w0"][i].transpose(-1, -2)
        ).tanh_()
        hidden1 = torch.baddbmm(p["b1"][i], hidden0, p["w1"][i].transpose(-1, -2)).tanh_()
        raw, shift = torch.baddbmm(p["b2"][i], hidden1, p["w2"][i].transpose(-1, -2))
        scale = layers.bound_scale(raw)
        gain = (-scale).exp()
        out = (b - shift) * gain
        return (
            layers.join_halves(a, out, first_half),
            (a, hidden0, hidden1, scale, gain, out),
            -scale.sum(),
        )

    def _step_backward(self, i: int, upstream: Tensor, state: tuple, batch: int) -> Tensor:
        p, g = self.p, self.g
        if self.architecture == "light":
            h, negative, slope = state
            g["log_slope"][i] = (
                (upstream * h * slope).masked_fill(~negative, 0)
            ).sum() - negative.sum() / batch
            # The density of a PReLU flow jumps at the kink: log s * 1[h < 0] has no gradient in h almost everywhere,
            # yet moving the kink through the data changes the mean likelihood by log s * p(h = 0). Without this
            # boundary term the gradient is biased and training falls back to a linear map. A kernel estimates it.
            below = (h * (-1 / BOUNDARY_WIDTH)).sigmoid()
            boundary = below * (1 - below) * (p["log_slope"][i] / (BOUNDARY_WIDTH * batch))
            return torch.where(negative, upstream * slope, upstream) + boundary
        a, hidden0, hidden1, scale, gain, out = state
        first_half = self._first_half(i)
        grad_a, grad_out = layers.split_halves(upstream, first_half)
        grad_b = grad_out * gain
        grad_scale = 1 / batch - grad_out * out
        grad_raw = grad_scale * (1 - (scale / layers.SCALE_BOUND) ** 2)
        grad2 = torch.stack((grad_raw, -grad_b))
        torch.bmm(grad2.transpose(-1, -2), hidden1, out=g["w2"][i])
        torch.sum(grad2, 1, keepdim=True, out=g["b2"][i])
        grad1 = (grad2 @ p["w2"][i]) * (1 - hidden1 * hidden1)
        torch.bmm(grad1.transpose(-1, -2), hidden0, out=g["w1"][i])
        torch.sum(grad1, 1, keepdim=True, out=g["b1"][i])
        grad0 = (grad1 @ p["w1"][i]) * (1 - hidden0 * hidden0)
        torch.bmm(grad0.transpose(-1, -2), a.expand(2, *a.shape), out=g["w0"][i])
        torch.sum(grad0, 1, keepdim=True, out=g["b0"][i])
        return layers.join_halves(grad_a + (grad0 @ p["w0"][i]).sum(0), grad_b, first_half)

    @staticmethod
    def _first_half(i: int) -> bool:
        # step i of the density direction is step NUM_DENSE - 2 - i of the stored flow
        return (NUM_DENSE - 2 - i) % 2 == 0

    @classmethod
    @torch.no_grad()
    def from_flow(cls, flow: Flow) -> DensityNet:
        """The density direction of a stored `light` flow."""
        net, last = cls(flow.architecture, flow.dim), NUM_DENSE - 1
        for i in range(NUM_DENSE):
            inverse = torch.linalg.inv(flow.dense[last - i].weight.double())
            net.p["V"][i] = inverse
            net.p["c"][i] = -inverse @ flow.dense[last - i].bias.double()
        for i in range(last):
            net.p["log_slope"][i] = -flow.steps[last - 1 - i].slope.log()[0]
        return net

    @torch.no_grad()
    def to_flow(self) -> Flow:
        """The same map stored from latent to pose (float32, on the CPU)."""
        flow = Flow(self.architecture, self.dim).double()
        last = NUM_DENSE - 1
        for i in range(NUM_DENSE):
            weight = torch.linalg.inv(self.p["V"][i].double().cpu())
            flow.dense[last - i].weight.copy_(weight)
            flow.dense[last - i].bias.copy_(-weight @ self.p["c"][i].double().cpu())
        for i in range(last):
            step = flow.steps[last - 1 - i]
            if self.architecture == "light":
                step.slope.copy_((-self.p["log_slope"][i]).exp().double().cpu())
                continue
            for layer in range(3):
                for index, net in enumerate(("scale", "shift")):
                    getattr(step, f"{net}_weight{layer}").copy_(self.p[f"w{layer}"][i, index].cpu())
                    getattr(step, f"{net}_bias{layer}").copy_(
                        self.p[f"b{layer}"][i, index, 0].cpu()
                    )
        return flow.float()

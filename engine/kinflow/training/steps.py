"""Training steps of a prior in chunks, captured as a CUDA graph where there is a GPU."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from .data import Pool
from .gradient import DensityNet
from .schedule import warm_cosine

CHUNK = 500


@dataclass(frozen=True)
class Recipe:
    """batch, Adam's lr, total steps, and how lr falls."""

    batch: int
    lr: float
    steps: int
    schedule: Literal["exponential", "cosine"]
    clip_norm: float | None = None

    def lr_at(self, step: int) -> float:
        """Adam's step size."""
        if self.schedule == "exponential":
            return self.lr * math.pow(0.99, step // 10_000)
        return self.lr * warm_cosine(step, self.steps, 300)


class Chunk:
    """CHUNK training steps with all their data drawn before.

    A step then touches tensors on the device alone. On a GPU one step is captured as a CUDA graph
    and replayed; elsewhere the same step is called.
    """

    def __init__(self, net: DensityNet, pool: Pool, sigma: float, recipe: Recipe) -> None:
        self.net, self.sigma, self.recipe = net, sigma, recipe
        device = net.flat.device
        self.vectors, self.weights = pool.vectors.to(device), pool.weights.to(device)
        self.parameter = torch.nn.Parameter(net.flat)
        self.parameter.grad = net.grad
        on_gpu = device.type == "cuda"
        rate = torch.tensor(recipe.lr, device=device) if on_gpu else recipe.lr
        self.optimiser = torch.optim.Adam([self.parameter], lr=rate, fused=True, capturable=on_gpu)
        self.rows = torch.zeros(CHUNK, recipe.batch, dtype=torch.long, device=device)
        self.noise = torch.zeros(CHUNK, recipe.batch, net.dim, device=device)
        self.rates = torch.zeros(CHUNK, device=device)
        self.losses = torch.zeros(CHUNK, device=device)
        self.index = torch.zeros(1, dtype=torch.long, device=device)
        self.graph: torch.cuda.CUDAGraph | None = None

    def run(self, step: int, count: int, seed: int) -> Tensor:
        """Runs `count` steps and returns their losses (count,)."""
        generator = torch.Generator(self.rows.device).manual_seed(seed)
        size = self.rows.numel()
        rows = torch.multinomial(self.weights, size, True, generator=generator)
        self.rows.copy_(rows.view_as(self.rows))
        self.noise.normal_(generator=generator)
        self.rates.copy_(torch.tensor([self.recipe.lr_at(step + k) for k in range(CHUNK)]))
        if self.rows.is_cuda:
            self._run_captured(count)
        else:
            for k in range(count):
                self.optimiser.param_groups[0]["lr"] = self.recipe.lr_at(step + k)
                x = self.vectors[self.rows[k]] + self.sigma * self.noise[k]
                self.losses[k] = self._step(x, newton=False)
        return self.losses[:count].clone()

    def _step(self, x: Tensor, newton: bool) -> Tensor:
        loss = self.net.loss_and_grad(x, newton)
        if self.recipe.clip_norm:
            norm = self.net.grad.norm()
            self.net.grad.mul_((self.recipe.clip_norm / (norm + 1e-6)).clamp(max=1.0))
        self.optimiser.step()
        return loss

    def _captured_step(self) -> None:
        self.optimiser.param_groups[0]["lr"].copy_(self.rates.index_select(0, self.index)[0])
        rows = self.rows.index_select(0, self.index)[0]
        noise = self.noise.index_select(0, self.index)[0]
        x = self.vectors.index_select(0, rows) + self.sigma * noise
        self.losses.index_copy_(0, self.index, self._step(x, newton=True)[None])
        self.index.add_(1)

    def _run_captured(self, count: int) -> None:
        # exact inverse at the start of every chunk, followed by products from there; log|det V| is
        # added to the losses
        self.net.renew_inverse()
        self.index.zero_()
        left = count
        if self.graph is None:
            warm_up = min(3, count)  # its steps are real steps
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(warm_up):
                    self._captured_step()
            torch.cuda.current_stream().wait_stream(stream)
            left -= warm_up
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self._captured_step()
        for _ in range(left):
            self.graph.replay()
        self.losses[:count] -= torch.linalg.slogdet(self.net.p["V"])[1].sum()

"""What the trainings share: how the step size falls, one step of Adam, and a smoothed loss."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


def warm_cosine(step: int, steps: int, warm: int) -> float:
    """Share of the step size: rises over `warm` steps, falls to zero over all along a cosine."""
    return min(1.0, (step + 1) / warm) * 0.5 * (1 + math.cos(math.pi * step / steps))


def descend(net: torch.nn.Module, optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    """One step down a loss, its gradient clipped to a norm of 5."""
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
    optimiser.step()


@dataclass
class RunningMean:
    """Exponential mean of the losses; `share`: what a new one weighs."""

    share: float
    value: float | None = None

    def add(self, loss: Tensor) -> None:
        """Takes a loss () in."""
        last = float(loss.detach())
        self.value = last if self.value is None else self.value + self.share * (last - self.value)

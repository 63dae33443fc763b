"""One person through a clip: frame by frame first, then all frames together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from ...bodies.files import load_body
from ...bodies.keypoints import keypoint_regressor
from ...bodies.model import Body
from ...devices import pick_device
from ...errors import InvalidInputError
from ...priors.prior import Prior, load_prior
from ...records import Camera, FitResult, Observation
from ...rotations import axis_angle_to_matrix
from ..fit import FitConfig, fit
from ..problem import Problem, State
from ..residuals.parts import part_field
from ..results import build_result
from ..setup import assumed_camera, base_problem
from ..solver import Solution
from .path import best_path
from .smoothness import SmoothWeights
from .solver import Window, solve_window

FITTED = ("converged", "max_iterations")


@dataclass(frozen=True)
class SequenceConfig:
    """How `fit_sequence` works. window: frames solved together; overlap: of each window with the one before."""

    smooth: SmoothWeights = field(default_factory=SmoothWeights)
    window: int = 120
    overlap: int = 10
    iterations: int = 20
    frame: FitConfig = field(default_factory=FitConfig)


def fit_sequence(
    observations: Sequence[Observation],
    *,
    frames: Sequence[int] | None = None,
    body: Body | None = None,
    prior: Prior | str | None = None,
    camera: Camera | None = None,
    losses: Sequence[str] = ("ka", "ba"),
    device: str = "auto",
    seed: int = 0,
    progress: Callable[[float, str], bool | None] | None = None,
    config: SequenceConfig | None = None,
) -> list[FitResult]:
    """Fits one person seen in successive frames: one shape, one camera, a smooth motion. Results in the same order.

    frames: the number of each observation's frame, rising; without, one after another. camera: of all frames; without, the
    first observation's. Each frame is fitted by itself, the chain of hypotheses that moves least is chosen, and the frames
    are solved jointly in windows. Frames that cannot be fitted keep their status. Raises InvalidInputError for wrong
    arguments, CancelledError where progress returns False.
    """
    people = list(observations)
    config = config or SequenceConfig()
    numbers = list(range(len(people))) if frames is None else [int(f) for f in frames]
    if len(numbers) != len(people) or any(
        b <= a for a, b in zip(numbers, numbers[1:], strict=False)
    ):
        raise InvalidInputError(
            "A sequence needs one frame number an observation, rising.",
            "Give frames=[0, 1, 2, ...].",
        )
    if len({p.keypoint_set for p in people}) > 1:
        raise InvalidInputError(
            "The frames of a sequence have different keypoint sets.", "Use one detector for a clip."
        )
    if not people:
        return []
    torch_device = pick_device(device)
    body = (body or load_body()).to(torch_device)
    prior = (load_prior(prior or "light") if prior is None or isinstance(prior, str) else prior).to(
        torch_device
    )
    lens = camera or people[0].camera or assumed_camera(people[0])
    tell = progress or (lambda share, text: None)
    single = fit(
        people,
        body=body,
        prior=prior,
        camera=lens,
        losses=losses,
        device=device,
        seed=seed,
        config=config.frame,
        progress=lambda share, text: tell(0.5 * share, text),
    )
    good = [i for i, r in enumerate(single) if r.status in FITTED]
    if len(good) < 3:
        return single
    times = [numbers[i] for i in good]
    path = best_path(
        [np.stack([h.joints for h in single[i].hypotheses]) for i in good],
        [np.array([h.energy for h in single[i].hypotheses]) for i in good],
        np.diff(times).tolist(),
    )
    chosen = [single[i].hypotheses[k] for i, k in zip(good, path, strict=True)]

    def stack(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(h, name) for h in chosen])).to(body.v_template)

    state = State(
        stack("z"), axis_angle_to_matrix(stack("global_orient")), stack("betas"), stack("transl")
    )
    problem = _problem(
        [people[i] for i in good], lens, body, prior, state, config.frame, "ba" in losses, seed
    )
    state, energy = _in_windows(
        problem,
        state,
        torch.tensor(times, dtype=torch.float64, device=torch_device),
        config,
        lambda share, text: tell(0.5 + 0.5 * share, text),
    )
    solution = Solution(
        state,
        energy,
        torch.ones(len(good), dtype=torch.bool, device=torch_device),
        config.iterations,
    )
    regressor = keypoint_regressor(body, people[0].keypoint_set)
    results = list(single)
    for row, i in enumerate(good):
        results[i] = replace(
            build_result(
                problem.pick(torch.arange(len(good))),
                solution,
                [row],
                people[i],
                lens,
                regressor,
                row,
            ),
            timings=single[i].timings,
        )
    return results


def _problem(
    people: list[Observation],
    lens: Camera,
    body: Body,
    prior: Prior,
    state: State,
    config: FitConfig,
    use_parts: bool,
    seed: int,
) -> Problem:
    """One row a frame; the keypoints' scale as in a single fit, from the clip's median depth."""
    base = base_problem(people, [lens] * len(people), body, prior, config.weights, config.hints)
    depth = state.transl[:, 2].clamp_min(0.3)
    focal = base.focal.mean(-1)
    base = replace(base, scale=(config.weights.keypoint_metres * focal / depth.median())[:, None])
    parts = part_field(people, body, focal / depth, seed) if use_parts else None
    return base if parts is None else replace(base, parts=parts)


def _in_windows(
    problem: Problem,
    state: State,
    times: Tensor,
    config: SequenceConfig,
    tell: Callable[[float, str], bool | None],
) -> tuple[State, Tensor]:
    """Window after window; the first finds the shape, later ones hold it and the last frames of the one before."""
    count = len(times)
    energies = torch.zeros(count, dtype=state.z.dtype, device=state.z.device)
    start = 0
    while True:
        end = min(count, start + config.window)
        rows = torch.arange(start, end, device=times.device)
        held = 0 if start == 0 else config.overlap
        if start and held:
            state = replace(state, betas=state.betas[:1].expand(count, -1))
        part = _part(tell, start / count, (end - start) / count)
        window = Window(times[rows], config.smooth, held, start > 0)
        solved, energy = solve_window(
            problem.pick(rows),
            state.pick(rows),
            window,
            config.iterations,
            part,
        )
        energies[rows] = energy
        state = State(
            *(
                _with_rows(getattr(state, name), rows, getattr(solved, name))
                for name in ("z", "root", "betas", "transl")
            )
        )
        if end == count:
            return replace(state, betas=solved.betas[:1].expand(count, -1)), energies
        start = end - config.overlap


def _part(
    tell: Callable[[float, str], bool | None], low: float, share: float
) -> Callable[[int, int], bool | None]:
    return lambda i, n: tell(low + share * i / n, "whole clip")


def _with_rows(target: Tensor, rows: Tensor, values: Tensor) -> Tensor:
    result = target.clone()
    result[rows] = values
    return result

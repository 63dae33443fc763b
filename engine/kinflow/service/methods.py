"""What the engine can do, as plain functions of decoded parameters."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import __version__
from ..bodies.files import load_body as read_body
from ..bodies.model import Body
from ..devices import pick_device
from ..errors import InvalidInputError
from ..fitting.fit import FitConfig, fit
from ..priors.prior import Prior
from ..priors.prior import load_prior as read_prior
from ..records import Camera, FitResult, Observation

Progress = Callable[[float, str], bool | None]
DEFAULT_PRIOR = "light"


@lru_cache(maxsize=4)
def _body(path: str | None) -> Body:
    return read_body(path)


@lru_cache(maxsize=4)
def _prior(name: str | None) -> Prior:
    return read_prior(name or DEFAULT_PRIOR)


def observe(
    progress: Progress,
    photo: Any,
    boxes: Any = None,
    device: str = "auto",
    fov_degrees: float | None = None,
    models: list[str] | None = None,
    parts: bool = False,
) -> list[Observation]:
    from ..perception import observe as find

    photos = photo if isinstance(photo, list) else [photo]
    found: list[Observation] = []
    for index, item in enumerate(photos):
        progress(index / len(photos), "looking for people")
        found += [
            replace(o, photo=index)
            for o in find(
                item,
                boxes=boxes,
                device=device,
                fov_degrees=fov_degrees,
                models=models or (),
                parts=parts,
            )
        ]
    return found


def fit_people(
    progress: Progress,
    observations: list[Observation],
    body: str | None = None,
    prior: str | None = None,
    camera: Camera | None = None,
    losses: list[str] | None = None,
    solver: str = "lm",
    starts: list | str | None = None,
    shared_betas: bool = False,
    device: str = "auto",
    seed: int = 0,
) -> list[FitResult]:
    if not isinstance(observations, list) or not all(
        isinstance(o, Observation) for o in observations
    ):
        raise InvalidInputError("fit needs a list of observations.")

    def call(people: list[Observation], given: list | str | None, where: str) -> list[FitResult]:
        return fit(
            people,
            body=_body(body),
            prior=_prior(prior),
            camera=camera,
            losses=losses or ("ka", "ba"),
            solver=solver,
            starts=given,
            shared_betas=shared_betas,
            device=where,
            seed=seed,
            progress=progress,
        )

    return fit_in_memory(call, observations, starts, device)


def fit_in_memory(
    call: Callable[[list[Observation], list | str | None, str], list[FitResult]],
    people: list[Observation],
    starts: list | str | None,
    device: str,
) -> list[FitResult]:
    """Fits in one batch; where the device runs out of memory in halves, and one person alone on the CPU.

    What was done instead is said in the results' message.
    """
    try:
        return call(people, starts, device)
    except torch.OutOfMemoryError:
        if len(people) == 1:
            results, told = (
                call(people, starts, "cpu"),
                "The device ran out of memory, so this was fitted on the CPU.",
            )
        else:
            half = len(people) // 2
            parts = [
                fit_in_memory(
                    call,
                    people[rows],
                    None if starts is None else starts if isinstance(starts, str) else starts[rows],
                    device,
                )
                for rows in (slice(0, half), slice(half, None))
            ]
            results, told = (
                parts[0] + parts[1],
                "The device ran out of memory, so fewer people were fitted at once.",
            )
        return [r if r.message else replace(r, message=told) for r in results]


def fit_sequence(
    progress: Progress,
    photos: list[str],
    prior: str | None = None,
    losses: list[str] | None = None,
    device: str = "auto",
    smooth: bool = False,
) -> list[FitResult | None]:
    """One shape for all photos (or frames of videos). -> a result a photo, None where nobody was found.

    smooth: they are frames of a clip; the person who is seen longest is tracked and fitted as one motion. Without, the
    clearest person of each photo is fitted by itself.
    """
    from ..batch.clip import fit_track, observe_clip
    from ..batch.sources import list_sources
    from ..batch.work import Settings
    from ..fitting.sequence import track

    sources = list_sources([Path(p) for p in photos])
    settings = Settings(
        prior=prior or DEFAULT_PRIOR,
        losses=tuple(losses or ("ka", "ba")),
        device=device,
        search="quick",
    )
    frames, _ = observe_clip(sources, settings, lambda share, text: progress(0.6 * share, text))
    results: list[FitResult | None] = [None] * len(sources)
    tell = lambda share, text: progress(0.6 + 0.4 * share, text)  # noqa: E731
    owners: list[int] = []
    fitted: list[FitResult] = []
    if smooth:
        if tracks := track(frames):
            owners, fitted = tracks[0].frames, fit_track(tracks[0], settings, tell)
    else:
        owners = [index for index, found in enumerate(frames) if found]
        if owners:
            fitted = fit_people(
                tell,
                [frames[i][0] for i in owners],
                prior=prior,
                losses=losses,
                shared_betas=True,
                device=device,
            )
    for index, result in zip(owners, fitted, strict=True):
        results[index] = result
    return results


def fit_folder(
    progress: Progress,
    inputs: list[str],
    out: str,
    prior: str | None = None,
    losses: list[str] | None = None,
    device: str = "auto",
    overlay: bool = True,
    restart: bool = False,
) -> dict[str, Any]:
    """`kinflow fit INPUTS --out OUT`. -> {"sources": [{"path", "stem", "frame"}], "people", "done", "failed"}."""
    from ..batch.sources import list_sources
    from ..batch.stream import run
    from ..batch.work import Settings

    sources = list_sources([Path(p) for p in inputs])
    settings = Settings(
        prior=prior or DEFAULT_PRIOR,
        losses=tuple(losses or ("ka", "ba")),
        device=device,
        overlay=overlay,
    )
    outcome = run(sources, Path(out), settings, restart=restart, progress=progress)
    named = [{"path": s.path, "stem": s.stem, "frame": s.frame} for s in sources]
    return {
        "sources": named,
        "people": outcome.people,
        "done": outcome.done,
        "failed": outcome.failed,
    }


def refit(
    progress: Progress,
    observation: Observation,
    last: FitResult,
    body: str | None = None,
    prior: str | None = None,
    device: str = "auto",
) -> FitResult:
    """A moved keypoint: a few steps from the last result, keypoints only, no other starts."""
    from ..fitting.refit import refit as continue_fit

    return continue_fit(
        observation,
        last,
        body=_body(body),
        prior=_prior(prior),
        device=pick_device(device),
        config=FitConfig(),
    )


def decode(progress: Progress, z: np.ndarray, prior: str | None = None, mesh: bool = False) -> Any:
    """Rotations (B, 23, 3, 3); with mesh, {"pose", "vertices", "joints"} of the default body."""
    pose = _prior(prior).decode(torch.from_numpy(z))
    if not mesh:
        return pose.numpy()
    vertices, joints = _body(None)(body_pose=pose)
    return {"pose": pose.numpy(), "vertices": vertices.numpy(), "joints": joints.numpy()}


def encode(progress: Progress, pose: np.ndarray, prior: str | None = None) -> np.ndarray:
    return _prior(prior).encode(torch.from_numpy(pose)).numpy()


def sample(
    progress: Progress,
    n: int,
    temperature: float = 1.0,
    seed: int | None = None,
    prior: str | None = None,
) -> np.ndarray:
    return _prior(prior).sample(n, temperature, seed).numpy()


def axes(progress: Progress, prior: str | None = None) -> dict[str, np.ndarray]:
    loaded = _prior(prior)
    return {"axes": loaded.axes.numpy(), "shares": loaded.axis_shares.numpy()}


def skin(
    progress: Progress,
    global_orient: np.ndarray,
    body_pose: np.ndarray,
    betas: np.ndarray,
    transl: np.ndarray,
    body: str | None = None,
) -> dict[str, np.ndarray]:
    vertices, joints = _body(body)(
        *(
            torch.from_numpy(np.asarray(a, np.float32))
            for a in (global_orient, body_pose, betas, transl)
        )
    )
    return {"vertices": vertices.numpy(), "joints": joints.numpy()}


def project(progress: Progress, points: np.ndarray, camera: Camera) -> np.ndarray:
    return camera.project(points)


def body_info(progress: Progress, body: str | None = None) -> dict[str, Any]:
    b = _body(body)
    return {
        "name": b.name,
        "licence": b.licence,
        "vertices": b.num_vertices,
        "faces": len(b.faces),
        "betas": b.num_betas,
        "shape_names": list(b.shape_names),
    }


def load_body(progress: Progress, path: str | None = None) -> dict[str, Any]:
    return body_info(progress, path)


def load_prior(progress: Progress, name: str | None = None) -> dict[str, Any]:
    p = _prior(name)
    return {
        "name": p.name,
        "dim": p.dim,
        "representation": p.representation.name,
        "architecture": p.flow.architecture,
    }


def device_info(progress: Progress) -> dict[str, Any]:
    cuda = torch.cuda.is_available()
    return {
        "kinflow": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": cuda,
        "device": torch.cuda.get_device_name(0)
        if cuda
        else f"CPU ({torch.get_num_threads()} threads)",
    }


METHODS: dict[str, Callable[..., Any]] = {
    "observe": observe,
    "fit": fit_people,
    "fit_sequence": fit_sequence,
    "fit_folder": fit_folder,
    "refit": refit,
    "decode": decode,
    "encode": encode,
    "sample": sample,
    "axes": axes,
    "skin": skin,
    "project": project,
    "body_info": body_info,
    "load_body": load_body,
    "load_prior": load_prior,
    "device_info": device_info,
}
NEWEST_WINS = frozenset({"refit", "decode"})

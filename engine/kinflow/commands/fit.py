"""fit: photos, folders and videos in, people out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from ..errors import KinflowError
from .common import Common, progress, say

SHOWN_FAILURES = 100


@dataclass(frozen=True, kw_only=True)
class Fit(Common):
    """Fit bodies to the people in photos: an .npz a person, overlays, one table. Run again, it goes on where it stopped."""

    photos: Annotated[list[Path], tyro.conf.Positional] = field(default_factory=list)
    """Photos, folders, patterns in quotes, or videos."""
    out: Path = Path("out")
    prior: str = "light"
    body: Path | None = None
    """The user's own SMPL file instead of the free body."""
    losses: tuple[str, ...] = ("ka", "ba")
    overlay: bool = True
    fov: float | None = None
    models: tuple[Path, ...] = ()
    """Descriptions (.toml) of ONNX models to use instead of the default detector."""
    observations: tuple[Path, ...] = ()
    """Keypoint files (OpenPose, COCO or kinflow JSON), one a photo, instead of any detector."""
    hypotheses: bool = False
    """Also draw every hypothesis side by side."""
    start: Literal["rotations", "regressor", "both"] = "both"
    """What the solver starts from: four rotations of the mean pose, the regressor's guess (faster, one answer), or both."""
    sequence: bool = False
    """The photos are frames of one clip: track each person, and fit all frames together."""
    search: Literal["auto", "thorough", "quick"] = "auto"
    """How hard to look for people: thorough finds small and half-hidden ones, quick is many times faster; auto is thorough
    for photos and quick for videos and sequences."""
    workers: int = 0
    """Processes; 0: one a core."""
    ray: str | None = None
    """Spread the photos over a Ray cluster: its address, or "local"."""
    restart: bool = False
    """Fit everything again, whatever the folder holds."""
    retry_failed: bool = False
    """Also try those photos again that failed before."""


def run_fit(command: Fit) -> dict[str, Any]:
    from ..batch.clip import run_clip
    from ..batch.sources import list_sources
    from ..batch.stream import run
    from ..batch.work import Settings

    sources = list_sources(command.photos, command.observations)
    clip = command.sequence or any(source.frame is not None for source in sources)
    search = command.search if command.search != "auto" else "quick" if clip else "thorough"
    settings = Settings(
        command.prior,
        None if command.body is None else str(command.body),
        command.losses,
        command.overlay,
        command.hypotheses,
        command.fov,
        tuple(str(m) for m in command.models),
        command.start,
        search,
        command.device,
        command.seed,
    )
    if command.sequence and (command.ray or command.observations):
        raise KinflowError(
            "A sequence is solved as a whole, on one machine, from photos.",
            "Leave out --ray and --observations.",
        )
    with progress("fitting") as show:
        outcome = (
            run_clip(sources, command.out, settings, show)
            if command.sequence
            else run(
                sources,
                command.out,
                settings,
                workers=command.workers,
                ray=command.ray,
                restart=command.restart,
                retry_failed=command.retry_failed,
                progress=show,
            )
        )
    for reason in list(outcome.failed.values())[:SHOWN_FAILURES]:
        say(reason)
    before = outcome.photos - outcome.done
    say(
        f"{outcome.people} people in {outcome.photos - len(outcome.failed)} photos"
        + (f" ({before} photos were done before)" if before else "")
        + f", {outcome.seconds:.1f} s; see {command.out / 'report.csv'}"
    )
    shown = dict(list(outcome.failed.items())[:SHOWN_FAILURES])
    return {
        "people": outcome.people,
        "photos": outcome.photos,
        "done": outcome.done,
        "failed": shown,
        "failed_count": len(outcome.failed),
    }

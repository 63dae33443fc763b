"""fit: photos, folders and videos in, people out."""

from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from ..batch.sources import Source, list_sources
from ..batch.stream import Outcome, run
from ..batch.work import Settings
from ..errors import CancelledError, KinflowError
from .common import Common, progress, say

SHOWN_FAILURES = 100


@dataclass(frozen=True, kw_only=True)
class Fit(Common):
    """Fit bodies to the people in photos, folders and videos.

    An .npz a person, overlays, one table. Run again, it goes on where it stopped.
    """

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
    sex: Literal["female", "male"] | None = None
    """Of everybody, where it is known."""
    age: Literal["child", "teen", "adult"] | None = None
    """Age group of everybody, where it is known."""
    pitch: float | None = None
    """Degrees that the camera looks up (below 0: down), where it is known."""
    roll: float | None = None
    """Degrees that the camera is turned clockwise, where it is known."""
    level: bool = False
    """The camera was held level: the same as --pitch 0 --roll 0."""
    hypotheses: bool = False
    """Also draw every hypothesis side by side."""
    start: Literal["rotations", "regressor", "both"] = "both"
    """What the solver starts from: four rotations of the mean pose, the regressor's guess (faster,
    one answer), or both."""
    sequence: bool = False
    """The photos are frames of one clip: track each person, and fit all frames together."""
    search: Literal["auto", "thorough", "quick"] = "auto"
    """How hard to look for people: thorough finds small and half-hidden ones, quick is many times
    faster; auto is thorough for photos and quick for videos and sequences."""
    workers: int = 0
    """Processes; 0: one a core."""
    ray: str | None = None
    """Spread the photos over a Ray cluster: its address, or "local"."""
    restart: bool = False
    """Fit everything again, whatever the folder holds."""
    retry_failed: bool = False
    """Also try those photos again that failed before."""


def run_fit(command: Fit) -> dict[str, Any]:
    if command.sequence and (command.ray or command.observations):
        raise KinflowError(
            "A sequence is solved as a whole, on one machine, from photos.",
            "Leave out --ray and --observations.",
        )
    if command.level and (command.pitch or command.roll):
        raise KinflowError("A level camera has no pitch and no roll.", "Leave out --level.")
    sources = list_sources(command.photos, command.observations)
    try:
        outcome = _fit(command, sources, _settings(command, sources))
    except KeyboardInterrupt:
        raise CancelledError("Stopped.", "The same command goes on from here.") from None
    shown = dict(islice(outcome.failed.items(), SHOWN_FAILURES))
    for reason in shown.values():
        say(reason)
    photos = len(outcome.sources)
    before = photos - outcome.done
    earlier = f" ({before} photos were done before)" if before else ""
    good = f"{outcome.people} people in {photos - len(outcome.failed)} photos"
    say(f"{good}{earlier}, {outcome.seconds:.1f} s; see {command.out / 'report.csv'}")
    return {
        "people": outcome.people,
        "photos": photos,
        "done": outcome.done,
        "failed": shown,
        "failed_count": len(outcome.failed),
    }


def _settings(command: Fit, sources: list[Source]) -> Settings:
    clip = command.sequence or any(source.frame is not None for source in sources)
    return Settings(
        prior=command.prior,
        body=None if command.body is None else str(command.body),
        losses=command.losses,
        overlay=command.overlay,
        hypotheses=command.hypotheses,
        fov=command.fov,
        models=tuple(str(m) for m in command.models),
        start=command.start,
        sex=command.sex,
        age=command.age,
        pitch=0.0 if command.level else command.pitch,
        roll=0.0 if command.level else command.roll,
        search=command.search if command.search != "auto" else "quick" if clip else "thorough",
        device=command.device,
        seed=command.seed,
    )


def _fit(command: Fit, sources: list[Source], settings: Settings) -> Outcome:
    from ..batch.clip import run_clip

    with progress("fitting") as show:
        if command.sequence:
            return run_clip(sources, command.out, settings, show, command.restart)
        return run(
            sources,
            command.out,
            settings,
            workers=command.workers,
            ray=command.ray,
            restart=command.restart,
            retry_failed=command.retry_failed,
            progress=show,
        )

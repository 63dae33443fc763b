"""fit: photos, folders and videos in, people out."""

from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import tyro

from ..batch.sources import Source, list_sources
from ..batch.stream import Outcome, run
from ..batch.work import Settings
from ..errors import CancelledError, InvalidInputError
from ..terminal import progress, say, warn
from .common import UNSET, Common
from .inputs import INPUT

SHOWN_FAILURES = 100
_KINDS = (
    ("npz", "fit (.npz)"),
    ("sheet.png", "sheet (.sheet.png)"),
    ("overlay.png", "overlay (.overlay.png)"),
    ("hypotheses.png", "strip of readings (.hypotheses.png)"),
)
# where they are longer than a line, tyro keeps a docstring's line breaks
_SEARCH = (
    "How hard to look for people: thorough finds small and half-hidden ones, quick is many times "
    "faster; auto is thorough for photos and quick for videos and sequences."
)
_SHEET = (
    "A sheet for each photo: what was seen, the body over it, from the front and from the side, "
    "and other readings; of several photos also report.html. None of a video's frames."
)
_PRIOR = (
    "Which poses are natural: a pose prior, which is a normalizing flow. Its name (light, "
    "light-paper, light-aa, light-rotmat, realnvp) or its file."
)
_START = (
    "Where the search for a pose begins: four rotations of the mean pose, the network's guess "
    "(regressor: twice as fast, one answer), or both."
)
_LOSSES = (
    "What the body is fitted to. ka, keypoint alignment: its joints lie where the photo shows "
    "them. ba, body-part alignment: it covers the pixels on which the photo shows it."
)


@dataclass(frozen=True, kw_only=True)
class Looking:
    """Finding people."""

    search: Annotated[Literal["auto", "thorough", "quick"], tyro.conf.arg(help=_SEARCH)] = "auto"
    models: Annotated[tuple[Path, ...], UNSET] = field(default=(), metadata=INPUT)
    """Your own detectors instead of the default one: descriptions (.toml) of ONNX models."""
    observations: Annotated[tuple[Path, ...], UNSET] = field(default=(), metadata=INPUT)
    """No detector: keypoint files (OpenPose, COCO or kinflow JSON), one a photo."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What you know of people and camera; the rest is estimated."""

    sex: Annotated[Literal["female", "male"] | None, UNSET] = None
    """Of everybody."""
    age: Annotated[Literal["child", "teen", "adult"] | None, UNSET] = None
    """Age group of everybody."""
    level: bool = False
    """The camera was held level: the same as --pitch 0 --roll 0."""
    pitch: Annotated[float | None, UNSET] = None
    """Degrees that the camera looks up (below 0: down)."""
    roll: Annotated[float | None, UNSET] = None
    """Degrees that the camera is turned clockwise."""
    fov: Annotated[float | None, UNSET] = None
    """How wide the lens sees: degrees from the photo's left edge to its right one."""


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """What is drawn beside the .npz of each person."""

    sheet: Annotated[bool, tyro.conf.arg(help=_SHEET)] = True
    overlay: bool = True
    """The bodies over each photo, in its full size."""
    hypotheses: bool = False
    """Every reading of a person side by side, in a file of its own."""


@dataclass(frozen=True, kw_only=True)
class Many:
    """Many photos, videos, and going on with what was begun."""

    sequence: bool = False
    """The photos are frames of one clip: follow each person, and fit all frames together."""
    workers: int = 0
    """Processes at work; 0: one a core."""
    restart: bool = False
    """Fit everything again, whatever the folder holds."""
    retry_failed: bool = False
    """Also try those photos again that failed before."""
    ray: Annotated[str | None, UNSET] = None
    """Spread the photos over a Ray cluster: its address, or "local"."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """How it is done, in the terms of the paper (Zanfir et al., ECCV 2020)."""

    body: Annotated[Path | None, UNSET] = field(default=None, metadata=INPUT)
    """Your own SMPL file instead of the free body."""
    prior: Annotated[str, tyro.conf.arg(help=_PRIOR)] = "light"
    start: Annotated[Literal["both", "rotations", "regressor"], tyro.conf.arg(help=_START)] = "both"
    losses: Annotated[tuple[Literal["ka", "ba"], ...], tyro.conf.arg(help=_LOSSES)] = ("ka", "ba")


@dataclass(frozen=True, kw_only=True)
class Fit(Common):
    """Fit bodies to the people in photos, folders and videos.

    An .npz a person, pictures to judge it by, one table. Run again, it goes on where it stopped.
    """

    grouped: ClassVar[bool] = True
    photos: Annotated[
        list[Path],
        tyro.conf.Positional,
        tyro.conf.arg(metavar="PHOTO|FOLDER|VIDEO ...", help_behavior_hint=""),
    ] = field(default_factory=list, metadata=INPUT)
    """Photos, folders, patterns in quotes ('shots/*.jpg'), or videos."""
    out: Path = Path("out")
    """The folder for all that is written."""
    looking: Annotated[Looking, tyro.conf.arg(name="search")] = Looking()
    known: Annotated[Known, tyro.conf.arg(name="camera and people")] = Known()
    pictures: Annotated[Pictures, tyro.conf.arg(name="picture")] = Pictures()
    many: Annotated[Many, tyro.conf.arg(name="batch")] = Many()
    method: Annotated[Method, tyro.conf.arg(name="method")] = Method()


def run_fit(command: Fit) -> dict[str, Any]:
    many, known = command.many, command.known
    if many.sequence and (many.ray or command.looking.observations):
        raise InvalidInputError(
            "A sequence is solved as a whole, on one machine, from photos.",
            "Leave out --ray and --observations.",
        )
    if known.level and (known.pitch or known.roll):
        raise InvalidInputError("A level camera has no pitch and no roll.", "Leave out --level.")
    sources = list_sources(command.photos, command.looking.observations)
    try:
        outcome = _fit(command, sources, _settings(command, sources))
    except KeyboardInterrupt:
        raise CancelledError("Stopped.", "The same command goes on from here.") from None
    shown = dict(islice(outcome.failed.items(), SHOWN_FAILURES))
    for reason in shown.values():
        warn(reason)
    _say_done(command, outcome)
    return {
        "people": outcome.people,
        "photos": len(outcome.sources),
        "done": outcome.done,
        "out": str(command.out),
        "failed": shown,
        "failed_count": len(outcome.failed),
    }


def _say_done(command: Fit, outcome: Outcome) -> None:
    """What came of it, and where it lies."""
    photos, failed = len(outcome.sources), len(outcome.failed)
    before = photos - outcome.done
    earlier = f" ({before} done before)" if before else ""
    good = f"{_count(outcome.people, 'person', 'people')} in {_count(photos, 'photo')}{earlier}"
    lost = f", {failed} of them without a fit for everybody" if failed else ""
    say(f"{good}{lost}; {outcome.seconds:.1f} s.")
    holds = [_count(number, name) for kind, name in _KINDS if (number := outcome.files.get(kind))]
    holds += [name for name in ("report.html", "report.csv") if (command.out / name).exists()]
    say(f"{command.out} holds {', '.join(holds)}.")
    page = command.out / "report.html"
    if page.exists():
        say(f"To look at: {page}")
    elif sheets := [s for s in outcome.sources if outcome.files.get("sheet.png")]:
        say(f"To look at: {command.out / sheets[0].stem}.sheet.png")


def _count(number: int, one: str, several: str = "") -> str:
    """A number with its noun, whose first word takes the plural's s."""
    noun, _, rest = one.partition(" ")
    words = one if number == 1 else several or f"{noun}s {rest}".strip()
    return f"{number} {words}"


def _settings(command: Fit, sources: list[Source]) -> Settings:
    looking, known, pictures = command.looking, command.known, command.pictures
    method = command.method
    clip = command.many.sequence or any(source.frame is not None for source in sources)
    return Settings(
        prior=method.prior,
        body=None if method.body is None else str(method.body),
        losses=method.losses,
        overlay=pictures.overlay,
        hypotheses=pictures.hypotheses,
        sheet=pictures.sheet and not clip,
        fov=known.fov,
        models=tuple(str(m) for m in looking.models),
        start=method.start,
        sex=known.sex,
        age=known.age,
        pitch=0.0 if known.level else known.pitch,
        roll=0.0 if known.level else known.roll,
        search=looking.search if looking.search != "auto" else "quick" if clip else "thorough",
        device=command.device,
        seed=command.seed,
    )


def _fit(command: Fit, sources: list[Source], settings: Settings) -> Outcome:
    from ..batch.clip import run_clip

    many = command.many
    if many.sequence:
        with progress("Fitting a clip") as show:
            return run_clip(sources, command.out, settings, show, many.restart)
    with progress("Fitting", len(sources), "photos") as show:
        return run(
            sources,
            command.out,
            settings,
            workers=many.workers,
            ray=many.ray,
            restart=many.restart,
            retry_failed=many.retry_failed,
            progress=show,
        )

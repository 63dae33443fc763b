"""convert: motions and keypoints from one file format to another."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import tyro

from ..batch.sources import PHOTO_SUFFIXES, VIDEO_SUFFIXES
from ..bodies.arrays import BodyArrays
from ..errors import InvalidInputError
from ..terminal import say
from .common import UNSET, Common, make_room_for
from .inputs import INPUT


@dataclass(frozen=True, kw_only=True)
class Convert(Common):
    """Turn a motion or keypoints into another file format.

    Motions in: .npz (of kinflow, SMPL, SMPL-X, AMASS, and of tools that fit SMPL), .bvh, the
    folder of `kinflow fit --sequence`; out: .npz, .bvh, .glb (mesh, rig and animation), .obj.
    Keypoints in and out: .json of OpenPose, COCO or kinflow.
    """

    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="IN")] = field(
        metadata=INPUT
    )
    """What to read."""
    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]
    """What to write; its ending says how."""
    format: Annotated[Literal["smpl", "amass", "kinflow", "openpose", "coco"] | None, UNSET] = None
    """Which .npz (smpl or amass) or .json (kinflow, openpose or coco); the first by default."""
    body: Annotated[Path | None, UNSET] = field(default=None, metadata=INPUT)
    """The user's own SMPL file instead of the free body."""
    fps: Annotated[float | None, UNSET] = None
    """Frames a second, where the file does not say or says it wrong."""
    up: Annotated[Literal["y", "z", "-y"] | None, UNSET] = None
    """Which way is up in what is read (-y: a camera's frame), where it was told wrong."""
    person: int = 0
    """Of a folder of fits: whom."""
    frame: int = 0
    """Of a motion that is written as .obj: which frame, from 0."""


def run_convert(command: Convert) -> dict[str, Any]:
    if command.source.suffix.lower() in PHOTO_SUFFIXES | VIDEO_SUFFIXES:
        raise InvalidInputError(
            f"{command.source} holds neither a motion nor keypoints.",
            f"Fit it first: kinflow fit {command.source}",
        )
    if (command.source.suffix.lower() == ".json") != (command.out.suffix.lower() == ".json"):
        raise InvalidInputError(
            "Keypoints and motions do not turn into each other.",
            "Fit the keypoints to their photo first: kinflow fit PHOTO --observations FILE",
        )
    kinds = _KEYPOINTS if command.out.suffix.lower() == ".json" else _MOTIONS
    if command.format not in (None, *kinds):
        raise InvalidInputError(
            f"{command.out} is not written as {command.format}.", f"Use one of {', '.join(kinds)}."
        )
    return _keypoints(command) if kinds is _KEYPOINTS else _motion(command)


_KEYPOINTS = ("kinflow", "openpose", "coco")
_MOTIONS = ("smpl", "amass")


def _keypoints(command: Convert) -> dict[str, Any]:
    from ..perception.formats import KeypointFormat, read_observations, write_observations

    people = read_observations(command.source)
    kind = command.format or "kinflow"
    make_room_for(command.out)
    write_observations(command.out, people, cast(KeypointFormat, kind))
    who = "one person" if len(people) == 1 else f"{len(people)} people"
    say(f"Written: {command.out} ({who}, as {kind} keypoints)")
    return {"out": str(command.out), "people": len(people)}


def _motion(command: Convert) -> dict[str, Any]:
    from ..bodies.files import load_body_arrays
    from ..formats import read_motion, write_motion
    from ..formats.files import NpzKind
    from ..formats.fits import read_fits
    from ..formats.motion import FPS

    body = None if command.body is None else load_body_arrays(command.body)
    if command.source.is_dir():
        motion = read_fits(command.source, command.person, command.fps or FPS)
        say(f"Person {command.person} of {command.source}, a frame a photo, in their order.")
    else:
        motion = read_motion(command.source, body=body)
    motion = replace(motion, fps=command.fps or motion.fps, up=command.up or motion.up)
    kind: NpzKind = "amass" if command.format == "amass" else "smpl"
    make_room_for(command.out)
    write_motion(command.out, motion, body=body, kind=kind, frame=command.frame)
    if command.out.suffix.lower() == ".obj":
        say(f"Written: {command.out} (frame {command.frame} of {len(motion)}, from 0)")
    else:
        length = f"{len(motion)} frames at {motion.fps:g} a second, {motion.seconds:.1f} s"
        say(f"Written: {command.out} ({'one pose' if len(motion) == 1 else length})")
    if motion.betas.any() and (message := _shape_left_out(command, motion.body, body)):
        say(message)
    return {"out": str(command.out), "frames": len(motion), "fps": motion.fps}


def _shape_left_out(command: Convert, of: str, body: BodyArrays | None) -> str:
    """A sentence where the shape in the file is not the one that is shown."""
    from ..bodies.arrays import default_body_arrays

    kept = command.out.suffix.lower() == ".npz"
    if kept or body is not None or of in ("", default_body_arrays().name):
        return ""
    return f"The shape is of another body ({of}): the free body of mean shape moves instead."

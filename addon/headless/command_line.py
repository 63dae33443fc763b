"""`blender --command kinflow fit ... --output DIR`, and the same for scripts."""

import argparse
import contextlib
import json
import os
import sys
from pathlib import Path

import bpy

from kinflow.batch.sources import PHOTO_SUFFIXES
from kinflow.errors import KinflowError

from .. import session
from .folder import fit_many
from .photo import fit_photo
from .studio import Output

USAGE = (
    "Usage: blender --command kinflow fit PHOTO|FOLDER|PATTERN|VIDEO... --output DIR "
    "[--format blend|glb] [--no-render]"
)
_handle: object | None = None


def fit(arguments: list[str]) -> int:
    """Photos to scenes. Exit code 0 only if every photo was fitted, 2 for wrong arguments."""
    parser = argparse.ArgumentParser(
        prog="kinflow", description="Fit photos and save a scene each."
    )
    parser.add_argument("photos", nargs="+", help="photos, folders, patterns in quotes, or videos")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--format", choices=("blend", "glb"), default="blend")
    parser.add_argument("--no-render", action="store_true")
    options = parser.parse_args(arguments)
    output = Output(options.format, not options.no_render)
    try:
        if _is_one_photo(options.photos) and output.form == "blend":
            return _fit_one(Path(options.photos[0]), options.output, output)
        return 1 if fit_many(options.photos, options.output, output) else 0
    except KinflowError as error:
        print(error, file=sys.stderr, flush=True)
        return 1


def _is_one_photo(photos: list[str]) -> bool:
    only = Path(photos[0])
    is_pattern = any(c in only.name for c in "*?[")
    return len(photos) == 1 and only.suffix.lower() in PHOTO_SUFFIXES and not is_pattern


def _fit_one(photo: Path, folder: Path, output: Output) -> int:
    report = fit_photo(photo, folder, output)
    print(json.dumps({"photo": str(photo)} | report), flush=True)
    if "error" in report:
        print(f"{photo}: {report['error']}", file=sys.stderr, flush=True)
    return 1 if "error" in report else 0


def run(arguments: list[str]) -> int:
    """What `blender --command kinflow` calls."""
    if not arguments or arguments[0] != "fit":
        print(USAGE, file=sys.stderr)
        return 2
    try:
        return fit(arguments[1:])
    except SystemExit as ending:  # argparse has said what is wrong
        return int(ending.code or 0)
    finally:
        session.close()


def leave(status: int) -> None:
    """Ends the process at once: bpy 4.2 crashes and 4.5 hangs at exit with an add-on registered."""
    session.close()
    with contextlib.suppress(OSError):
        os.rmdir(bpy.app.tempdir)  # empty unless something went wrong; Blender's own exit does it
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def register() -> None:
    global _handle
    _handle = bpy.utils.register_cli_command("kinflow", run)


def unregister() -> None:
    global _handle
    if _handle is not None:
        bpy.utils.unregister_cli_command(_handle)
        _handle = None

"""`blender --command kinflow fit ... --output DIR`: the batch without a window."""

from __future__ import annotations

import sys

import bpy

from . import session

USAGE = "Usage: blender --command kinflow fit PHOTO|FOLDER|PATTERN|VIDEO... --output DIR [--format blend|glb] [--no-render]"
_handle: object | None = None


def run(arguments: list[str]) -> int:
    """Exit code 0 only if every photo was fitted, 2 for wrong arguments."""
    from . import batch

    if not arguments or arguments[0] != "fit":
        print(USAGE, file=sys.stderr)
        return 2
    try:
        return batch.run(arguments[1:])
    except SystemExit as ending:  # argparse has said what is wrong
        return int(ending.code or 0)
    finally:
        session.close()


def register() -> None:
    global _handle
    _handle = bpy.utils.register_cli_command("kinflow", run)


def unregister() -> None:
    global _handle
    if _handle is not None:
        bpy.utils.unregister_cli_command(_handle)
        _handle = None

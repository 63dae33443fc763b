"""Many photos through the engine's batch, then a scene each."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import bpy

from kinflow.errors import KinflowError
from kinflow.records import FitResult

from .. import preferences, session
from ..scene import keypoints, photos
from .photo import run_operator
from .studio import Output, clear_scene, save_scene, writing


def fit_many(inputs: list[str], folder: Path, output: Output) -> int:
    """Fits as `kinflow fit` does, resumable, then leaves a scene a photo in folder/NAME.

    A scene that is there and newer than its fits is kept. -> how many failed.
    """
    answer = session.engine().call(
        "fit_folder",
        _print_progress,
        inputs=inputs,
        out=str(folder),
        prior=preferences.get("prior"),
        device=preferences.get("device"),
        overlay=False,
    )
    failed = dict(answer["failed"])
    for source in answer["sources"]:
        key = source["path"] if source["frame"] is None else f"{source['path']}#{source['frame']}"
        # not what begins with its name and a dot: that is another photo, or a video's frame
        name = re.compile(re.escape(source["stem"]) + r"\.\d+\.npz")
        fits = sorted(path for path in folder.iterdir() if name.fullmatch(path.name))
        if key in failed or not fits:
            report = {"error": failed.setdefault(key, "Nobody could be fitted.")}
        else:
            try:
                report = _make_scene(source, fits, folder / source["stem"], output)
            except KinflowError as error:
                report = {"error": str(error)}
        if "error" in report:
            failed[key] = report["error"]
        if report:
            print(json.dumps({"photo": key} | report), flush=True)
    return len(failed)


def _make_scene(
    source: dict[str, Any], fits: list[Path], folder: Path, output: Output
) -> dict[str, Any]:
    """The scene of one photo. -> what to report of it, nothing where an earlier one is kept."""
    scene = folder / f"scene.{output.form}"
    if scene.exists() and scene.stat().st_mtime >= max(f.stat().st_mtime for f in fits):
        return {}
    clear_scene()
    context = bpy.context
    # Blender shows no frame of a video as a picture
    path = Path(source["path"]) if source["frame"] is None else Path()
    photo = photos.open_photo(context.scene, path, source["stem"])
    photo.kinflow.path = "" if source["frame"] is not None else photo.kinflow.path
    session.results.clear()
    for fit in fits:
        person = keypoints.add_person(photo)
        session.results[photos.key_of(photo, person)] = FitResult.load(fit)
    sentence = run_operator(bpy.ops.kinflow.apply_fit, keys=",".join(session.results))
    if sentence is not None:
        return {"error": sentence}
    with writing(folder):
        return {"people": len(fits), "seconds": save_scene(context, folder, output)}


def _print_progress(share: float, text: str) -> None:
    print(f"fitting {100 * share:3.0f}%  {text}", file=sys.stderr, flush=True)

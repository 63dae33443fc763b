"""One photo through the add-on's own operators."""

import json
import time
from pathlib import Path
from typing import Any

import bpy

from kinflow.errors import KinflowError
from kinflow.records import FITTED

from .. import session
from ..scene import photos
from .studio import Output, clear_scene, save_scene, writing


def fit_photo(photo: Path, folder: Path, output: Output | None = None) -> dict[str, Any]:
    """Runs open, find, fit on one photo and leaves scene.blend (and render.png) in the folder.

    Returns {"people", "keypoint_error_px", "seconds": {step: s}} and, for a failure, "error".
    """
    clear_scene()
    context, seconds = bpy.context, {}
    steps = {
        "open": (bpy.ops.kinflow.import_photo, {"filepath": str(photo)}),
        "detect": (bpy.ops.kinflow.detect, {}),
        "fit": (bpy.ops.kinflow.fit, {}),
    }
    for name, (operator, options) in steps.items():
        started = time.perf_counter()
        sentence = run_operator(operator, **options)
        seconds[name] = round(time.perf_counter() - started, 2)
        if sentence is not None:
            return {"error": sentence or f"{photo} could not be fitted.", "seconds": seconds}
    keys = photos.people_by_key(context.scene)
    results = [session.results[key] for key in keys if key in session.results]
    try:
        with writing(folder):
            seconds |= save_scene(context, folder, output or Output())
            for index, result in enumerate(results):
                result.save(folder / ("fit.npz" if index == 0 else f"fit-{index + 1}.npz"))
            numbers = [r.summary() | r.parameters() for r in results]
            (folder / "fit.json").write_text(json.dumps(numbers, indent=1), "utf-8")
    except KinflowError as error:
        return {"error": str(error), "seconds": seconds}
    return {
        "people": sum(r.status in FITTED for r in results),
        "keypoint_error_px": [round(r.keypoint_error_px, 2) for r in results],
        "status": [r.status for r in results],
        "seconds": seconds,
    }


def run_operator(operator: Any, **options: Any) -> str | None:
    """Runs an operator without a window. -> None where it finished, else the sentence it gave."""
    try:
        result = operator("EXEC_DEFAULT", **options)
    # an operator that reports an error raises it in scripts
    except RuntimeError as error:
        return str(error).removeprefix("Error: ").strip()
    return None if "FINISHED" in result else bpy.context.scene.kinflow.message

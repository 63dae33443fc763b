"""The one engine of this Blender, and what it has seen that is no scene data."""

import bpy
from bpy.app.handlers import persistent

from kinflow.client import Engine, Job
from kinflow.errors import EngineError
from kinflow.records import FitResult, Observation

from . import preferences
from .engine import find
from .scene.clip import Clip, Fitted, Refitted
from .scene.pull import Drag

_engine: Engine | None = None
# masks and whole results, by `scene.photos.key_of`
observations: dict[str, Observation] = {}
results: dict[str, FitResult] = {}
# what a sequence job found, until it is keyed; clips that were keyed, by `scene.photos.key_of`
sequence: Fitted | None = None
clips: dict[str, Clip] = {}
# results of some rows of a clip, until they are keyed
refitted: Refitted | None = None
running_job: Job | None = None
# the pull that is going on
pulled: Drag | None = None


def engine() -> Engine:
    """The engine, not necessarily started. Raises EngineError where no Python for it is found."""
    global _engine
    found = find.find_python(preferences.get("engine_python"))
    if found.path is None:
        raise EngineError(found.sentence + ".")
    if _engine is None or _engine.python != found.path:
        close()
        _engine = Engine(found.path)
    return _engine


def busy() -> bool:
    """Whether a job of this window's is still running."""
    return running_job is not None and not running_job.done


def state() -> str:
    """One word for the panel: off, starting, ready."""
    if _engine is None or not _engine.running:
        return "off"
    return "ready" if _engine.ready else "starting"


def device() -> str:
    return _engine.device if _engine is not None else ""


def close() -> None:
    """Ends the engine."""
    global _engine
    if _engine is not None:
        _engine.close()
        _engine = None


@persistent
def _forget(*_: object) -> None:
    """Another file: what was asked for and found belongs to the one before."""
    global running_job, pulled, sequence, refitted
    if _engine is not None and running_job is not None and not running_job.done:
        _engine.cancel(running_job)
    running_job = pulled = sequence = refitted = None
    observations.clear()
    results.clear()
    clips.clear()


def register() -> None:
    bpy.app.handlers.load_pre.append(_forget)


def unregister() -> None:
    bpy.app.handlers.load_pre.remove(_forget)
    close()

"""Every error that kinflow raises on purpose: one plain sentence and a hint what to do."""

from __future__ import annotations

import re

MAX_TEXT = 1500
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def _printable(text: str) -> str:
    """Names and words of files may hold what can be neither printed nor sent, and have no end."""
    text = _UNPRINTABLE.sub(lambda match: ascii(match[0])[1:-1], text)
    half = MAX_TEXT // 2
    return text if len(text) <= MAX_TEXT else f"{text[:half]} ... {text[-half:]}"


class KinflowError(Exception):
    """Base of all kinflow errors.

    `code` names the kind on the wire and in JSON; `hint` tells the user what to do.
    """

    code = "error"

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = _printable(message)
        self.hint = _printable(hint)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InvalidInputError(KinflowError, ValueError):
    """An argument has the wrong shape, type or range, or holds NaN."""

    code = "invalid_input"


class AssetError(KinflowError):
    """A file (body, prior, mocap clip, result) is missing, damaged or of an unknown version."""

    code = "asset"


class UnsafeFileError(AssetError):
    """A file tries to run code when opened; nothing of it was run."""

    code = "unsafe_file"


class PhotoError(KinflowError):
    """A photo cannot be read."""

    code = "photo"


class DetectorError(KinflowError):
    """The person detector is not installed or cannot be loaded."""

    code = "detector"


class ProtocolError(KinflowError):
    """A frame on the wire is malformed, too large or out of order."""

    code = "protocol"


class EngineError(KinflowError):
    """The engine process could not be started, died or did not answer."""

    code = "engine"


class CancelledError(KinflowError):
    """The user cancelled the job."""

    code = "cancelled"


def from_code(code: str, message: str, hint: str) -> KinflowError:
    """Rebuilds the typed error that the engine sent over the wire."""
    kinds = [KinflowError]
    for kind in kinds:  # grows as it goes: subclasses of subclasses too
        kinds += kind.__subclasses__()
    return {kind.code: kind for kind in reversed(kinds)}.get(code, KinflowError)(message, hint)

"""What every reader of other people's files shares: regular files alone, bounded, typed errors.

A reader states its limit in MB; the environment variable KINFLOW_MAX_MB raises it for a user who
trusts a larger file.
"""

import contextlib
import errno
import io
import math
import os
import re
import stat
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .errors import AssetError, KinflowError

LIMIT_VARIABLE = "KINFLOW_MAX_MB"
MAX_LINE, MAX_LINES = 1 << 20, 5_000_000
MALFORMED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What a file whose container is whole and whose contents are wrong makes its reader raise."""
_MB = 1 << 20
_NUMBERS, _TEXT = "biuf", "US"
_NUMPY_HEADER = re.compile(
    r"\{'descr': '([<>|=]?[biuf?]\d{0,2}|[<>|=]?[US]\d{1,4})', 'fortran_order': (True|False), "
    r"'shape': \(([\d, ]*)\),? ?\}\s*"
)
_WHY = {
    errno.ENOENT: "There is no file {}.",
    errno.EISDIR: "{} is a folder.",
    errno.EACCES: "{} may not be read by this user.",
    errno.EPERM: "{} may not be read by this user.",
}


def limit_bytes(default_mb: int) -> int:
    """A reader's limit in bytes: its own, or a larger one from KINFLOW_MAX_MB."""
    stated = os.environ.get(LIMIT_VARIABLE, "")
    return max(default_mb, int(stated) if stated.isdecimal() and len(stated) < 10 else 0) * _MB


def check_size(
    size: int, default_mb: int, what: str, error: type[KinflowError] = AssetError
) -> None:
    """Raises `error` where `what` would fill more bytes than the reader's limit."""
    limit = limit_bytes(default_mb)
    if size > limit:
        raise error(
            f"{what} is larger than expected: more than {limit // _MB} MB.",
            f"If you trust it, set the environment variable {LIMIT_VARIABLE} to more.",
        )


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def open_regular(
    path: str | os.PathLike, error: type[KinflowError] = AssetError, hint: str = "Check the path."
) -> BinaryIO:
    """Opens a regular file; a folder, pipe or device is refused at once. Raises `error`."""
    try:
        stream = open(path, "rb", opener=_without_waiting)  # noqa: SIM115
    except (OSError, ValueError) as reason:
        number = getattr(reason, "errno", None)
        why = getattr(reason, "strerror", None) or str(reason)
        text = _WHY.get(number or 0, "Cannot read {}: " + why.replace("{", "(") + ".")
        raise error(text.format(path), hint) from reason
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise error(f"{path} is a pipe or a device and no file.", hint)
    return stream


@contextlib.contextmanager
def parsing(
    path: str | os.PathLike, hint: str, error: type[KinflowError] = AssetError, kind: str = ""
) -> Iterator[None]:
    """Turns whatever a library raises over damaged bytes into one sentence."""
    try:
        yield
    except KinflowError:
        raise
    # zipfile, pickle, Pillow, json: some twenty kinds, several unlisted
    except Exception as reason:
        text = str(reason).strip().splitlines() or [type(reason).__name__]
        raise error(
            f"{path} is damaged{f' or no {kind}' if kind else ''}: {text[0][:200]}.", hint
        ) from reason


def read_bytes(
    path: str | os.PathLike,
    default_mb: int,
    error: type[KinflowError] = AssetError,
    hint: str = "Check the path.",
) -> bytes:
    """A whole regular file, of at most the limit. Raises `error`."""
    with open_regular(path, error, hint) as stream, parsing(path, hint, error):
        check_size(os.fstat(stream.fileno()).st_size, default_mb, str(path), error)
        return stream.read()


@contextlib.contextmanager
def replacing(path: str | os.PathLike, error: type[KinflowError] = AssetError) -> Iterator[Path]:
    """A temporary path beside `path`, which takes its place only once the block has ended well.

    Raises `error` for a full disk, a folder that is read-only and the like.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name[:100]}.{os.getpid()}.part")
    try:
        yield temporary
        os.replace(temporary, target)
    except OSError as reason:
        raise error(
            f"{path} cannot be written: {reason.strerror or reason}.",
            "Make room, or choose another folder.",
        ) from reason
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def numbered_lines(raw: bytes, path: str | os.PathLike) -> Iterator[tuple[int, str]]:
    """Lines of a text, numbered from 1, one at a time. Raises AssetError for an endless line."""
    text = io.TextIOWrapper(io.BytesIO(raw), "utf-8", "replace")
    number = 0
    while line := text.readline(MAX_LINE):
        number += 1
        if len(line) == MAX_LINE or number > MAX_LINES:
            raise AssetError(f"{path}, line {number}: it does not end.", "Export it again.")
        yield number, line


def array_of(
    data: bytes | memoryview,
    dtype: str | np.dtype,
    shape: tuple[int, ...],
    fortran: bool = False,
    kinds: str = _NUMBERS,
) -> np.ndarray:
    """A read-only array whose bytes are all there. Raises ValueError."""
    kind = np.dtype(dtype)
    if kind.kind not in kinds or len(shape) > 8 or min(shape, default=0) < 0:
        raise ValueError("an array of an unexpected kind")
    # one dimension of 0 must not hide another that overflows
    if max(shape, default=0) > 1 << 40 or math.prod(shape) * kind.itemsize != len(data):
        raise ValueError("an array whose size is not that of its data")
    return np.frombuffer(data, kind).reshape(shape, order="F" if fortran else "C")


def npz_names(path: str | os.PathLike, hint: str) -> list[str]:
    """Names of the arrays of an .npz. Raises AssetError."""
    with (
        open_regular(path, hint=hint) as stream,
        parsing(path, hint, kind=".npz"),
        zipfile.ZipFile(stream) as archive,
    ):
        return [name[:-4] for name in archive.namelist() if name.endswith(".npy")]


def read_npz(
    path: str | os.PathLike | bytes,
    default_mb: int,
    names: Collection[str] | None,
    hint: str,
    text: Collection[str] = (),
) -> dict[str, np.ndarray]:
    """Read-only arrays of numbers of an .npz (a path, or what stands in one), by name; only `names`
    where they are stated.

    Arrays of Python objects (pickles), of records, and of text whose name is not in `text` are left
    out and never opened. Raises AssetError.
    """
    result = {}
    file = io.BytesIO(path) if isinstance(path, bytes) else open_regular(path, hint=hint)
    path = "A fit" if isinstance(path, bytes) else path
    with (
        file as stream,
        parsing(path, hint, kind=".npz"),
        zipfile.ZipFile(stream) as archive,
    ):
        fields = {m.filename[:-4]: m for m in archive.infolist() if m.filename.endswith(".npy")}
        if names is not None:
            fields = {name: member for name, member in fields.items() if name in names}
        check_size(sum(m.file_size for m in fields.values()), default_mb, f"{path}, unpacked,")
        for name, member in fields.items():
            with parsing(f"{path}: field '{name}'", hint):
                array = _member(archive, member, name in text)
            if array is not None:
                result[name] = array
    return result


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, text: bool) -> np.ndarray | None:
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("compressed in a way that numpy does not use")
    kinds = _NUMBERS + _TEXT if text else _NUMBERS
    with archive.open(member) as stream:
        start = stream.read(8)
        if start[:6] != b"\x93NUMPY" or start[6] not in (1, 2, 3):
            raise ValueError("it is no array of numpy")
        length = int.from_bytes(stream.read(2 if start[6] == 1 else 4), "little")
        header = stream.read(min(length, 1 << 16)).decode("latin1")
        match = _NUMPY_HEADER.fullmatch(header)
        if match is None or (not text and match[1].strip("<>|=")[0] in _TEXT):
            if not header.startswith("{'descr': "):
                raise ValueError("its header is none of numpy")
            return None
        dtype, fortran, shape = match.groups()
        sizes = tuple(int(n) for n in shape.split(",") if n.strip())
        return array_of(stream.read(), dtype, sizes, fortran == "True", kinds)

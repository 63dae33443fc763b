"""The frame format between a client and the engine (numpy and the standard library only).

Frame: `uint32 little-endian header length | JSON header | raw little-endian arrays`. The header
lists the types and shapes of the arrays that the frame carries; their bytes follow in order, those
of truth values as bits. A message is one frame, or several: long lists travel ahead in pieces, in
frames that have a `list`, and the frame without one ends the message. Nothing is ever unpickled.
"""

import json
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ProtocolError
from .values import DTYPES, Array, Decoder, Encoder

PROTOCOL = 2
MAX_DIMENSIONS = 8
PIECE_TEXT, PIECE_ARRAYS = 256 << 10, 4 << 20
TEXT_WEIGHT = 16  # what a byte of JSON may take as Python objects


@dataclass(frozen=True)
class Limits:
    """What may travel, in bytes: both sides check the very same numbers.

    header and arrays of one frame; weight of a message: TEXT_WEIGHT of its headers, and its arrays.
    """

    header: int = 4 << 20
    arrays: int = 256 << 20
    weight: int = 1 << 30

    def array(self, dtype: str, shape: tuple[int, ...]) -> int:
        """Bytes of an array on the wire. Raises ProtocolError where it cannot travel."""
        # numpy refuses shapes whose other sides overflow even where one side is 0
        if len(shape) > MAX_DIMENSIONS or math.prod(filter(None, shape)) > 8 * self.arrays:
            raise ProtocolError(f"An array of shape {shape} cannot be sent.", _SMALLER)
        count = math.prod(shape)
        size = -(-count // 8) if dtype == "bool" else count * DTYPES[dtype].itemsize
        self.check(0, max(size, count), 0)
        return size

    def check(self, header: int, arrays: int, weight: int) -> None:
        """Raises ProtocolError where a frame, or its message so far, is too large."""
        for name, size, limit in (
            ("A frame's header", header, self.header),
            ("A frame's arrays", arrays, self.arrays),
            ("A message", weight, self.weight),
        ):
            if size > limit:
                raise ProtocolError(
                    f"{name} of {size} bytes: at most {limit} may travel.", _SMALLER
                )


_SMALLER = "Send fewer or smaller photos at once, or name their files."
LIMITS = Limits()
HELLO = Limits(header=4096, arrays=0, weight=4096 * TEXT_WEIGHT)
"""For who has not shown the token yet."""


def pack(message: dict[str, Any], limits: Limits = LIMITS) -> list[bytes]:
    """Message -> its frames. Raises ProtocolError where it is too large or holds no data."""
    packer = _Packer(limits)
    packer.frame({"body": packer.encoder.encode(message)})
    return packer.frames


class _Packer:
    """One message on its way into frames."""

    def __init__(self, limits: Limits) -> None:
        self.frames: list[bytes] = []
        self.encoder = Encoder(self._keep, self._full, self._spill)
        self._limits = limits
        self._known: dict[int, tuple[int, Array]] = {}  # kept: an id is one array's while it lives
        self._waiting: list[Array] = []
        self._bytes = self._weight = self._lists = 0

    def _keep(self, array: Array) -> int:
        if id(array) not in self._known:
            self._bytes += self._limits.array(array.dtype.name, array.shape)
            self._known[id(array)] = (len(self._known), array)
            self._waiting.append(array)
        return self._known[id(array)][0]

    def _full(self) -> bool:
        return self.encoder.text > PIECE_TEXT or self._bytes > PIECE_ARRAYS

    def _spill(self, number: int | None, items: list[Any]) -> int:
        if number is None:
            number = self._lists
            self._lists += 1
        self.frame({"list": number, "body": items})
        return number

    def frame(self, header: dict[str, Any]) -> None:
        """Adds a frame with this header and the arrays that wait."""
        specs = [{"dtype": a.dtype.name, "shape": list(a.shape)} for a in self._waiting]
        text = json.dumps(header | {"arrays": specs}, separators=(",", ":")).encode()
        self._weight += TEXT_WEIGHT * len(text) + self._bytes
        self._limits.check(len(text), self._bytes, self._weight)
        self.frames.append(
            b"".join((struct.pack("<I", len(text)), text, *map(_raw, self._waiting)))
        )
        self._waiting, self._bytes, self.encoder.text = [], 0, 0


def _raw(array: Array) -> bytes:
    if array.dtype.name == "bool":
        return np.packbits(array, bitorder="little").tobytes()
    return array.astype(DTYPES[array.dtype.name], copy=False).tobytes()


def _array(dtype: str, shape: tuple[int, ...], raw: memoryview) -> Array:
    if dtype == "bool":
        bits = np.frombuffer(raw, np.uint8)
        flat = np.unpackbits(bits, count=math.prod(shape), bitorder="little").astype(bool)
    else:
        flat = np.frombuffer(raw, DTYPES[dtype]).astype(np.dtype(dtype))
    return flat.reshape(shape)


@dataclass(frozen=True)
class _Header:
    body: Any
    number: int | None
    specs: list[tuple[str, tuple[int, ...], int]]
    size: int


class FrameReader:
    """Turns a byte stream into messages.

    It never allocates what a header merely claims: bytes are kept as they come. A stream that broke
    the rules once cannot be followed any more, and raises for ever.
    """

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.limits = limits
        self._buffer = bytearray()
        self._header: _Header | None = None
        self._decoder = Decoder()
        self._weight = 0
        self._error: ProtocolError | None = None

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Messages completed by these bytes. Raises ProtocolError on a frame that breaks the rules,
        after the messages before it."""
        self._buffer += data
        return self._messages()

    def _messages(self) -> Iterator[dict[str, Any]]:
        if self._error is not None:
            raise self._error
        try:
            while self._complete():
                message = self._take()
                if message is not None:
                    yield message
        except Exception as error:  # a record's own checks, say: whatever it is, it is malformed
            malformed = ProtocolError(f"A message is malformed: {error}")
            self._error = error if isinstance(error, ProtocolError) else malformed
            raise self._error from error

    def _complete(self) -> bool:
        """Whether a whole frame is there; its header is read as soon as that is."""
        if self._header is None:
            if len(self._buffer) < 4:
                return False
            (length,) = struct.unpack_from("<I", self._buffer)
            self.limits.check(length, 0, 0)
            if len(self._buffer) < 4 + length:
                return False
            self._header = self._read_header(bytes(self._buffer[4 : 4 + length]))
            self._weight += TEXT_WEIGHT * length + self._header.size
            self.limits.check(length, self._header.size, self._weight)
            del self._buffer[: 4 + length]
        return len(self._buffer) >= self._header.size

    def _read_header(self, raw: bytes) -> _Header:
        try:
            header = json.loads(raw)
            number = header.get("list")
            if number is not None and (type(number) is not int or type(header["body"]) is not list):
                raise ValueError("a piece")
            specs = []
            for spec in header["arrays"]:
                dtype, shape = spec["dtype"], tuple(spec["shape"])
                if dtype not in DTYPES or any(type(n) is not int or n < 0 for n in shape):
                    raise ValueError("an array")
                specs.append((dtype, shape, self.limits.array(dtype, shape)))
            return _Header(header["body"], number, specs, sum(size for *_, size in specs))
        except (ValueError, KeyError, TypeError, RecursionError, AttributeError) as error:
            raise ProtocolError("A frame's header is not understood.") from error

    def _take(self) -> dict[str, Any] | None:
        """The message that ends with this frame; None where it was a piece."""
        assert self._header is not None
        header, self._header, decoder, offset = self._header, None, self._decoder, 0
        with memoryview(self._buffer) as view:
            for dtype, shape, size in header.specs:
                with view[offset : offset + size] as raw:
                    decoder.arrays.append(_array(dtype, shape, raw))
                offset += size
        del self._buffer[: header.size]
        if header.number is not None:
            decoder.lists.setdefault(header.number, []).extend(decoder.decode(header.body))
            return None
        self._decoder, self._weight = Decoder(), 0
        message = decoder.decode(header.body)
        if not isinstance(message, dict):
            raise ProtocolError("A message is no object.")
        return message

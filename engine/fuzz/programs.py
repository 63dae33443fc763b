"""Programs of pickle: random ones of everything that has ever been used to do harm with one."""

from __future__ import annotations

import struct
from random import Random

NAMES = (
    *("numpy ndarray", "numpy dtype", "numpy.core.multiarray _reconstruct", "numpy matrix"),
    *(
        "numpy.core.multiarray scalar",
        "numpy._core.multiarray scalar",
        "numpy.core.numeric _frombuffer",
    ),
    *("_codecs encode", "copy_reg _reconstructor", "copyreg _reconstructor", "builtins object"),
    *("builtins set", "__builtin__ frozenset", "chumpy.ch Ch", "chumpy.reordering Select"),
    *("scipy.sparse.csc csc_matrix", "scipy.sparse._coo coo_matrix", "os system", "builtins eval"),
)
TEXTS = (
    "f8",
    "u1",
    "O",
    "O8",
    "V8",
    "latin1",
    "v_template",
    "x",
    "a",
    "idxs",
    "row",
    "indptr",
    "<",
    "|",
)


def _text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def _value(rng: Random) -> bytes:
    kind = rng.randrange(9)
    if kind == 0:
        return b"c" + rng.choice(NAMES).replace(" ", "\n").encode() + b"\n"
    if kind == 1:
        return b"J" + struct.pack("<i", rng.choice((0, 1, 3, 24, -1, 1 << 28, 2**31 - 1)))
    if kind == 2:
        return _text(rng.choice(TEXTS))
    if kind == 3:
        size = rng.choice((0, 1, 8, 8, 64))
        return b"B" + struct.pack("<I", size) + rng.randbytes(size)
    if kind == 4:
        return b"h" + bytes([rng.randrange(8)])
    if kind == 5:
        return rng.choice((b"N", b"\x88", b"\x89", b"]", b"}", b")", b"\x8f", b"("))
    if kind == 6:
        return b"\x8a" + bytes((9,)) + rng.randbytes(9)
    if kind == 7:
        return b"c" + rng.choice(NAMES[:3]).replace(" ", "\n").encode() + b"\n"
    return b"G" + rng.randbytes(8)


_ACTIONS = (
    *(
        b"R",
        b"R",
        b"R",
        b"\x81",
        b"b",
        b"b",
        b"\x85",
        b"\x85",
        b"\x86",
        b"\x87",
        b"t",
        b"t",
        b"s",
        b"u",
    ),
    *(
        b"a",
        b"e",
        b"d",
        b"l",
        b"o",
        b"0",
        b"1",
        b"2",
        b"\x90",
        b"\x91",
        b"\x94",
        b"\x92",
        b"P",
        b"Q",
    ),
    *(b"\x97", b"\x98"),
)


def call(name: str, *arguments: bytes) -> bytes:
    """A call of a name."""
    return b"c" + name.replace(" ", "\n").encode() + b"\n(" + b"".join(arguments) + b"tR"


def _array(rng: Random) -> bytes:
    """An array by its constructor or its state, of any dtype over any bytes."""
    dtype = call("numpy dtype", _text(rng.choice(("O", "f8", "u1", "V8", "O8", "U2"))))
    size = rng.choice((0, 8, 16, 16, 64))
    data = b"B" + struct.pack("<I", size) + rng.randbytes(size)
    count = b"J" + struct.pack("<i", rng.choice((0, 1, 1, 1, 2, 8, 1 << 28))) + b"\x85"
    if rng.random() < 0.5:
        return call("numpy ndarray", count, dtype, data)
    made = call("numpy.core.multiarray _reconstruct", b"cnumpy\nndarray\n", b"K\0\x85", _text("b"))
    return made + b"(K\x01" + count + dtype + b"\x89" + data + b"tb"


def program(rng: Random) -> bytes:
    """A random program, whose end is a body's field as often as not."""
    if rng.random() < 0.2:  # a set asks each item for its hash, at whatever address it is
        return (
            b"\x80\x04"
            + call(rng.choice(("builtins frozenset", "builtins set")), _array(rng))
            + b"."
        )
    parts = [rng.choice((b"\x80\x02", b"\x80\x04", b""))]
    if rng.random() < 0.5:
        parts.append(b"}" + _text(rng.choice(("v_template", "f", "weights"))))
    for _ in range(rng.randrange(1, 24)):
        kind = rng.random()
        if kind < 0.15:
            parts.append(_array(rng) + b"q" + bytes([rng.randrange(8)]))
        elif kind < 0.6:
            parts.append(_value(rng))
        elif kind < 0.65:
            parts.append(b"\x85" * rng.choice((10, 100_000)))
        elif kind < 0.68:
            parts.append(
                rng.choice((b"\x96", b"\x8d", b"\x8e", b"\x95"))
                + struct.pack("<Q", rng.choice((0, 4, 1 << 40, (1 << 64) - 1)))
            )
        elif kind < 0.7:
            parts.append(rng.choice((b"r", b"j", b"T")) + struct.pack("<I", 0x7FFFFFFF))
        else:
            parts.append(rng.choice(_ACTIONS))
    if parts[1:2] and parts[1].startswith(b"}"):
        parts.append(b"s")
    return b"".join(parts) + b"."

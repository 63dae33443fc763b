"""Damage, by what is damaged: bytes, texts, JSON, .npz archives, chunks of image files."""

from __future__ import annotations

import io
import json
import math
import struct
import zipfile
import zlib
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

NUMBERS = (
    0,
    1,
    -1,
    2,
    7,
    127,
    128,
    255,
    256,
    65535,
    2**31 - 1,
    -(2**31),
    2**32,
    2**63,
    2**64,
    10**400,
)
FLOATS = (0.0, -0.0, 1e-320, 1e39, 1e300, -1e300, math.inf, -math.inf, math.nan)
WORDS = (
    *("", "nan", "inf", "-inf", "1e999", "0x10", "1_0", "\u0661", "root", "end", "begin", "{", "}"),
    *("MOTION", "Frames:", "CHANNELS", "JOINT", "End", "OFFSET", "-1", "0", "99999999999999999999"),
    *("XYZ", "rx", ":bonedata", ":hierarchy", "#", "\ufffd", "\x00"),
)


def damage_bytes(rng: Random, raw: bytes, times: int | None = None) -> bytes:
    """Flips, cuts, doubles, zeros, and whole numbers of other sizes, at random places."""
    data = bytearray(raw)
    for _ in range(times or rng.choice((1, 1, 1, 2, 3, 8))):
        place, length = rng.randrange(len(data) + 1), rng.choice((1, 2, 4, 8, 64, 1000))
        if rng.random() < 0.3:  # headers matter most
            place = rng.randrange(min(len(data), 128) + 1)
        kind = rng.randrange(7)
        if kind == 0:
            data[place : place + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            del data[place : place + length]
        elif kind == 2:
            data[place:place] = data[place : place + length]
        elif kind == 3:
            size = rng.choice((1, 2, 4, 8))
            number = rng.choice(NUMBERS) % (1 << (8 * size))
            data[place : place + size] = number.to_bytes(size, rng.choice(("little", "big")))
        elif kind == 4:
            data[place : place + length] = bytes(length)
        elif kind == 5:
            data[place : place + length] = rng.randbytes(length)
        elif rng.random() < 0.3:
            del data[place:]
    return bytes(data)


def damage_text(rng: Random, text: str) -> str:
    """Lines and words out of place, missing, doubled, or numbers that make no sense."""
    lines = text.split("\n")
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        place = rng.randrange(len(lines))
        kind = rng.randrange(6)
        if kind == 0:
            del lines[place : place + rng.choice((1, 1, 5))]
        elif kind == 1:
            lines[place:place] = lines[place : place + rng.choice((1, 1, 20))]
        elif kind == 2:
            lines.insert(rng.randrange(len(lines)), lines[place])
        else:
            words = lines[place].split(" ")
            word = rng.choice((*WORDS, *map(repr, FLOATS), *(str(n)[:30] for n in NUMBERS)))
            words[rng.randrange(len(words))] = word * rng.choice((1, 1, 1, 1, 300))
            lines[place] = " ".join(words)
        lines = lines or [""]
    return "\n".join(lines)


def damage_json(rng: Random, value: Any) -> Any:
    """One node of a value replaced, dropped, doubled or wrapped; deeper ones more often."""
    if isinstance(value, (dict, list)) and value and rng.random() < 0.85:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = rng.choice(keys)
        copy = value.copy()
        if rng.random() < 0.12:
            del copy[key]
        elif rng.random() < 0.1 and isinstance(copy, dict):
            copy[rng.choice([*keys, "", "id", "image_id", "people"])] = copy.pop(key)
        elif rng.random() < 0.1 and isinstance(copy, list):
            copy = copy * rng.choice((2, 50))
        else:
            copy[key] = damage_json(rng, copy[key])
        return copy
    simple: tuple[Any, ...] = (None, True, "", "x" * 300, "\ud800", [], {}, [[]], *NUMBERS, *FLOATS)
    other = rng.choice(simple)
    return [[[[other]]]] if rng.random() < 0.1 else other


def json_bytes(rng: Random, value: Any) -> bytes:
    """As JSON; now and then with bytes damaged too, or nested as deep as a file can."""
    raw = json.dumps(value).encode() if _short(value) else repr(value)[:100_000].encode()
    if rng.random() < 0.15:
        raw = damage_bytes(rng, raw)
    if rng.random() < 0.01:
        raw = rng.choice((b"[", b'{"a":')) * rng.choice((1000, 100_000))
    return raw


def _short(value: Any) -> bool:
    try:
        json.dumps(value)
    except ValueError:  # an int of 400 digits is written, of 5,000 it is not
        return False
    return True


# -- .npz ----------------------------------------------------------------------------------------

DTYPES = (
    *("<f8", ">f8", "<f4", "<f2", "|b1", "<i8", "<u8", "|u1", "<c16", "|O", "<U4", "|S3", "<M8[s]"),
    *("|V8", "<f16", "f8", "|f4", "<f99", ""),
)


def npy(array: np.ndarray) -> bytes:
    """An array as numpy writes it."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=True)
    return stream.getvalue()


def damaged_npy(rng: Random, array: np.ndarray) -> bytes:
    """An array whose header says something else than its bytes."""
    kind = rng.randrange(6) if array.dtype.kind in "biuf" else 5
    if kind == 0:
        return damage_bytes(rng, npy(array))
    if kind == 1:
        flat = array.astype(rng.choice(("f8", "f4", "f2", "i8", "u1", "c16", "U4", "O", "?")))
        return npy(flat)
    if kind == 2:
        copy = np.array(array, np.float64, ndmin=1)
        copy.flat[rng.randrange(max(copy.size, 1)) if copy.size else slice(0)] = rng.choice(FLOATS)
        return npy(copy)
    if kind == 3:
        shape = list(array.shape)
        if shape:
            shape[rng.randrange(len(shape))] = rng.choice((0, 1, 2, 3))
        return npy(np.resize(array, shape))
    shape = [rng.choice((*array.shape, *NUMBERS)) for _ in range(rng.choice((0, 1, 2, 3, 9, 40)))]
    header = {
        "descr": rng.choice(DTYPES),
        "fortran_order": rng.choice((True, False)),
        "shape": tuple(shape),
    }
    text = f"{header}".ljust(rng.choice((0, 117))) + "\n"
    if rng.random() < 0.1:
        text = rng.choice(("(" * 900, "{'descr': " + "[" * 500, "{" * 60_000))
    start = b"\x93NUMPY" + bytes((rng.choice((1, 2, 3, 9)), 0))
    size = struct.pack("<H" if start[6] == 1 else "<I", min(len(text), 65535))
    return start + size + text.encode() + array.tobytes()


def npz(rng: Random, arrays: dict[str, np.ndarray], damage: int) -> bytes:
    """Arrays as an archive, some of them damaged, missing or doubled."""
    harmed = {rng.choice(list(arrays)) for _ in range(damage)}
    stream = io.BytesIO()
    method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED))
    if rng.random() < 0.03:
        method = rng.choice((zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, array in arrays.items():
            if name in harmed and rng.random() < 0.1:
                continue
            data = damaged_npy(rng, array) if name in harmed else npy(array)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), data, method, 1)
    raw = stream.getvalue()
    if rng.random() < 0.3:
        raw = damage_bytes(rng, raw)
    if rng.random() < 0.2:  # the directory at the end is what is believed
        tail = max(0, len(raw) - 46 * len(arrays) - 200)
        raw = raw[:tail] + damage_bytes(rng, raw[tail:])
    return raw


# -- images --------------------------------------------------------------------------------------


def damage_image(rng: Random, raw: bytes) -> bytes:
    """Bytes, or a PNG's chunks with their checksums made right again."""
    if not raw.startswith(b"\x89PNG") or rng.random() < 0.3:
        return damage_bytes(rng, raw)
    chunks, place = [], 8
    while place + 12 <= len(raw):
        length = int.from_bytes(raw[place : place + 4], "big")
        chunks.append((raw[place + 4 : place + 8], raw[place + 8 : place + 8 + length]))
        place += 12 + length
    index = rng.randrange(len(chunks))
    name, data = chunks[index]
    actions: list[Callable[[], None]] = [
        lambda: chunks.__setitem__(index, (name, damage_bytes(rng, data))),
        lambda: chunks.insert(rng.randrange(len(chunks)), (name, data)),
        lambda: chunks.__delitem__(index),
        lambda: chunks.insert(1, (b"tEXt", b"k\0" + bytes(100_000))),
        lambda: chunks.insert(1, (b"zTXt", b"k\0\0" + zlib.compress(bytes(4_000_000)))),
    ]
    rng.choice(actions)()
    result = raw[:8]
    for name, data in chunks:
        check = zlib.crc32(name + data)
        result += struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)
    return result

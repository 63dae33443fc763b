"""Damaged frames against the engine's server and the client: python -m fuzz.wire MINUTES [SEED].

Frames are damaged where it hurts: lengths, headers, types and shapes of arrays, nodes of nested
records, the order of a message's pieces. Whatever arrives, the server answers or closes, the job
that waits ends, no thread dies unseen, and nothing hangs. A case is made of its seed and number
alone, so `case` runs one again.
"""

from __future__ import annotations

import contextlib
import json
import logging
import random
import socket
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from kinflow.client import Engine
from kinflow.client.link import Link
from kinflow.client.values import DTYPES
from kinflow.client.wire import PROTOCOL, FrameReader, pack
from kinflow.errors import CancelledError, KinflowError, ProtocolError
from kinflow.records import Camera, FitResult, Hypothesis, Observation, PriorId
from kinflow.service.server import Server

BOUND = 60.0  # seconds until an answer: for a bug, not for a slow machine
CASES = 8  # frames a connection


class BrokenPromiseError(Exception):
    """A case that broke a promise."""


# -- frames --------------------------------------------------------------------------------------


def _people() -> tuple[Observation, FitResult]:
    camera = Camera(500.0, 500.0, 4.0, 3.0, 8, 6)
    mask = np.eye(6, 8, dtype=bool)
    observation = Observation(np.zeros((17, 2)), np.ones(17), camera=camera, mask=mask)
    shapes = {"global_orient": 3, "body_pose": (23, 3), "betas": 10, "transl": 3, "z": 138}
    arrays = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    arrays["joints"] = np.zeros((24, 3), np.float32)
    minimum = Hypothesis(**arrays, energy=1.0, keypoint_error_px=2.0, log_prob=-3.0)
    result = FitResult(
        **arrays,
        camera=camera,
        vertices=np.zeros((4, 3), np.float32),
        keypoint_error_px=2.0,
        part_iou=None,
        log_prob=float("nan"),
        status="converged",
        timings={"fit_s": 0.1},
        hypotheses=(minimum,) * 2,
        prior=PriorId("light", "0123"),
    )
    return observation, result


def _seeds() -> tuple[list[list[bytes]], list[list[bytes]]]:
    """Requests and replies that are in order, as frames."""
    observation, result = _people()
    z, photo = np.zeros((1, 138), np.float32), np.zeros((9, 8, 3), np.uint8)
    long = [[i, "text " * 9] for i in range(4000)]  # travels in pieces
    requests = [
        ("fit", {"observations": [observation] * 2, "starts": [result, None], "seed": 3}),
        ("refit", {"observation": observation, "last": result}),
        ("decode", {"z": z, "prior": "light", "$key": {"$array": 1}}),
        ("observe", {"photo": [photo, "a.jpg"], "fov_degrees": float("inf")}),
        ("echo", {"long": long, "longer": [z] * 300}),
        ("loop", {}),
        ("cancel", {}),
    ]
    replies = [
        {"kind": "result", "value": [result, None, result]},
        {"kind": "result", "value": {"sources": long, "z": z}},
        {"kind": "result", "value": [observation] * 3},
        {"kind": "error", "code": "cancelled", "message": "no", "hint": ""},
        {"kind": "progress", "fraction": 0.5, "message": "half"},
    ]
    return (
        [pack({"id": n, "method": m, "params": p}) for n, (m, p) in enumerate(requests)],
        [pack({"id": 1} | reply) for reply in replies],
    )


REQUESTS, REPLIES = _seeds()
WORDS = (*DTYPES, "$array", "$list", "$float", "$record", "$", "object", ">f4", "FitResult", "")
NUMBERS = (0, 1, -1, 2**31, 2**32, 2**63, 10**30, 10**400, 1e308, 0.5, float("nan"), 1 << 28)


def _junk(chance: random.Random, depth: int = 0) -> Any:
    """A JSON value that nobody expects."""
    kind = chance.randrange(8 if depth < 3 else 5)
    if kind < 5:
        words = (chance.choice(WORDS), "\ud800", chr(chance.randrange(0xD800)) * 3)
        return chance.choice((None, True, chance.choice(NUMBERS), *words))
    if kind == 5:
        return [_junk(chance, depth + 1) for _ in range(chance.randrange(4))]
    if kind == 6:
        return {chance.choice(WORDS): _junk(chance, depth + 1) for _ in range(chance.randrange(3))}
    deep: Any = 0
    for _ in range(chance.choice((5, 30, 2000))):
        deep = [deep] if chance.random() < 0.9 else {"a": deep}
    return deep


def _places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if len(path) > 12:
        return
    inner = node.items() if isinstance(node, dict) else ()
    for key, value in enumerate(node[:50]) if isinstance(node, list) else inner:
        yield from _places(value, (*path, key))


def _split(frame: bytes) -> tuple[Any, bytes]:
    (length,) = struct.unpack_from("<I", frame)
    return json.loads(frame[4 : 4 + length]), frame[4 + length :]


def _joined(header: Any, raw: bytes) -> bytes:
    with contextlib.suppress(RecursionError):
        text = json.dumps(header).encode()
        return struct.pack("<I", len(text)) + text + raw
    return b"\x02\x00\x00\x00[]"


def _damaged_header(frame: bytes, chance: random.Random) -> bytes:
    header, raw = _split(frame)
    for _ in range(chance.choice((1, 1, 1, 3))):
        path = chance.choice(list(_places(header)))
        node = header
        for key in path[:-1]:
            node = node[key]
        if not path:
            header = _junk(chance)
            break
        if chance.random() < 0.2:
            del node[path[-1]]
        elif chance.random() < 0.2 and isinstance(node, dict):
            node[chance.choice(WORDS)] = node.pop(path[-1])
        else:
            node[path[-1]] = _junk(chance)
    return _joined(header, raw)


def _damaged_array(frame: bytes, chance: random.Random) -> bytes:
    header, raw = _split(frame)
    specs = header["arrays"] or [{"dtype": "float32", "shape": [3]}]
    spec = chance.choice(specs)
    if chance.random() < 0.5:
        spec["dtype"] = chance.choice(WORDS)
    else:
        spec["shape"] = [
            chance.choice((0, 1, 2, 3, 17, *NUMBERS)) for _ in range(chance.randrange(10))
        ]
    header["arrays"] = specs * chance.choice((1, 1, 2))
    size = chance.choice((len(raw), 0, 2 * len(raw)))
    return _joined(header, (raw * 2)[:size])


def _damaged_bytes(frame: bytes, chance: random.Random) -> bytes:
    start, end = sorted(chance.randrange(len(frame) + 1) for _ in range(2))
    middle = frame[start:end][:200]
    return chance.choice(
        (
            frame[:end],
            frame[start:],
            frame[:start] + chance.randbytes(len(middle)) + frame[start + len(middle) :],
            frame[:start] + middle + frame[start:],
            struct.pack("<I", chance.choice((0, 1, 3, 1 << 20, 1 << 31))) + frame[4:],
            chance.randbytes(chance.randrange(100)),
        )
    )


def frames(seeds: list[list[bytes]], chance: random.Random) -> list[bytes]:
    """Some frames, most of them damaged, some only out of order."""
    stream = [frame for _ in range(chance.randrange(1, 4)) for frame in chance.choice(seeds)]
    stream = stream[:CASES]
    if chance.random() < 0.3:
        chance.shuffle(stream)
    damages: list[Callable[[bytes, random.Random], bytes]] = [
        _damaged_header,
        _damaged_header,
        _damaged_array,
        _damaged_bytes,
    ]
    for i in chance.sample(range(len(stream)), chance.randrange(1, len(stream) + 1)):
        stream[i] = chance.choice(damages)(stream[i], chance)
    return stream


# -- the server ----------------------------------------------------------------------------------


def _loop(progress: Callable[[float, str], bool | None], **params: Any) -> None:
    while progress(0.5, "looping") is not False:
        time.sleep(0.001)
    raise CancelledError("stopped")


def _echo(progress: Callable[[float, str], bool | None], **params: Any) -> Any:
    progress(0.5, "echoing")
    return params


METHODS = {name: _echo for name in ("fit", "refit", "decode", "observe", "echo")} | {"loop": _loop}


def against_server(stream: list[bytes]) -> str:
    """Sends the frames and a probe to a server of their own. -> how it ended."""
    ours, theirs = socket.socketpair()
    ours.settimeout(BOUND)
    server = threading.Thread(target=Server(theirs, METHODS).serve, daemon=True)
    server.start()
    outcome = "closed"
    with ours:
        sender = threading.Thread(target=_send, args=(ours, [*stream, *REQUESTS[2]]), daemon=True)
        sender.start()
        reader = FrameReader()
        try:
            while data := ours.recv(1 << 20):
                for _ in reader.feed(data):
                    outcome = "answered"
        except ConnectionError:
            pass  # it hung up on bytes it had not read
        except TimeoutError:
            raise BrokenPromiseError("the server neither answers nor closes") from None
        except ProtocolError as error:
            raise BrokenPromiseError(f"the server's own answer is malformed: {error}") from error
        with contextlib.suppress(OSError):
            ours.shutdown(socket.SHUT_RDWR)
        for thread in (server, sender):
            thread.join(BOUND)
            if thread.is_alive():
                raise BrokenPromiseError("the server hangs after the connection ended")
    return outcome


def _send(connection: socket.socket, stream: list[bytes]) -> None:
    with contextlib.suppress(OSError):
        for frame in stream:
            connection.sendall(frame)
        connection.shutdown(socket.SHUT_WR)


# -- the client ----------------------------------------------------------------------------------


class _Process:
    """Stands for the engine's process."""

    running = True

    def wait(self, timeout: float | None = None) -> int | None:
        return 0

    def end(self) -> None:
        self.running = False

    def log_tail(self) -> str:
        return ""


def against_client(stream: list[bytes], chance: random.Random) -> str:
    """A job is asked for, and answered with the frames. -> how it ended."""
    engine, link = Engine("nobody"), Link()
    with socket.create_connection(("127.0.0.1", link.port)) as theirs:
        theirs.sendall(b"".join(pack({"token": link.token, "protocol": PROTOCOL})))
        deadline = time.monotonic() + BOUND
        while not link.ready:
            link.poll(0.1)
            if link.error or time.monotonic() > deadline:
                raise BrokenPromiseError(f"the handshake failed: {link.error}")
        engine._process, engine._link = _Process(), link  # type: ignore[assignment]
        job = engine.submit("fit", lambda share, text: None, observations=[])
        data = b"".join(stream)
        sender = threading.Thread(target=_send, args=(theirs, _cuts(data, chance)), daemon=True)
        sender.start()
        deadline = time.monotonic() + BOUND
        while not job.done and time.monotonic() < deadline:
            engine.poll(0.05)
        if not job.done:
            raise BrokenPromiseError("the job does not end")
        engine.close()
        sender.join(BOUND)
    if job.error is not None and not isinstance(job.error, KinflowError):
        raise BrokenPromiseError(f"a foreign error: {job.error!r}")
    return "value" if job.error is None else "error"


def _cuts(data: bytes, chance: random.Random) -> list[bytes]:
    places = sorted(chance.randrange(len(data) + 1) for _ in range(3))
    return [data[a:b] for a, b in zip((0, *places), (*places, len(data)), strict=True)]


# -- the run -------------------------------------------------------------------------------------


def case(seed: int, number: int) -> tuple[str, int]:
    """One case. -> how it ended, and of how many frames it was. Raises BrokenPromiseError."""
    chance = random.Random(f"{seed}-{number}")
    stream = frames(REPLIES if number % 2 else REQUESTS, chance)
    try:
        if number % 2:
            return f"client: {against_client(stream, chance)}", len(stream)
        return f"server: {against_server(stream)}", len(stream)
    except Exception as error:
        raise BrokenPromiseError(f"wire, seed {seed}, case {number}: {error!r}") from error


def run(minutes: float, seed: int) -> dict[str, int]:
    """Cases for so long. -> how many frames, and how many cases ended in which way.

    Raises BrokenPromiseError, with the seed and number of the case, for the first broken promise.
    """
    counts: Counter[str] = Counter()
    deaths: list[str] = []

    def died(arguments: threading.ExceptHookArgs) -> None:
        deaths.append(f"{arguments.thread}: {arguments.exc_value!r}")

    hook, threading.excepthook = threading.excepthook, died
    logging.disable(logging.CRITICAL)
    deadline = time.monotonic() + 60 * minutes
    number = 0
    try:
        while time.monotonic() < deadline:
            outcome, count = case(seed, number)
            counts["frames"] += count
            counts[outcome] += 1
            if deaths:
                raise BrokenPromiseError(
                    f"wire, seed {seed}, case {number}: a thread died: {deaths}"
                )
            number += 1
    finally:
        threading.excepthook = hook
        logging.disable(logging.NOTSET)
    return dict(counts)


if __name__ == "__main__":
    print(run(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))

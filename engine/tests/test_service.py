import os
import signal
import socket
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from kinflow.client import Engine
from kinflow.errors import CancelledError, EngineError, InvalidInputError, PhotoError
from kinflow.records import Camera, Observation
from kinflow.wire import pack


@pytest.fixture(scope="module")
def engine():
    with Engine() as e:
        yield e


def person(seed=0):
    r = np.random.default_rng(seed)
    from kinflow import load_body
    from kinflow.bodies.keypoints import keypoint_regressor

    body = load_body()
    camera = Camera(1000, 1000, 500, 500, 1000, 1000)
    import torch

    vertices, joints = body(
        torch.tensor([[np.pi, 0, 0]]), None, None, torch.tensor([[0.0, 0.2, 4.0]])
    )
    points = keypoint_regressor(body, "coco17")(joints, vertices)[0].numpy()
    return Observation(
        camera.project(points) + r.normal(size=(17, 2)), np.ones(17), "coco17", camera
    )


def test_client_loads_no_torch_in_a_clean_interpreter():
    code = "import sys, kinflow.client, kinflow.records, kinflow.priors.numpy_flow, kinflow.bodies.arrays; sys.exit('torch' in sys.modules or 'cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_out_of_process_gives_the_same_numbers(engine):
    from kinflow import fit, load_prior

    o = person()
    ours = fit(o, losses=("ka",), device="cpu")[0]
    theirs = engine.fit(o, losses=("ka",), device="cpu")[0]
    assert np.abs(ours.joints - theirs.joints).max() < 1e-3
    z = np.random.default_rng(0).normal(size=(2, 138)).astype(np.float32)
    assert np.abs(engine.decode(z) - load_prior("light").decode(z).numpy()).max() < 1e-5
    assert np.abs(engine.decode(engine.encode(engine.decode(z))) - engine.decode(z)).max() < 1e-3
    assert engine.sample(3, seed=1).shape == (3, 23, 3, 3)


def test_errors_arrive_with_their_type_and_hint(engine):
    with pytest.raises(PhotoError, match="no file"):
        engine.observe("/nowhere/x.jpg")
    with pytest.raises(InvalidInputError):
        engine.decode(np.zeros((1, 5)))
    with pytest.raises(InvalidInputError, match="no method"):
        engine.call("make_coffee")
    with pytest.raises(InvalidInputError):
        engine.call("decode", nonsense=1)
    assert engine.call("device_info")["kinflow"]


def test_a_stale_request_is_dropped_and_says_so(engine):
    o = person()
    last = engine.fit(o, losses=("ka",))[0]
    jobs = [engine.submit("refit", observation=o, last=last) for _ in range(6)]
    for job in jobs:
        while not job.done:
            engine.poll(0.05)
    assert jobs[-1].error is None
    assert any(isinstance(j.error, CancelledError) for j in jobs[:-1])


def test_cancel_ends_a_fit_early(engine):
    people = [person(i) for i in range(200)]
    job = engine.submit("fit", observations=people, losses=["ka"])
    while job.fraction == 0 and not job.done:
        engine.poll(0.05)
    engine.cancel(job)
    with pytest.raises(CancelledError):
        engine.wait(job)


def test_an_engine_killed_in_mid_fit_is_a_typed_error_and_the_next_call_works(engine):
    job = engine.submit("fit", observations=[person(i) for i in range(100)], losses=["ka"])
    while job.fraction == 0 and not job.done:
        engine.poll(0.05)
    engine._process.kill()
    started = time.monotonic()
    with pytest.raises(EngineError):
        engine.wait(job)
    assert time.monotonic() - started < 1
    assert engine.call("device_info")["kinflow"]


@pytest.mark.skipif(sys.platform == "win32", reason="asks the system for a process by its number")
def test_the_engine_dies_with_its_parent():
    code = textwrap.dedent("""
        import sys, time
        from kinflow.client import Engine
        e = Engine(); e.start(); print(e._process.pid, flush=True); time.sleep(60)
    """)
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    number = int(parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{number}/stat") as stat:
                if stat.read().split(")")[1].split()[0] == "Z":
                    return
        except FileNotFoundError:
            return
        time.sleep(0.05)
    pytest.fail("the engine outlived its parent by 2 s")


def test_a_stranger_with_a_wrong_token_is_turned_away():
    e = Engine()
    e._launch()
    with socket.create_connection(("127.0.0.1", e._listener.getsockname()[1])) as stranger:
        stranger.sendall(pack({"token": "guess", "protocol": 1}))
        e.start()
        assert e.call("device_info")["kinflow"]
    e.close()


def test_a_missing_python_is_a_plain_sentence():
    with pytest.raises(EngineError, match="could not be started"):
        Engine("/nowhere/python").start()


def test_a_python_without_kinflow_is_a_plain_sentence(tmp_path):
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho no module named kinflow >&2\nexit 1\n")
    script.chmod(0o755)
    with pytest.raises(EngineError, match="no module named kinflow"):
        Engine(script).start()


def test_bad_frames_get_an_answer_or_a_close_and_never_a_crash():
    """A raw server on a socket pair, fed with frames that break the rules."""
    from kinflow.service.server import Server
    from kinflow.wire import FrameReader

    for junk in (
        b"\xff\xff\xff\xff",
        b"\x02\x00\x00\x00{}",
        b"\x05\x00\x00\x00hello",
        pack({"id": 1})[:-3],
        pack({"method": ["x"]}),
        pack({"id": 2, "method": "fit", "params": {"observations": 3}}),
    ):
        a, b = socket.socketpair()
        import threading

        thread = threading.Thread(target=Server(b).serve, daemon=True)
        thread.start()
        a.sendall(junk)
        a.shutdown(socket.SHUT_WR)
        a.settimeout(5)
        data = b""
        while chunk := a.recv(4096):
            data += chunk
            if FrameReader().feed(data):
                break
        thread.join(5)
        assert not thread.is_alive()
        a.close(), b.close()


def feed(junk: bytes) -> None:
    """Sends bytes to a server of its own; fails unless it answers or closes within 5 s."""
    import threading

    from kinflow.service.server import Server

    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=Server(theirs).serve, daemon=True)
    thread.start()
    try:
        ours.sendall(junk)
        ours.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # it closed already, which is an answer
    ours.settimeout(5)
    try:
        while ours.recv(65536):
            pass
    except ConnectionResetError:
        pass
    thread.join(5)
    assert not thread.is_alive()
    ours.close()


def damaged_frames(count: int, seed: int):
    """Cut, oversized, wrong shapes, wrong dtypes, wrong methods, random bytes."""
    random = np.random.default_rng(seed)
    good = pack({"id": 1, "method": "decode", "params": {"z": np.zeros((1, 138), np.float32)}})
    wrong = [
        {"id": 1, "method": "decode", "params": {"z": np.zeros(3)}},
        {"id": "x", "method": "decode", "params": []},
        {"id": 1, "method": "encode", "params": {"pose": np.zeros((2, 2), np.uint8)}},
        {"method": None},
        {"id": 1},
        {"id": 1, "method": "fit", "params": {"observations": [1, 2]}},
        {"id": 1, "method": "sample", "params": {"n": -5}},
        {"id": 1, "method": "cancel"},
        {"id": 1, "method": "project", "params": {"points": "no", "camera": None}},
    ]
    frames = [pack(w) for w in wrong]
    for _ in range(count):
        kind = random.integers(5)
        if kind == 0:
            yield random.bytes(int(random.integers(0, 80)))
        elif kind == 1:
            yield good[: random.integers(0, len(good))]
        elif kind == 2:
            raw = bytearray(good)
            for place in random.integers(0, len(raw), 3):
                raw[place] = random.integers(256)
            yield bytes(raw)
        elif kind == 3:
            yield frames[random.integers(len(frames))]
        else:
            yield int(random.integers(2**32)).to_bytes(4, "little") + random.bytes(20)


def test_a_thousand_damaged_frames_never_crash_or_hang_the_server():
    for junk in damaged_frames(1000, 0):
        feed(junk)


@pytest.mark.slow
def test_twenty_thousand_damaged_frames_never_crash_or_hang_the_server():
    for junk in damaged_frames(20_000, 1):
        feed(junk)


def resident(pid: int) -> int:
    with open(f"/proc/{pid}/statm") as stream:
        return int(stream.read().split()[1])


@pytest.mark.skipif(
    not os.path.exists("/proc/self/statm"), reason="asks Linux for a process' memory"
)
def test_a_thousand_jobs_leave_memory_flat(engine):
    o = person()
    last = engine.fit(o, losses=("ka",))[0]
    z = np.zeros((1, 138), np.float32)

    def work(rounds):
        for i in range(rounds):
            engine.call("decode", z=z, mesh=True)
            if i % 50 == 0:
                engine.call("refit", observation=o, last=last)

    work(300)
    before = resident(engine._process.pid)
    work(1000)
    assert resident(engine._process.pid) < 1.05 * before


def test_two_clients_have_an_engine_each(engine):
    with Engine() as other:
        assert other._process.pid != engine._process.pid
        assert other.call("device_info") == engine.call("device_info")


def test_an_idle_engine_ends_when_it_was_asked_to():
    with Engine(idle_shutdown_s=0.3) as e:
        process = e._process
        assert process.wait(10) == 0


def test_running_out_of_memory_halves_the_batch_and_ends_on_the_cpu():
    import torch

    from kinflow import fit
    from kinflow.service.methods import fit_in_memory

    calls = []

    def call(people, starts, device):
        calls.append((len(people), device))
        if device != "cpu":
            raise torch.OutOfMemoryError("full")
        return fit(people, losses=("ka",), device="cpu")

    results = fit_in_memory(call, [person(0), person(1)], None, "cuda")
    assert calls == [(2, "cuda"), (1, "cuda"), (1, "cpu"), (1, "cuda"), (1, "cpu")]
    assert len(results) == 2 and all("memory" in r.message for r in results)


def test_logs_are_rotated(tmp_path):
    log = tmp_path / "engine-1.log"
    log.write_bytes(b"x" * (2 << 20))
    with Engine(log_path=log) as e:
        assert e.call("device_info")["kinflow"]
    assert log.stat().st_size < 1 << 20 and log.with_suffix(".log.1").exists()

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

    vertices, joints = body(torch.tensor([[np.pi, 0, 0]]), None, None, torch.tensor([[0.0, 0.2, 4.0]]))
    points = keypoint_regressor(body, "coco17")(joints, vertices)[0].numpy()
    return Observation(camera.project(points) + r.normal(size=(17, 2)), np.ones(17), "coco17", camera)


def test_client_loads_no_torch_in_a_clean_interpreter():
    code = "import sys, kinflow.client, kinflow.records, kinflow.flows.numpy_flow, kinflow.bodies.arrays; sys.exit('torch' in sys.modules or 'cv2' in sys.modules)"
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

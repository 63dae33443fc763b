"""The client against engines of a few lines: start, handshake, crash, cancel, close."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from kinflow.client import Engine, client, link
from kinflow.client.wire import PROTOCOL, pack
from kinflow.errors import CancelledError, EngineError, KinflowError, ProtocolError

START = """
import os, signal, sys, threading, time
import numpy as np
from kinflow.client.wire import pack
from kinflow.errors import KinflowError
from kinflow.service.server import connect_back

def cancellable(progress, step=0.01, n=10_000):
    for i in range(n):
        if progress(i / n, "working") is False:
            raise KinflowError("stopped")
        time.sleep(step)
    return i

METHODS = {
    "echo": lambda progress, **params: params,
    "where": lambda progress: {"cwd": os.getcwd(), "path": sys.path, "env": dict(os.environ)},
    "loop": cancellable,
    "deaf": lambda progress: progress(0.1, "deaf") or time.sleep(600),
    "die": lambda progress: os._exit(7),
    "quit": lambda progress: os.kill(os.getpid(), signal.SIGTERM),
}
port, token = int(sys.argv[sys.argv.index("--connect") + 1]), sys.stdin.readline().strip()

def end():
    sys.stdin.read()
    os._exit(0)

threading.Thread(target=end, daemon=True).start()
server = connect_back(port, token, METHODS, "stub", 0.0)
say = server._send

def burst(*messages):
    server._connection.sendall(b"".join(frame for m in messages for frame in pack(m)))
"""
SERVE = "server.serve(); os._exit(0)"
pytestmark = pytest.mark.skipif(os.name == "nt", reason="a script stands for a Python")


@pytest.fixture
def engine_of(tmp_path):
    """An engine whose process runs these lines."""
    engines = []

    def make(code: str = SERVE, start: str = START, **more) -> Engine:
        script = tmp_path / f"python-{len(engines)}"
        script.write_text(f"#!{sys.executable}\n{start}\n{code}\n")
        script.chmod(0o755)
        engines.append(Engine(script, log_path=tmp_path / f"engine-{len(engines)}.log", **more))
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()


def until(condition, engine: Engine | None = None, seconds: float = 60.0) -> None:
    """Polls until something holds; the limit is there for a bug, not for a slow machine."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        engine.poll(0.02) if engine else time.sleep(0.02)


# -- start ---------------------------------------------------------------------------------------


def test_a_missing_python_is_a_plain_sentence():
    with pytest.raises(EngineError, match="could not be started"):
        Engine("/nowhere/python").start()


def dead_before_the_token(monkeypatch):
    """The token is written to a process that has certainly ended."""
    real = subprocess.Popen

    def ended(*arguments, **more):
        process = real(*arguments, **more)
        process.wait()
        return process

    monkeypatch.setattr(subprocess, "Popen", ended)


@pytest.mark.parametrize("before", [True, False], ids=["before the token", "after it"])
def test_a_python_without_kinflow_is_a_plain_sentence(tmp_path, monkeypatch, before):
    script = tmp_path / "python"
    wait = "" if before else "read token; "
    script.write_text(f"#!/bin/sh\n{wait}echo no module named kinflow >&2\nexit 3\n")
    script.chmod(0o755)
    if before:
        dead_before_the_token(monkeypatch)
    with pytest.raises(EngineError, match="no module named kinflow") as caught:
        Engine(script, log_path=tmp_path / "log").start()
    assert "exit code 3" in str(caught.value) and "Broken pipe" not in str(caught.value)


def test_the_words_of_an_earlier_run_are_not_told_again(tmp_path, engine_of):
    log = tmp_path / "engine-0.log"
    log.write_text("words of an earlier run\n")
    with pytest.raises(EngineError, match="of this one") as caught:
        engine_of("sys.exit('words of this one')", start="import sys").start()
    assert "earlier run" not in str(caught.value)


def test_jobs_sent_before_the_engine_is_up_learn_that_it_never_came(engine_of):
    engine = engine_of("sys.exit('no torch here')", start="import sys")
    job = engine.submit("echo")
    with pytest.raises(EngineError, match="no torch here"):
        engine.start()
    assert job.done and isinstance(job.error, EngineError)


def test_an_engine_that_never_calls_back_ends_in_a_sentence(engine_of, monkeypatch):
    monkeypatch.setattr(client, "START_TIMEOUT", 0.2)
    engine = engine_of("sys.stdin.read()", start="import sys")
    with pytest.raises(EngineError, match="did not answer in time"):
        engine.start()
    assert not engine.running


def test_another_protocol_is_named(engine_of):
    engine = engine_of(
        SERVE,
        START.replace(
            "\nserver =", "\nfrom kinflow.service import server as s; s.PROTOCOL = 99\nserver ="
        ),
    )
    with pytest.raises(EngineError, match="protocol 99"):
        engine.start()


def test_nothing_beside_the_users_files_or_on_an_inherited_path_is_run(tmp_path, monkeypatch):
    trap = tmp_path / "project"
    trap.mkdir()
    for name in ("numpy", "torch", "json", "sitecustomize", "usercustomize", "startup"):
        (trap / f"{name}.py").write_text(f"open({str(trap / 'sprung')!r}, 'w')\nraise SystemExit\n")
    for name in ("PYTHONPATH", "PYTHONHOME"):
        monkeypatch.setenv(name, str(trap))
    monkeypatch.setenv("PYTHONSTARTUP", str(trap / "startup.py"))
    monkeypatch.chdir(trap)
    engine = Engine(log_path=tmp_path / "log")
    # as far as the imports of the real engine's start, which is where a trap would spring
    monkeypatch.setattr(link, "PROTOCOL", "another")
    with pytest.raises(EngineError, match="protocol"):
        engine.start()
    assert not (trap / "sprung").exists()


def test_the_engine_has_a_working_folder_of_its_own_and_no_pythons_variables(
    engine_of, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    monkeypatch.setenv("KINFLOW_CACHE", "cache")
    place = engine_of().call("where")
    assert Path(place["cwd"]) == tmp_path / "cache" / "engine"
    assert not [name for name in place["env"] if name.startswith("PYTHON")]
    assert place["env"]["KINFLOW_CACHE"] == str(tmp_path / "cache")


def test_relative_paths_mean_what_they_mean_here(engine_of, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.safetensors").touch()
    (tmp_path / "light").touch()
    engine = engine_of()
    sent = {"photo": ["a.jpg", np.zeros((2, 2, 3), np.uint8)], "body": "mine.safetensors"}
    value = engine.call("echo", **sent, inputs=["shots/*.jpg", Path("b")], prior="light", n="a.jpg")
    assert value["photo"][0] == str(tmp_path / "a.jpg") and value["photo"][1].shape == (2, 2, 3)
    assert value["body"] == str(tmp_path / "mine.safetensors") and value["prior"] == "light"
    assert value["inputs"] == [str(tmp_path / "shots/*.jpg"), str(tmp_path / "b")]
    assert value["n"] == "a.jpg"


# -- handshake -----------------------------------------------------------------------------------


def call(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port))


def hello(token: object, **more: object) -> bytes:
    return b"".join(pack({"token": token, "protocol": PROTOCOL} | more))


def test_who_connects_and_says_nothing_keeps_nobody_waiting(monkeypatch):
    monkeypatch.setattr(link, "HELLO_SECONDS", 1e9)  # they are never sent away
    line = link.Link()
    silent = [call(line.port) for _ in range(40)]
    silent[0].sendall(b"\x10\x00")  # the beginning of a frame
    line.poll(1)
    ours = call(line.port)
    ours.sendall(hello(line.token, device="stub"))
    until(lambda: line.poll(0.1) or line.ready)
    assert line.device == "stub" and line.error is None
    for connection in silent:  # they are turned away once the engine is there
        connection.settimeout(10)
        assert connection.recv(1) == b""
    line.close()
    ours.close()


def test_who_says_nothing_is_turned_away_after_a_while(monkeypatch):
    monkeypatch.setattr(link, "HELLO_SECONDS", 0.05)
    line = link.Link()
    with call(line.port) as silent:
        silent.settimeout(0)
        until(lambda: line.poll(0.02) or _closed(silent))
    assert not line.ready and line.error is None
    line.close()


def test_ever_so_many_callers_leave_the_door_open():
    line = link.Link()
    crowd = []
    for _ in range(3 * link.MAX_CALLERS):
        crowd.append(call(line.port))
        line.poll(0)
    assert len(line._callers) <= link.MAX_CALLERS
    ours = call(line.port)
    ours.sendall(hello(line.token))
    until(lambda: line.poll(0.1) or line.ready)
    line.close()


def _closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


@pytest.mark.parametrize(
    "words",
    [
        hello("guess"),
        hello(None),
        hello("\ud800"),
        hello(["a"]),
        hello("", protocol=1),
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff\xff\xff\xff",
        b"\x02\x00\x00\x00[]",
        b"".join(pack({"a": np.zeros(9)})),
        b"".join(pack({"a": "x" * 5000})),
        b"",
    ],
)
def test_a_stranger_is_turned_away_whatever_he_says(words):
    line = link.Link()
    with call(line.port) as stranger:
        stranger.sendall(words)
        stranger.shutdown(socket.SHUT_WR)
        stranger.settimeout(0)
        until(lambda: line.poll(0.02) or _closed(stranger))
    assert not line.ready and line.error is None
    line.close()


# -- every wait has an end -----------------------------------------------------------------------


def test_a_crash_ends_every_job_and_the_next_call_works(engine_of):
    engine = engine_of()
    jobs = [engine.submit("die"), engine.submit("echo"), engine.submit("echo")]
    for job in jobs:
        with pytest.raises(EngineError, match="exit code 7"):
            engine.wait(job)
    assert engine.call("echo", a=1) == {"a": 1}


def test_a_crash_that_the_next_request_notices_ends_the_jobs_before_it(engine_of):
    engine = engine_of()
    engine.start()
    lost = engine.submit("loop")
    engine._process.kill()
    engine._process.wait()
    assert engine.call("echo", a=1) == {"a": 1}
    assert lost.done and isinstance(lost.error, EngineError)


def test_what_was_answered_before_the_end_arrives(engine_of):
    answers = "for n in (1, 2, 3): say({'id': n, 'kind': 'result', 'value': [n] * 100_000})\n"
    engine = engine_of("time.sleep(0.2); " + answers.replace("for", "\nfor", 1) + "os._exit(5)")
    jobs = [engine.submit("echo") for _ in range(4)]
    for job in jobs[:3]:
        assert len(engine.wait(job)) == 100_000
    with pytest.raises(EngineError, match="exit code 5"):
        engine.wait(jobs[3])


def test_closing_cancels_what_is_under_way_and_waiting_for_it_ends(engine_of):
    engine = engine_of()
    job = engine.submit("loop")
    until(lambda: job.fraction > 0, engine)
    engine.close()
    with pytest.raises(CancelledError, match="closed"):
        engine.wait(job)
    assert not engine.running


def test_waiting_for_a_job_that_is_not_under_way_ends(engine_of):
    engine, other = engine_of(), engine_of()
    job = other.submit("loop")
    with pytest.raises(EngineError, match="not under way"):
        engine.wait(job)


def test_a_wait_with_a_limit_cancels_the_job(engine_of):
    engine = engine_of()
    job = engine.submit("loop")
    with pytest.raises(EngineError, match=r"not ended after 0\.1 s"):
        engine.wait(job, 0.1)
    until(lambda: job.done, engine)
    assert isinstance(job.error, CancelledError) or "stopped" in str(job.error)


def test_cancelling_a_job_that_waits_its_turn_ends_it_as_cancelled(engine_of):
    engine = engine_of()
    first, second = engine.submit("loop"), engine.submit("loop")
    until(lambda: first.fraction > 0, engine)
    engine.cancel(second)
    engine.cancel(first)
    with pytest.raises(KinflowError, match="stopped"):
        engine.wait(first)
    with pytest.raises(CancelledError):
        engine.wait(second)


def test_an_engine_that_does_not_stop_when_asked_to_is_ended(engine_of, monkeypatch):
    monkeypatch.setattr(client, "CANCEL_TIMEOUT", 0.2)
    monkeypatch.setattr(client, "LAST_WORDS", 0.1)
    engine = engine_of()
    engine.start()
    job, behind = engine.submit("deaf"), engine.submit("echo")
    until(lambda: job.fraction > 0, engine)
    engine.cancel(job)
    for stuck in (job, behind):
        with pytest.raises(EngineError, match="did not stop"):
            engine.wait(stuck)
    assert engine.call("echo", a=1) == {"a": 1}


@pytest.mark.parametrize(
    "reply",
    [
        "connection.sendall(b'\\xff' * 100)",
        "connection.sendall(b'\\x02\\x00\\x00\\x00{}')",
        "say({'id': 1, 'kind': 'brew'})",
        "say({'id': None, 'kind': 'error', 'message': 'cannot follow'})",
        "say({'kind': 'result'})",
        "say({'id': [1], 'kind': ['result']})",
    ],
)
def test_a_reply_that_makes_no_sense_ends_the_job(engine_of, reply):
    engine = engine_of(f"connection = server._connection; {reply}; time.sleep(600)")
    job = engine.submit("echo")
    with pytest.raises(EngineError):
        engine.wait(job)


@pytest.mark.parametrize("fraction", ["'x'", "[1]", "None", "float('nan')", "10 ** 19", "-5"])
def test_odd_progress_is_progress_all_the_same(engine_of, fraction):
    report = f"{{'id': 1, 'kind': 'progress', 'fraction': {fraction}, 'message': 3}}"
    engine = engine_of(f"say({report}); {SERVE}")
    fractions = []
    engine.call("echo", lambda share, text: fractions.append(share))
    assert len(fractions) == 1 and 0 <= fractions[0] <= 1


def test_the_reason_that_the_engine_gives_for_hanging_up_is_told(engine_of):
    engine = engine_of()
    engine.start()
    job = engine.submit("loop")
    engine._link._unsent.append(memoryview(b"\xff\xff\xff\xff"))
    with pytest.raises(EngineError, match="at most"):
        engine.wait(job)


def test_a_callback_that_fails_loses_no_reply(engine_of):
    progress = {"id": 1, "kind": "progress", "fraction": 0.5, "message": ""}
    results = [{"id": n, "kind": "result", "value": n} for n in (1, 2)]
    engine = engine_of(f"burst(*{[progress, *results]}); time.sleep(600)")

    def fail(share: float, text: str) -> None:
        raise ZeroDivisionError

    job, other = engine.submit("echo", fail), engine.submit("echo")
    with pytest.raises(ZeroDivisionError):
        until(lambda: job.done, engine)
    assert (engine.wait(job), engine.wait(other)) == (1, 2)


def test_a_callback_may_cancel_and_may_close(engine_of):
    engine = engine_of()
    with pytest.raises(KinflowError, match="stopped"):
        engine.call("loop", lambda share, text: False)
    with pytest.raises(CancelledError):
        engine.call("loop", lambda share, text: engine.close())


def test_what_cannot_be_sent_leaves_the_engine_as_it_was(engine_of):
    engine = engine_of()
    with pytest.raises(ProtocolError):
        engine.submit("echo", a=object())
    assert engine.call("echo", a=1) == {"a": 1}


def test_a_request_and_a_reply_larger_than_a_frame_go_through(engine_of):
    masks = [np.random.default_rng(i).random((3000, 4000)) < 0.5 for i in range(12)]
    masks += [np.full((3000, 4000), i, np.uint8) for i in range(4)]
    value = engine_of().call("echo", photo=masks)
    assert all(np.array_equal(a, b) for a, b in zip(value["photo"], masks, strict=True))


def test_an_engine_that_ends_by_itself_while_idle_is_no_error(engine_of):
    engine = engine_of("server._idle = 0.1; " + SERVE)
    engine.start()
    until(lambda: not engine.running, engine)
    assert engine.call("echo", a=1) == {"a": 1}


def test_an_engine_that_is_idle_before_anybody_looks_has_started(engine_of, monkeypatch):
    engine = engine_of("server._idle = 0.1; " + SERVE)
    look = engine.poll

    def look_late(timeout=0.0):
        time.sleep(1.0)
        look(timeout)

    monkeypatch.setattr(engine, "poll", look_late)
    engine.start()
    monkeypatch.setattr(engine, "poll", look)
    assert engine.call("echo", a=1) == {"a": 1}


# -- nobody is left behind -----------------------------------------------------------------------


def ended(pid: int) -> bool:
    """Whether a process is gone, or only waits to be reaped."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


on_linux = pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="asks Linux")
LAUNCH = """
import sys, time
from kinflow.client import Engine
e = Engine(log_path=sys.argv[1]); e.start({wait}); print(e._process.pid, flush=True)
time.sleep(600)
"""


@on_linux
@pytest.mark.parametrize("delay", [0, 0.1, 0.3, 0.6, 1.0, 1.5])
def test_the_engine_dies_with_its_parent_even_while_it_starts(tmp_path, delay):
    code = LAUNCH.format(wait="False")
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True
    )
    number = int(parent.stdout.readline())
    time.sleep(delay)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    started = time.monotonic()
    until(lambda: ended(number))
    assert time.monotonic() - started < 2
    parent.stdout.close()


@on_linux
def test_the_engine_ends_even_where_no_thread_of_python_gets_a_turn():
    code = (
        "import re, sys, kinflow.service.__main__ as service; sys.stdin.readline();"
        "service._end_even_while_loading(); print('busy', flush=True);"
        "re.match('(a+)+$', 60 * 'a' + 'b')"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as busy:
        busy.stdin.write(b"token\n")
        busy.stdin.flush()
        assert busy.stdout.readline() == b"busy\n"
        busy.stdin.close()
        assert busy.wait(60) == -signal.SIGIO


@on_linux
def test_ctrl_c_in_the_terminal_is_heard_by_the_client_alone(tmp_path):
    code = LAUNCH.format(wait="True")
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True
    )
    number = int(parent.stdout.readline())
    for _ in range(3):
        os.kill(number, signal.SIGINT)
    time.sleep(0.3)
    assert not ended(number)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until(lambda: ended(number))

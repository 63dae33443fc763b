"""The server on a pair of sockets with methods of a few lines, and the real engine."""

import os
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch

from kinflow import fit, fit_sequence, load_body, load_prior, solve_ik
from kinflow.bodies.keypoints import keypoint_regressor
from kinflow.client import Engine
from kinflow.client.wire import FrameReader, pack
from kinflow.errors import CancelledError, EngineError, InvalidInputError, PhotoError
from kinflow.fitting.sequence import Pin, refit_span
from kinflow.posing import Effector, Floor, feet_on_floor, standing
from kinflow.records import Camera, Observation
from kinflow.service import server as server_module
from kinflow.service.fits import fit_in_memory
from kinflow.service.server import Server

# -- the server ----------------------------------------------------------------------------------


class Wire:
    """A client's bare end of a server's connection."""

    def __init__(self, methods: dict, idle: float = 0.0) -> None:
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(60)
        self.server = Server(theirs, methods, idle)
        self.thread = threading.Thread(target=self.server.serve, daemon=True)
        self.thread.start()
        self._reader = FrameReader()
        self._messages: list[dict] = []

    def send(self, *messages: dict) -> None:
        self.socket.sendall(b"".join(frame for m in messages for frame in pack(m)))

    def ask(self, number: int, method: str, **params: object) -> None:
        self.send({"id": number, "method": method, "params": params})

    def receive(self) -> dict | None:
        """The next message; None at the end of the stream."""
        while not self._messages:
            data = self.socket.recv(1 << 16)
            if not data:
                return None
            self._messages += self._reader.feed(data)
        return self._messages.pop(0)

    def ended(self) -> bool:
        self.thread.join(60)
        return not self.thread.is_alive()


@pytest.fixture
def wire_of():
    wires = []

    def make(*arguments, **more) -> Wire:
        wires.append(Wire(*arguments, **more))
        return wires[-1]

    yield make
    for wire in wires:
        wire.socket.close()
        assert wire.ended()


def wait_for_a_stop(progress):
    """A job that reports between its iterations, and never ends by itself."""
    while progress(0.5, "iterating") is not False:
        time.sleep(0.005)
    raise CancelledError("stopped between two iterations")


STUBS = {
    "echo": lambda progress, **params: params,
    "loop": wait_for_a_stop,
    "object": lambda progress: object(),
    "fail": lambda progress: 1 / 0,
}


def test_cancel_works_between_iterations(wire_of):
    wire = wire_of(STUBS)
    wire.ask(1, "loop")
    assert wire.receive()["kind"] == "progress"
    wire.send({"id": 1, "method": "cancel", "params": {}})
    messages = iter(wire.receive, None)
    last = next(m for m in messages if m["kind"] != "progress")
    assert last["code"] == "cancelled" and "iterations" in last["message"]


def test_a_job_is_stopped_when_its_client_goes(wire_of):
    wire = wire_of(STUBS)
    wire.ask(1, "loop")
    wire.ask(2, "loop")
    assert wire.receive()["kind"] == "progress"
    wire.socket.close()
    assert wire.ended()


@pytest.mark.parametrize("method", ["object", "fail", "brew", "loop"])
def test_whatever_a_request_does_it_is_answered_and_the_next_one_too(wire_of, method):
    wire = wire_of(STUBS)
    wire.ask(1, method, **({"wrong": 1} if method == "loop" else {}))
    wire.ask(2, "echo", a=1)
    assert wire.receive()["kind"] == "error"
    assert wire.receive() == {"id": 2, "kind": "result", "value": {"a": 1}}


@pytest.mark.parametrize(
    "message",
    [
        {"id": 1},
        {"id": "x", "method": "echo", "params": {}},
        {"id": True, "method": "echo", "params": {}},
        {"id": 1, "method": ["x"], "params": {}},
        {"id": 1, "method": "echo", "params": 3},
        {},
    ],
)
def test_a_message_that_is_no_request_is_answered_and_the_connection_closed(wire_of, message):
    wire = wire_of(STUBS)
    wire.send(message)
    assert wire.receive()["code"] == "protocol"
    assert wire.receive() is None and wire.ended()


@pytest.mark.parametrize(
    "junk",
    [
        b"\xff\xff\xff\xff",
        b"\x02\x00\x00\x00{}",
        b"\x05\x00\x00\x00hello" + b"x" * 1_000_000,
        pack({"id": 1, "a": {"b": Camera(1, 1, 1, 1, 1, 1)}})[0].replace(b"Camera", b"Person"),
        pack({"id": 1, "a": Camera(1, 1, 1, 1, 1, 1)})[0].replace(b'"fx":1', b'"fx":0'),
    ],
)
def test_a_bad_frame_is_answered_and_the_connection_closed(wire_of, junk):
    wire = wire_of(STUBS)
    wire.ask(1, "loop")
    assert wire.receive()["kind"] == "progress"
    wire.socket.sendall(junk)
    while (message := wire.receive())["id"] is not None:
        assert message["id"] == 1
    assert message["code"] == "protocol"
    assert wire.receive() is None and wire.ended()


def test_a_reader_that_dies_tells_the_client_and_ends_the_server(wire_of, monkeypatch):
    def fail(self: Server, message: dict) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(Server, "_sort", fail)
    wire = wire_of(STUBS)
    wire.ask(1, "echo")
    assert "a fault of ours" in wire.receive()["message"]
    assert wire.receive() is None and wire.ended()


def test_too_many_requests_end_the_connection_and_not_the_memory(wire_of, monkeypatch):
    monkeypatch.setattr(server_module, "MAX_WAITING", 10)
    wire = wire_of(STUBS)
    wire.send(*({"id": i, "method": "loop", "params": {}} for i in range(12)))
    assert any(m["id"] is None and "too many" in m["message"] for m in iter(wire.receive, None))
    assert wire.ended()


def test_a_newer_request_replaces_one_that_waits(wire_of):
    wire = wire_of(STUBS | {"refit": STUBS["echo"]})
    wire.ask(1, "loop")
    assert wire.receive()["kind"] == "progress"
    for number in (2, 3, 4):
        wire.ask(number, "refit")
    wire.send({"id": 1, "method": "cancel", "params": {}})
    answers = {}
    while len(answers) < 4:
        message = wire.receive()
        if message["kind"] != "progress":
            answers[message["id"]] = message.get("code", "result")
    assert answers == {1: "cancelled", 2: "cancelled", 3: "cancelled", 4: "result"}


def test_a_server_without_requests_ends_after_its_time(wire_of):
    wire = wire_of(STUBS, idle=0.05)
    assert wire.receive() is None and wire.ended()


def test_running_out_of_memory_halves_the_batch_and_ends_on_the_cpu():
    calls = []

    def call(people, starts, device):
        calls.append((len(people), starts, device))
        if device != "cpu":
            raise torch.OutOfMemoryError("full")
        return fit(people, losses=("ka",), device="cpu")

    results = fit_in_memory(call, [person(0), person(1)], [None, None], "cuda")
    assert [(count, device) for count, _, device in calls] == [
        (2, "cuda"),
        (1, "cuda"),
        (1, "cpu"),
        (1, "cuda"),
        (1, "cpu"),
    ]
    assert len(results) == 2 and all("memory" in r.message for r in results)


# -- the real engine -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def engine():
    with Engine() as running:
        yield running


def person(seed: int = 0) -> Observation:
    """Somebody who stands 4 m away, seen with a pixel of noise."""
    body = load_body()
    camera = Camera(1000, 1000, 500, 500, 1000, 1000)
    place = torch.tensor([[0.0, 0.2, 4.0]])
    vertices, joints = body(torch.tensor([[np.pi, 0, 0]]), None, None, place)
    points = keypoint_regressor(body, "coco17")(joints, vertices)[0].numpy()
    noise = np.random.default_rng(seed).normal(size=(17, 2))
    return Observation(camera.project(points) + noise, np.ones(17), "coco17", camera)


def test_client_loads_no_torch_in_a_clean_interpreter():
    code = (
        "import sys, kinflow.client, kinflow.records, kinflow.priors.arrays, kinflow.bodies.arrays;"
        "sys.exit('torch' in sys.modules or 'cv2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_out_of_process_gives_the_same_numbers(engine):
    people = [person(0), person(1)]
    here = fit(people, losses=("ka",), device="cpu")
    there = engine.fit(people, losses=("ka",), device="cpu")
    for ours, theirs in zip(here, there, strict=True):
        assert np.abs(ours.vertices - theirs.vertices).max() < 1e-3
        assert np.array_equal(ours.faces, theirs.faces) and ours.prior == theirs.prior
    z = np.random.default_rng(0).normal(size=(2, 138)).astype(np.float32)
    assert np.abs(engine.decode(z) - load_prior("light").decode(z).numpy()).max() < 1e-5
    assert np.abs(engine.decode(engine.encode(engine.decode(z))) - engine.decode(z)).max() < 1e-3
    assert engine.sample(3, seed=1).shape == (3, 23, 3, 3)


def test_a_body_is_posed_out_of_process_with_the_same_numbers(engine):
    start, floor = standing(), Floor()
    asked = [
        Effector("left_wrist", [0.3, 1.2, 0.4], pinned=True),
        Effector("head", look_at=[1, 1, 2]),
    ]
    asked += feet_on_floor(start, floor, load_body().arrays)
    here = solve_ik(asked, start, locked=("right_arm",), floor=floor)
    there = engine.solve_ik(asked, start, locked=("right_arm",), floor=floor)
    assert np.array_equal(here.body_pose, there.body_pose)
    assert np.array_equal(here.reached, there.reached) and here.message == there.message
    assert len(here.hypotheses) == len(there.hypotheses)
    with pytest.raises(InvalidInputError, match="no limb or joint 'tail'"):
        engine.solve_ik(asked, start, locked=("tail",))
    with pytest.raises(InvalidInputError, match="list of effectors"):
        engine.call("solve_ik", effectors=["left_wrist"])


def test_a_mesh_travels_only_when_asked_for(engine):
    bare = engine.call("fit", observations=[person()], losses=["ka"], device="cpu")[0]
    whole = engine.call("fit", observations=[person()], losses=["ka"], device="cpu", mesh=True)[0]
    assert bare.vertices.shape == (0, 3) and bare.faces.shape == (0, 3)
    assert len(whole.vertices) > 10_000 and np.array_equal(bare.joints, whole.joints)
    again = engine.call("refit", observation=person(1), last=whole, device="cpu")
    assert again.vertices.shape == (0, 3)
    assert len(engine.call("refit", observation=person(1), last=bare, mesh=True).vertices) > 10_000


def test_a_fit_goes_on_from_results_without_their_mesh(engine):
    last = engine.fit(person(), losses=("ka",), device="cpu", mesh=False)
    again = engine.fit(person(), losses=("ka",), starts=last, device="cpu")[0]
    assert again.status == "converged" and len(again.vertices) > 10_000


def test_frames_of_a_clip_are_fitted_again_out_of_process(engine):
    people = [person(seed) for seed in range(8)]
    last = fit_sequence(people, losses=("ka",), device="cpu")
    pins = [["left_heel", 3, 4], ["left_ball", 3, 4]]
    asked = {"observations": people, "last": last, "device": "cpu", "span": [2, 6]}
    there = engine.call("refit_span", pins=pins, **asked)
    here = refit_span(people, last, (2, 6), pins=[Pin(*pin) for pin in pins], device="cpu")
    for ours, theirs in zip(here, there, strict=True):
        assert np.array_equal(ours.body_pose, theirs.body_pose) and not len(theirs.vertices)
    for wrong in ({"span": [2]}, {"span": [2, 6], "pins": [["left_heel"]]}, {"span": [6, 12]}):
        with pytest.raises(InvalidInputError):
            engine.call("refit_span", **asked | wrong)


def test_errors_arrive_with_their_type_and_hint(engine):
    with pytest.raises(PhotoError, match="no file"):
        engine.observe("/nowhere/x.jpg")
    with pytest.raises(InvalidInputError):
        engine.decode(np.zeros((1, 5)))
    with pytest.raises(InvalidInputError, match="no method"):
        engine.call("make_coffee")
    with pytest.raises(InvalidInputError, match="nonsense"):
        engine.call("decode", z=np.zeros((1, 138)), nonsense=1)
    with pytest.raises(InvalidInputError, match="nonsense"):
        engine.call("fit", observations=[], nonsense=1)
    assert engine.call("device_info")["kinflow"]


def test_a_stale_request_is_dropped_and_says_so(engine):
    last = engine.fit(person(), losses=("ka",), device="cpu")[0]
    jobs = [engine.submit("refit", observation=person(), last=last) for _ in range(6)]
    for job in jobs:
        while not job.done:
            engine.poll(0.05)
    assert jobs[-1].error is None
    assert any(isinstance(j.error, CancelledError) for j in jobs[:-1])


def test_cancel_ends_a_fit_early(engine):
    job = engine.submit("fit", observations=[person(i) for i in range(200)], losses=["ka"])
    while job.fraction == 0 and not job.done:
        engine.poll(0.05)
    engine.cancel(job)
    with pytest.raises(CancelledError):
        engine.wait(job)


def test_cancel_ends_the_search_for_people_between_two_photos(engine, sample_photo):
    job = engine.submit("observe", photo=[str(sample_photo)] * 1000, search="quick")
    while job.fraction == 0 and not job.done:
        engine.poll(0.05)
    engine.cancel(job)
    with pytest.raises(CancelledError):
        engine.wait(job)


def test_cancel_ends_the_search_for_people_within_one_photo(sample_photo):
    from kinflow.service.photos import observe_photos

    asked = []

    def progress(share, text):
        asked.append(share)
        return False if len(asked) > 2 else None

    with pytest.raises(CancelledError):
        observe_photos(progress, str(sample_photo))


def test_an_engine_killed_in_mid_fit_is_a_typed_error_and_the_next_call_works(engine):
    job = engine.submit("fit", observations=[person(i) for i in range(100)], losses=["ka"])
    while job.fraction == 0 and not job.done:
        engine.poll(0.05)
    engine._process.kill()
    with pytest.raises(EngineError, match="ended unexpectedly"):
        engine.wait(job)
    assert engine.call("device_info")["kinflow"]


def test_two_clients_have_an_engine_each(engine):
    with Engine() as other:
        assert other._process.pid != engine._process.pid
        assert other.call("device_info") == engine.call("device_info")


def test_an_idle_engine_ends_when_it_was_asked_to():
    with Engine(idle_shutdown_s=0.3) as e:
        assert e._process.wait(60) == 0


def test_logs_are_rotated(tmp_path):
    log = tmp_path / "engine-1.log"
    log.write_bytes(b"x" * (2 << 20))
    with Engine(log_path=log) as e:
        assert e.call("device_info")["kinflow"]
    assert log.stat().st_size < 1 << 20 and log.with_suffix(".log.1").exists()


def resident(pid: int) -> int:
    with open(f"/proc/{pid}/statm") as stream:
        return int(stream.read().split()[1])


@pytest.mark.skipif(
    not os.path.exists("/proc/self/statm"), reason="asks Linux for a process' memory"
)
def test_hundreds_of_jobs_leave_memory_flat(engine):
    last = engine.fit(person(), losses=("ka",), device="cpu")[0]
    z = np.zeros((1, 138), np.float32)

    def work(rounds):
        for i in range(rounds):
            engine.call("decode", z=z, mesh=True)
            if i % 50 == 0:
                engine.call("refit", observation=person(), last=last, mesh=True)

    work(100)
    before = resident(engine._process.pid)
    work(200)
    assert resident(engine._process.pid) < 1.05 * before

from __future__ import annotations

import csv
import hashlib
import json
import multiprocessing
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from kinflow import KinflowError
from kinflow.batch.journal import Journal
from kinflow.batch.sources import Source, list_sources, read_frames, units_of
from kinflow.batch.stream import run
from kinflow.batch.work import Done, Settings, process
from kinflow.errors import CancelledError, InvalidInputError

QUICK = Settings(losses=("ka",), overlay=False)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory) -> tuple[list[Path], list[Path]]:
    """Twenty photos with a keypoint file each, so that no detector is needed; the eighth file is broken."""
    folder = tmp_path_factory.mktemp("crowd")
    base = json.loads(
        (Path(__file__).parents[2] / "blender_tests" / "samples" / "punch.json").read_text()
    )
    joints = np.array(base["joints"])
    from kinflow import Camera
    from kinflow.bodies.keypoint_names import COCO17
    from kinflow.core.skeleton import JOINT_INDEX

    camera = Camera(**base["camera"])
    random = np.random.default_rng(0)
    photos, files = [], []
    for number in range(20):
        photo = folder / f"{number:02d}.png"
        Image.new("RGB", (camera.width, camera.height), (number, 90, 120)).save(photo)
        triples = []
        for name in COCO17:
            if name in JOINT_INDEX:
                x, y = camera.project(joints[JOINT_INDEX[name]]) + random.normal(0, 2, 2)
                triples += [float(x), float(y), 0.9]
            else:
                triples += [0.0, 0.0, 0.0]
        file = folder / f"{number:02d}.json"
        file.write_text(
            "{"
            if number == 7
            else json.dumps([{"image_id": 1, "category_id": 1, "keypoints": triples, "score": 1.0}])
        )
        photos.append(photo)
        files.append(file)
    return photos, files


def digest(folder: Path) -> dict[str, str]:
    return {
        p.name: hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.iterdir())
        if p.name != "journal.jsonl"
    }


@pytest.fixture(scope="module")
def whole(crowd, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    outcome = run(list_sources(*crowd), out, QUICK, workers=1)
    assert (outcome.photos, outcome.people, len(outcome.failed)) == (20, 19, 1)
    return out


def test_a_broken_photo_is_a_row_of_the_report_and_not_the_end(whole):
    rows = list(csv.DictReader((whole / "report.csv").read_text("utf-8").splitlines()))
    assert [Path(r["photo"]).stem for r in rows] == [f"{n:02d}" for n in range(20)]
    assert [r["status"] for r in rows].count("failed") == 1 and rows[7]["message"].endswith(
        "Give a keypoint file."
    )


def test_a_run_that_is_stopped_and_resumed_ends_with_the_same_bytes(crowd, whole, tmp_path):
    sources = list_sources(*crowd)
    with pytest.raises(CancelledError):
        run(sources, tmp_path, QUICK, workers=1, progress=lambda share, text: False)
    done = len((tmp_path / "journal.jsonl").read_text().splitlines()) - 1
    assert done == 1
    (tmp_path / "03.0.npz.unfinished").write_bytes(b"half")
    outcome = run(sources, tmp_path, QUICK, workers=1)
    assert outcome.done == 12 and digest(tmp_path) == digest(whole)
    assert run(sources, tmp_path, QUICK, workers=1).done == 0


def test_a_line_cut_off_anywhere_loses_only_itself(crowd, whole, tmp_path):
    sources = list_sources(*crowd)
    text = (whole / "journal.jsonl").read_bytes()
    second_last = text.rstrip(b"\n").rfind(b"\n") + 1

    @settings(max_examples=25, deadline=None)
    @given(st.integers(second_last, len(text) - 1))
    def check(cut: int) -> None:
        (tmp_path / "journal.jsonl").write_bytes(text[:cut])
        journal = Journal(tmp_path, _header(text))
        assert [journal.has(s) for s in sources] == [True] * 16 + [False] * 4
        assert (tmp_path / "journal.jsonl").read_bytes() == text[:second_last]

    check()


def _header(text: bytes) -> dict:
    return json.loads(text.splitlines()[0])["settings"]


def test_other_settings_are_refused_and_restart_begins_again(crowd, whole, tmp_path):
    sources = list_sources(crowd[0][:2], crowd[1][:2])
    run(sources, tmp_path, QUICK)
    with pytest.raises(InvalidInputError, match="other settings"):
        run(sources, tmp_path, replace(QUICK, seed=1))
    assert run(sources, tmp_path, replace(QUICK, seed=1), restart=True).done == 2
    (tmp_path / "journal.jsonl").write_text("what is this?\n")
    with pytest.raises(InvalidInputError, match="damaged"):
        run(sources, tmp_path, QUICK)
    assert run(sources, tmp_path, QUICK, restart=True).done == 2


def test_a_photo_that_changed_is_fitted_again_and_failures_on_request(crowd, tmp_path):
    sources = list_sources(crowd[0][6:9], crowd[1][6:9])
    run(sources, tmp_path, QUICK)
    assert run(sources, tmp_path, QUICK).done == 0
    assert run(sources, tmp_path, QUICK, retry_failed=True).done == 1
    os.utime(sources[0].path, ns=(1, 1))
    assert run(sources, tmp_path, QUICK).done == 3  # its unit, in the same batch as before


def test_a_worker_that_is_killed_is_replaced_and_nothing_is_lost(crowd, tmp_path):
    sources = list_sources(*crowd)
    run(sources, tmp_path / "calm", QUICK, workers=2)
    killed = []

    def kill_one() -> None:
        for _ in range(200):
            children = multiprocessing.active_children()
            if children:
                time.sleep(0.5)
                os.kill(children[0].pid, signal.SIGKILL)
                killed.append(children[0].pid)
                return
            time.sleep(0.05)

    thread = threading.Thread(target=kill_one)
    thread.start()
    outcome = run(sources, tmp_path / "stormy", QUICK, workers=2)
    thread.join()
    assert (
        killed and outcome.people == 19 and digest(tmp_path / "calm") == digest(tmp_path / "stormy")
    )


def test_folders_patterns_and_twice_the_same_name_give_distinct_outputs(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for name in ("1.jpg", "2.png", "notes.txt"):
            (tmp_path / folder / name).write_bytes(b"")
    sources = list_sources([tmp_path / "a", tmp_path / "*" / "1.jpg", tmp_path / "missing.jpg"])
    assert [s.stem for s in sources] == ["1", "2", "1-2", "missing"] and [
        s.index for s in sources
    ] == [0, 1, 2, 3]
    with pytest.raises(KinflowError, match="No photo was given"):
        list_sources([tmp_path / "nothing*"])


@given(st.integers(0, 40), st.integers(1, 9))
def test_units_hold_every_source_once_and_in_order(count, size):
    sources = [Source(str(i), str(i), i) for i in range(count)]
    units = units_of(sources, size)
    assert [s for u in units for s in u] == sources and all(len(u) == size for u in units[:-1])


def test_frames_of_a_video_are_read_in_order_and_out_of_order(tmp_path):
    import cv2

    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for level in range(0, 240, 30):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    sources = list_sources([path])
    assert [s.key for s in sources] == [f"{path}#{n}" for n in range(8)] and sources[
        3
    ].stem == "clip.000003"
    level = lambda frame: round(float(np.mean(frame)) / 30)  # noqa: E731
    assert [level(f) for f in read_frames(sources)] == list(range(8))
    assert [level(f) for f in read_frames([sources[5], sources[2]])] == [5, 2]
    done = process([sources[0]], QUICK)
    assert "No person was found" in done.rows[sources[0].key][0][-1]


def test_the_report_comes_back_from_the_journal_with_commas_and_quotes(tmp_path):
    source = Source('a,"b".jpg', "x", 0)
    journal = Journal(tmp_path, {})
    journal.commit(
        Done({source.key: [[source.key, "", "failed", "", "", "", "", 'odd, "very"\nodd']]}),
        [source],
    )
    good, failed = Journal(tmp_path, {}).write_report([source])
    assert good == 0 and failed == {source.key: 'odd, "very"\nodd'}
    with open(tmp_path / "report.csv", newline="", encoding="utf-8") as stream:
        assert next(csv.DictReader(stream))["message"] == 'odd, "very"\nodd'


@pytest.mark.slow
def test_on_a_local_ray_cluster_a_killed_worker_costs_nothing(crowd, tmp_path):
    ray = pytest.importorskip("ray")
    psutil = pytest.importorskip("psutil")
    sources = list_sources(*crowd)
    run(sources, tmp_path / "calm", QUICK, ray="local")
    killed = []

    def kill_one() -> None:
        while not killed:
            workers = [
                p
                for p in psutil.process_iter(["cmdline"])
                if "ray::_process" in " ".join(p.info["cmdline"] or [])
            ]
            if workers:
                time.sleep(1.0)
                workers[0].kill()
                killed.append(workers[0].pid)
            time.sleep(0.05)

    thread = threading.Thread(target=kill_one, daemon=True)
    thread.start()
    outcome = run(sources, tmp_path / "stormy", QUICK, ray="local")
    assert (
        killed and outcome.people == 19 and digest(tmp_path / "calm") == digest(tmp_path / "stormy")
    )
    assert not ray.is_initialized()

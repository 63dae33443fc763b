from __future__ import annotations

import csv
import hashlib
import multiprocessing
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from crowd import make_crowd
from hypothesis import given
from hypothesis import strategies as st

from kinflow.batch.journal import NAME
from kinflow.batch.sources import Source, list_sources, read_frames, units_of
from kinflow.batch.stream import run
from kinflow.batch.work import Settings, process
from kinflow.errors import CancelledError, InvalidInputError

QUICK = Settings(losses=("ka",), overlay=False)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory) -> tuple[list[Path], list[Path]]:
    """Twenty photos with a keypoint file each; the eighth file is broken."""
    photos, files = make_crowd(tmp_path_factory.mktemp("crowd"), 20)
    files[7].write_text("{")
    return photos, files


def digest(folder: Path) -> dict[str, str]:
    return {
        p.name: hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.iterdir())
        if p.name != NAME
    }


@pytest.fixture(scope="module")
def whole(crowd, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    outcome = run(list_sources(*crowd), out, QUICK, workers=1)
    assert (len(outcome.sources), outcome.people, len(outcome.failed)) == (20, 19, 1)
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
        # asked to stop from the first photo on, the run ends with the first unit of eight
        run(sources, tmp_path, QUICK, workers=1, progress=lambda share, text: False)
    assert len(list(tmp_path.glob("*.npz"))) == 7
    (tmp_path / "03.0.npz.journal-unfinished").write_bytes(b"half")
    outcome = run(sources, tmp_path, QUICK, workers=1)
    assert outcome.done == 12 and digest(tmp_path) == digest(whole)
    assert run(sources, tmp_path, QUICK, workers=1).done == 0


def test_progress_is_told_at_the_start_and_photo_by_photo(crowd, tmp_path):
    sources = list_sources(crowd[0][:4], crowd[1][:4])
    shares: list[float] = []
    run(sources, tmp_path, QUICK, progress=lambda share, text: shares.append(share))
    # photos of a unit as they are looked at, and the unit when it is done
    assert shares == [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]


def test_other_settings_are_refused_and_restart_begins_again(crowd, whole, tmp_path):
    sources = list_sources(crowd[0][:2], crowd[1][:2])
    run(sources, tmp_path, QUICK)
    with pytest.raises(InvalidInputError, match="other settings"):
        run(sources, tmp_path, replace(QUICK, seed=1))
    assert run(sources, tmp_path, replace(QUICK, seed=1), restart=True).done == 2
    (tmp_path / NAME).write_text("what is this?\n")
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
    killed: list[int] = []

    def kill_one(share: float, text: str) -> None:
        if not killed:  # a unit is done, others are being worked on
            worker = multiprocessing.active_children()[0]
            worker.kill()
            killed.append(worker.pid)

    outcome = run(sources, tmp_path / "stormy", QUICK, workers=2, progress=kill_one)
    assert killed and outcome.people == 19
    assert digest(tmp_path / "calm") == digest(tmp_path / "stormy")


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

    def levels(frames) -> list[int]:
        return [round(float(np.mean(frame)) / 30) for frame in frames]

    assert levels(read_frames(sources)) == list(range(8))
    assert levels(read_frames([sources[5], sources[2]])) == [5, 2]
    finished = process([sources[0]], QUICK)[sources[0].key]
    assert "No person was found" in finished.failure == finished.rows[0][-1]


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
                if "ray::process_alone" in " ".join(p.info["cmdline"] or [])
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

"""A clip in a folder: solved as a whole, journalled as photos are."""

from __future__ import annotations

import csv
import sqlite3
from functools import partial
from pathlib import Path

import pytest
from crowd import make_crowd, write_people

from kinflow import KinflowError, Observation
from kinflow.batch.clip import run_clip
from kinflow.batch.disk import plain_errors
from kinflow.batch.sources import list_sources
from kinflow.batch.spool import Spool
from kinflow.batch.work import Settings
from kinflow.errors import InvalidInputError
from kinflow.fitting.sequence import SequenceConfig, fit_windows
from kinflow.perception.formats import read_observations

SETTINGS = Settings(losses=("ka",), overlay=False, start="rotations")


@pytest.fixture
def frames(tmp_path, monkeypatch) -> list[Path]:
    """Seven frames of one person; what is seen in each stands in a file beside it."""

    def observe(path: str, **_: object) -> list[Observation]:
        return read_observations(Path(path).with_suffix(".json"))

    monkeypatch.setattr("kinflow.perception.observe", observe)
    (tmp_path / "frames").mkdir()
    return make_crowd(tmp_path / "frames", 7)[0]


def _results(out: Path) -> list[str]:
    return sorted(path.name for path in out.glob("*.npz"))


def test_a_clip_is_done_once_and_leaves_nothing_of_who_is_gone(frames, tmp_path):
    sources, out = list_sources(frames), tmp_path / "out"
    for frame in frames[1:]:
        write_people(frame.with_suffix(".json"), 2)
    first = run_clip(sources, out, SETTINGS)
    assert (first.done, first.people) == (7, 13) and not first.failed
    assert len(_results(out)) == 13 and "00.1.npz" not in _results(out)
    assert run_clip(sources, out, SETTINGS).done == 0
    for frame in frames[1:]:
        write_people(frame.with_suffix(".json"), 1)
    frames[3].with_suffix(".json").write_text("[]")
    frames[0].touch()
    again = run_clip(sources, out, SETTINGS)
    assert _results(out) == [f"{frame.stem}.0.npz" for frame in frames]
    assert not again.failed and again.people == 7
    with open(out / "report.csv", newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["status"] for row in rows].index("filled") == 3 and "Not seen" in rows[3]["message"]
    assert not (out / "journal-clip.sqlite").exists()


class Killed(BaseException):
    """As a kill: nothing catches it."""


def test_a_clip_that_was_cut_off_goes_on_and_ends_with_the_same_bytes(
    frames, tmp_path, monkeypatch
):
    sources, looked = list_sources(frames), []
    one, two = tmp_path / "whole", tmp_path / "cut"
    windows = partial(fit_windows, config=SequenceConfig(window=4, tail=1))
    monkeypatch.setattr("kinflow.batch.clip.fit_windows", windows)
    run_clip(sources, one, SETTINGS)

    def until(stop: float, share: float, text: str) -> None:
        looked.append(text)
        if share > stop:
            raise Killed

    for stop in (0.3, 0.95):
        with pytest.raises(Killed):
            run_clip(sources, two, SETTINGS, partial(until, stop))
    last = [text for text in looked if text.startswith("frame ")]
    assert len(last) == len(frames) + 1  # each once, and the one at which it was stopped
    run_clip(sources, two, SETTINGS)
    assert {p.name: p.read_bytes() for p in one.glob("*.npz")} == {
        p.name: p.read_bytes() for p in two.glob("*.npz")
    }


def test_a_clip_of_nobody_is_a_sentence(frames, tmp_path):
    for frame in frames:
        frame.with_suffix(".json").write_text("[]")
    with pytest.raises(KinflowError, match="Nobody was found"):
        run_clip(list_sources(frames), tmp_path / "out", SETTINGS)


def test_a_file_that_is_none_of_ours_is_left_alone_and_said(frames, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    theirs = out / "journal-clip.sqlite"
    theirs.write_bytes(b"my notes" * 1000)
    with pytest.raises(InvalidInputError, match="is damaged"):
        run_clip(list_sources(frames), out, SETTINGS)
    assert theirs.read_bytes() == b"my notes" * 1000


def test_a_full_disk_is_a_sentence_and_the_run_goes_on_from_there(frames, tmp_path, monkeypatch):
    sources, out = list_sources(frames), tmp_path / "out"

    def full(self, number: int, people: object, reason: str, was=Spool.add_frame) -> None:
        if number == 3:
            with plain_errors(self.path):
                raise sqlite3.OperationalError("database or disk is full")
        was(self, number, people, reason)

    with monkeypatch.context() as patch:
        patch.setattr(Spool, "add_frame", full)
        with pytest.raises(KinflowError, match="cannot be written"):
            run_clip(sources, out, SETTINGS)
    told = []
    run_clip(sources, out, SETTINGS, lambda share, text: told.append(text))
    assert [t for t in told if t.startswith("frame")] == [f"frame {n} of 7" for n in range(4, 8)]

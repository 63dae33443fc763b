"""What is done stays done, whatever happens in between."""

from __future__ import annotations

import csv
import errno
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from crowd import make_crowd, write_people
from systems import posix

from kinflow import KinflowError
from kinflow.batch.journal import NAME, Journal
from kinflow.batch.sources import Source, list_sources
from kinflow.batch.stream import run
from kinflow.batch.work import Finished, Settings, failed

QUICK = Settings(losses=("ka",), overlay=False)


@pytest.fixture
def sources(tmp_path) -> list[Source]:
    paths = [tmp_path / name for name in ("a.jpg", "b.jpg")]
    for path in paths:
        path.write_bytes(b"photo")
    return list_sources(paths)


def _finished(source: Source, people: int) -> Finished:
    files = {f"{source.stem}.{n}.npz": f"{people}".encode() for n in range(people)}
    return Finished([[source.key, n, "converged"] for n in range(people)], files)


def _files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(NAME)}


def test_a_second_run_on_a_folder_in_use_says_so_and_stops(tmp_path, sources):
    out = tmp_path / "out"
    with Journal(out, {}) as journal:
        with pytest.raises(KinflowError, match="in use by another run"):
            Journal(out, {})
        with pytest.raises(KinflowError, match="in use by another run"):
            Journal(out, {}, restart=True)
        code = (
            "import sys; from pathlib import Path; from kinflow.batch.journal import Journal\n"
            "Journal(Path(sys.argv[1]), {})"
        )
        other = subprocess.run(
            [sys.executable, "-c", code, out], capture_output=True, text=True, check=False
        )
        assert other.returncode == 1 and "in use by another run" in other.stderr
        named = journal.name(sources)
        journal.commit({s.key: _finished(s, 1) for s in named}, named)
    with Journal(out, {}) as journal:
        assert all(journal.has(source) for source in journal.name(sources))


def test_nothing_but_results_report_and_journal_is_left(tmp_path, sources):
    out = tmp_path / "out"
    with Journal(out, {}) as journal:
        named = journal.name(sources)
        journal.commit({s.key: _finished(s, 1) for s in named}, named)
        journal.write_report(named)
    assert {path.name for path in out.iterdir()} == {NAME, "a.0.npz", "b.0.npz", "report.csv"}


def test_results_of_a_person_who_is_no_longer_found_go(tmp_path):
    photos, files = make_crowd(tmp_path, 1)
    write_people(files[0], 2)
    sources = list_sources(photos, files)
    assert run(sources, tmp_path / "out", QUICK).people == 2
    write_people(files[0], 1)
    assert run(sources, tmp_path / "out", QUICK).people == 1
    assert _files(tmp_path / "out") == {"00.0.npz", "report.csv"}


def test_a_restart_leaves_nothing_of_the_run_before(tmp_path, sources):
    out = tmp_path / "out"
    with Journal(out, {}) as journal:
        named = journal.name(sources)
        journal.commit({s.key: _finished(s, 2) for s in named}, named)
    with Journal(out, {"seed": 1}, restart=True) as journal:
        named = journal.name(sources)
        journal.commit({named[0].key: _finished(named[0], 1)}, named[:1])
    assert _files(out) == {"a.0.npz"}


_KILLED = """
import os, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from kinflow.batch.journal import Journal
from kinflow.batch.sources import list_sources
from test_journal import _finished
folder, last = Path(sys.argv[1]), int(sys.argv[2])
sources = list_sources([folder / "a.jpg", folder / "b.jpg"])
for moment in range(1, 1000):
    child = os.fork()
    if child == 0:
        count = 0
        def die(*_):
            global count
            count += 1
            if count == moment:
                os._exit(9)
        with Journal(folder / f"out-{{moment}}", {{}}) as journal:
            named = journal.name(sources)
            journal.commit({{s.key: _finished(s, 2) for s in named}}, named)
            files = ("open", "os.rename", "os.remove")
            sys.addaudithook(lambda event, _: die() if event in files else None)
            journal._database.set_trace_callback(die)
            journal.commit({{s.key: _finished(s, 1) for s in named}}, named)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        print(moment)
        break
"""


@posix
def test_killed_at_any_step_of_a_commit_every_photo_is_whole_or_undone(tmp_path, sources):
    script = _KILLED.format(tests=str(Path(__file__).parent))
    command = [sys.executable, "-c", script, tmp_path, "0"]
    moments = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert moments > 15
    for moment in range(1, moments + 1):
        out = tmp_path / f"out-{moment}"
        with Journal(out, {}) as journal:
            named = journal.name(sources)
            assert [s.stem for s in named] == ["a", "b"]
            done = [journal.has(source) for source in named]
            assert done[0] == done[1]
            left = {path.name: path.read_bytes() for path in out.glob("*.npz*")}
            before = {f"{s}.{n}.npz": b"2" for s in "ab" for n in range(2)}
            after = {f"{s}.0.npz": b"1" for s in "ab"}
            assert left in ((before, after) if done[0] else ({},)), moment
            journal.commit({s.key: _finished(s, 1) for s in named}, named)
            assert {path.name: path.read_bytes() for path in out.glob("*.npz*")} == after
        assert not list(out.glob("*unfinished")) and not list(out.glob("*-journal"))


def test_a_full_disk_is_a_sentence_leaves_no_rest_and_costs_nothing_done(
    tmp_path, sources, monkeypatch
):
    out = tmp_path / "out"
    with Journal(out, {}) as journal:
        first, second = journal.name(sources)
        journal.commit({first.key: _finished(first, 1)}, [first])

        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(KinflowError, match="No space left on device"):
                journal.commit({second.key: _finished(second, 1)}, [second])
        assert _files(out) == {"a.0.npz"}
        assert journal.has(first) and not journal.has(second)


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(KinflowError, match="cannot be written"):
        Journal(tmp_path / "file" / "out", {})


def test_settings_of_a_run_that_did_nothing_bind_nobody(tmp_path, sources):
    Journal(tmp_path / "out", {"seed": 1}).__exit__()
    with Journal(tmp_path / "out", {"seed": 2}) as journal:
        named = journal.name(sources)
        journal.commit({s.key: _finished(s, 1) for s in named}, named)
    with pytest.raises(KinflowError, match="other settings"):
        Journal(tmp_path / "out", {"seed": 1})


def test_the_report_holds_any_name_and_message(tmp_path):
    names = ['a,"b"\nc.png', os.fsdecode(b"caf\xe9.png")]
    odd = 'odd, "very"\nodd'
    for name in names:
        (tmp_path / name).write_bytes(b"")
    with Journal(tmp_path / "out", {}) as journal:
        named = journal.name(list_sources([tmp_path / name for name in names]))
        for source in named:
            journal.commit({source.key: failed(source, odd)}, [source])
        good, reasons = journal.write_report(named)
    assert good == 0 and reasons == {source.key: odd for source in named}
    with open(tmp_path / "out" / "report.csv", newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["photo"] for row in rows] == [
        str(tmp_path / names[0]),
        f"{tmp_path}/caf\\udce9.png",
    ]
    assert {row["message"] for row in rows} == {odd}


def test_a_photo_that_changed_is_not_done(tmp_path, sources):
    with Journal(tmp_path / "out", {}) as journal:
        named = journal.name(sources)
        journal.commit({s.key: _finished(s, 1) for s in named}, named)
        os.utime(named[0].path, ns=(1, 1))
        assert [journal.has(s) for s in named] == [False, True]
        assert not journal.has(replace(named[1], keypoint_file=named[0].path))

"""What the user reads and what the exit code says."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from crowd import make_crowd, write_people, write_photo
from PIL import Image
from systems import posix

from kinflow import KinflowError
from kinflow.cli import main
from kinflow.commands import table

QUICK = ("--losses", "ka", "--no-overlay", "--no-sheet")

# A command whose units never end. Workers import this script too, and with it the endless work.
_ENDLESS = """
import os, sys, kinflow.batch.work as work
def endless(unit, settings, seen):
    os.write(1, b"working\\n")
    while True:
        pass
work.process = endless
if __name__ == "__main__":
    from kinflow.cli import main
    sys.exit(main(sys.argv[1:]))
"""


def _fit(photos: list[Path], files: list[Path], out: Path, *more: str) -> int:
    words = [*map(str, photos), "--observations", *map(str, files)]
    return main(["fit", *words, "--out", str(out), *QUICK, *more])


def _report(out: Path) -> list[dict[str, str]]:
    with open(out / "report.csv", newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_every_command_is_listed_with_a_line_of_help(words, capsys):
    assert main(words) == (0 if words else 2)
    listed = capsys.readouterr().out
    for name, entry in table._COMMANDS.commands.items():
        line = next(line for line in listed.splitlines() if line.startswith(f"  {name} "))
        assert entry.line in line


@pytest.mark.parametrize("group", ["prior", "train", "body", "bench"])
def test_a_group_alone_lists_its_commands(group, capsys):
    assert main([group]) == 2
    listed = capsys.readouterr().out
    assert all(f"• {name} " in listed for name in table._COMMANDS.commands[group].commands)


def test_a_list_of_commands_loads_no_torch():
    code = "import sys, kinflow.cli; kinflow.cli.main(['--help']); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


@pytest.mark.parametrize("words", [["dance"], ["fit", "--colour", "red"], ["prior", "dance"]])
def test_wrong_words_exit_with_2_and_name_the_way_out(words, capsys):
    assert main(words) == 2
    assert "--help" in capsys.readouterr().err


def test_a_mistyped_path_is_an_error_before_anything_starts(tmp_path, capsys):
    photos, files = make_crowd(tmp_path, 2)
    assert (
        main(["fit", str(photos[0]), str(tmp_path / "o1.png"), "--out", str(tmp_path / "o")]) == 1
    )
    assert "There is no file" in capsys.readouterr().err
    assert _fit(photos, [files[0], tmp_path / "1.json"], tmp_path / "o") == 1
    assert not (tmp_path / "o").exists()


@posix
def test_a_pipe_named_as_a_photo_is_a_sentence(tmp_path, capsys):
    write_photo(tmp_path / "a.png")
    os.mkfifo(tmp_path / "x.jpg")
    words = ["--out", str(tmp_path / "o"), "--search", "quick", "--no-overlay"]
    assert main(["fit", str(tmp_path / "x.jpg"), *words]) == 1
    assert "x.jpg is no file" in capsys.readouterr().err
    assert main(["fit", str(tmp_path), *words]) == 1
    messages = {Path(row["photo"]).name: row["message"] for row in _report(tmp_path / "o")}
    assert "No person was found" in messages["a.png"] and "pipe" in messages["x.jpg"]


def test_a_name_that_is_no_utf8_is_fitted_and_reported(tmp_path, capsys):
    photos, files = make_crowd(tmp_path, 1)
    odd = tmp_path / os.fsdecode(b'caf\xe9, "b"\n.png')
    photos[0].rename(odd)
    assert _fit([odd], files, tmp_path / "o", "--json") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["people"] == 1
    (row,) = _report(tmp_path / "o")
    assert row["photo"] == f'{tmp_path}/caf\\udce9, "b"\n.png' and row["status"] == "converged"
    assert (tmp_path / "o" / os.fsdecode(b'caf\xe9, "b"\n.0.npz')).exists()


def test_a_person_who_cannot_be_fitted_is_no_success(tmp_path, capsys):
    photos, files = make_crowd(tmp_path, 2)
    write_people(files[1], 1, confidence=0.0)
    assert _fit(photos, files, tmp_path / "o") == 1
    assert "01.png" in capsys.readouterr().err
    assert [row["status"] for row in _report(tmp_path / "o")] == ["converged", "too_few_keypoints"]


def test_an_overlay_that_cannot_be_drawn_is_no_success(tmp_path, capsys, monkeypatch):
    photos, files = make_crowd(tmp_path, 1)

    def refuse(*_: object) -> None:
        raise MemoryError("too large")

    monkeypatch.setattr("kinflow.drawing.overlay.overlay", refuse)
    words = ["fit", str(photos[0]), "--observations", str(files[0]), "--losses", "ka"]
    assert main([*words, "--out", str(tmp_path / "o")]) == 1
    assert "could not be drawn" in capsys.readouterr().err
    assert (tmp_path / "o" / "00.0.npz").exists()


def test_an_output_that_cannot_be_written_is_a_sentence(tmp_path, capsys):
    photos, files = make_crowd(tmp_path, 1)
    (tmp_path / "file").write_text("")
    assert _fit(photos, files, tmp_path / "file" / "o") == 1
    assert "cannot be written" in capsys.readouterr().err
    write_photo(tmp_path / "a.png")
    out = str(tmp_path / "file" / "o")
    assert main(["observe", str(tmp_path / "a.png"), "--out", out, "--json"]) == 1
    captured = capsys.readouterr()
    assert "cannot be written" in captured.err and not json.loads(captured.out)["ok"]


def hear_interrupts() -> None:
    """Whoever starts the tests in the background may have them ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def endless(tmp_path):
    """Starts a fit of so many photos that never ends; whatever is left of it goes afterwards."""
    (tmp_path / "endless.py").write_text(_ENDLESS)
    begun: list[subprocess.Popen[str]] = []

    def start(count: int) -> subprocess.Popen[str]:
        photos, files = make_crowd(tmp_path, count)
        words = ["fit", *photos, "--observations", *files, "--out", tmp_path / "o"]
        command = subprocess.Popen(
            [sys.executable, tmp_path / "endless.py", *words, "--workers", "2"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=hear_interrupts,
        )
        begun.append(command)
        return command

    yield start
    for command in begun:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(command.pid, signal.SIGKILL)
        command.communicate()


@posix
@pytest.mark.parametrize("count", [2, 9])  # in the process itself, and in workers
def test_ctrl_c_stops_with_a_sentence_and_130(tmp_path, endless, count):
    command = endless(count)
    for _ in range(1 if count == 2 else 2):
        assert command.stdout.readline() == "working\n"
    os.killpg(command.pid, signal.SIGINT)
    out, errors = command.communicate(timeout=120)
    assert command.returncode == 130 and out == ""
    assert errors.splitlines() == ["Stopped. The same command goes on from here."]
    assert {p.name for p in (tmp_path / "o").iterdir()} == {"journal.sqlite", "report.csv"}


@posix
def test_workers_end_when_their_parent_is_killed(endless):
    command = endless(16)
    assert [command.stdout.readline() for _ in range(2)] == ["working\n"] * 2
    command.kill()
    # the pipe ends with the last of those who could write to it; their work never ends by itself
    assert command.communicate(timeout=60)[0] == ""


# A photo that ends whoever works on it, as one does that needs more memory than there is.
_DEADLY = """
import os, sys, kinflow.batch.work as work
def deadly(unit, settings, seen):
    if any("03.png" in source.path for source in unit):
        os._exit(1)
    return {s.key: work.Finished([[s.key, 0, "converged", "", "", "", 1, ""]]) for s in unit}
work.process = deadly
if __name__ == "__main__":
    from kinflow.cli import main
    sys.exit(main(sys.argv[1:]))
"""


def test_a_photo_that_ends_its_workers_costs_only_itself(tmp_path):
    photos, files = make_crowd(tmp_path, 10)
    (tmp_path / "deadly.py").write_text(_DEADLY)
    words = ["fit", *photos, "--observations", *files, "--out", tmp_path / "o", "--workers", "2"]
    command = [sys.executable, tmp_path / "deadly.py", *words]
    assert subprocess.run(command, capture_output=True).returncode == 1
    rows = {Path(row["photo"]).name: row for row in _report(tmp_path / "o")}
    assert len(rows) == 10 and rows.pop("03.png")["message"].endswith("out of memory).")
    assert {row["status"] for row in rows.values()} == {"converged"}


def test_people_who_are_no_longer_found_leave_no_part_map(tmp_path, monkeypatch, capsys):
    from kinflow import Observation

    for name in ("a.png", "a.jpg"):
        write_photo(tmp_path / name)
    count = 2

    def observe(path: str, **_: object) -> list[Observation]:
        size = Image.open(path).size[::-1]
        if count == 0:
            raise KinflowError("Nothing can be read.")
        person = Observation(np.ones((17, 2)), np.ones(17), parts=np.ones(size, np.uint8))
        return [person] * count

    monkeypatch.setattr("kinflow.perception.observe", observe)
    words = ["observe", str(tmp_path / "a.jpg"), str(tmp_path / "a.png"), "--overlay"]
    names = {}
    for count in (2, 1, 0):
        assert main([*words, "--out", str(tmp_path / "o")]) == (0 if count else 1)
        names[count] = {path.name for path in (tmp_path / "o").iterdir()} - {"observed.sqlite"}
    one = {f"{s}.{kind}" for s in ("a", "a-2") for kind in ("observation.json", "observed.png")}
    one |= {"a.0.parts.png", "a-2.0.parts.png"}
    assert names == {2: one | {"a.1.parts.png", "a-2.1.parts.png"}, 1: one, 0: set()}


def test_two_photos_of_one_name_are_observed_under_two_names(tmp_path, monkeypatch):
    from kinflow import Observation

    person = Observation(np.ones((17, 2)), np.ones(17))
    monkeypatch.setattr("kinflow.perception.observe", lambda path, **_: [person])
    for folder in ("a", "b", "a"):
        (tmp_path / folder).mkdir(exist_ok=True)
        write_photo(tmp_path / folder / "p.png")
        assert (
            main(["observe", str(tmp_path / folder / "p.png"), "--out", str(tmp_path / "o")]) == 0
        )
    names = {path.name for path in (tmp_path / "o").iterdir()}
    assert names == {"p.observation.json", "p-2.observation.json", "observed.sqlite"}

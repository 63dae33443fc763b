"""The first minutes at the command line: what can be done, mistakes, completion, progress."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from crowd import make_crowd

import kinflow
from kinflow.cli import main
from kinflow.commands import table
from kinflow.terminal import counted
from kinflow.training.synthetic import Crowd, make_people

KINFLOW = [sys.executable, "-m", "kinflow.cli"]


def _seen_on_terminal(words: list[str], **variables: str) -> tuple[int, str]:
    """A command whose standard error is a terminal of 100 columns. -> exit code, what it shows."""
    ours, theirs = pty.openpty()
    env = os.environ | {"COLUMNS": "100", "TERM": "xterm"} | variables
    command = subprocess.Popen(
        [*KINFLOW, *words], stderr=theirs, stdout=subprocess.DEVNULL, stdin=theirs, env=env
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            shown += os.read(ours, 1 << 16)
        except OSError:
            break
    os.close(ours)
    return command.wait(60), shown.decode("utf-8", "replace")


def test_kinflow_alone_lists_commands_in_the_order_of_work(capsys):
    assert main([]) == 2
    page = capsys.readouterr().out
    lines = [line.split()[0] for line in page.splitlines() if line.startswith("  ")]
    assert lines == list(table._COMMANDS.commands)
    order = [lines.index(name) for name in ("setup", "doctor", "fit", "observe", "pose", "serve")]
    assert order == sorted(order)
    assert max(map(len, page.splitlines())) <= 100
    assert "kinflow fit photo.jpg" in page


def test_version_is_told(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"kinflow {kinflow.__version__}\n"


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["fti"], "kinflow fit?"),
        (["prior", "smaple"], "kinflow prior sample?"),
        (["sample"], "kinflow prior sample?"),
        (["fit", "--sarch", "quick", "a.jpg"], "--search?"),
        (["fit", "--no-ovrlay", "a.jpg"], "--no-overlay?"),
        (["train", "regressor", "--weak.stps", "2"], "--weak.steps?"),
    ],
)
def test_a_mistyped_word_is_a_sentence_with_what_was_meant(words, meant, capsys):
    assert main(words) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1 and f"Did you mean {meant}" in errors[0]


def test_a_photo_instead_of_a_command_leads_to_fit(tmp_path, capsys):
    photos, _ = make_crowd(tmp_path, 1)
    assert main([str(photos[0])]) == 2
    assert f"Did you mean kinflow fit {photos[0]}?" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["fit", "{}/00.pgn"],
        ["observe", "{}/00.pgn"],
        ["overlay", "{}/00.pgn", "{}/00.png"],
        ["fit", "{}/00.png", "--observations", "{}/00.pgn"],
        ["body", "info", "{}/00.pgn"],
        ["pose", "--start", "{}/00.pgn"],
    ],
)
def test_a_mistyped_path_ends_before_anything_starts_and_names_the_like(words, tmp_path, capsys):
    make_crowd(tmp_path, 1)
    words = [word.format(tmp_path) for word in words]
    assert main([*words, "--json"]) == 1
    captured = capsys.readouterr()
    assert f"There is no file {tmp_path}/00.pgn. Did you mean {tmp_path}/00.png?" in captured.err
    assert len(captured.err.splitlines()) == 1
    assert json.loads(captured.out)["error"]["code"] == "invalid_input"


def test_an_overlay_of_no_fit_is_refused_and_writes_nothing(tmp_path, capsys):
    photos, _ = make_crowd(tmp_path, 1)
    assert main(["overlay", str(photos[0]), "--out", str(tmp_path / "o.png")]) == 2
    assert "No fit was given" in capsys.readouterr().err
    assert not (tmp_path / "o.png").exists()


def test_a_mistyped_folder_is_named_too(tmp_path, capsys):
    (tmp_path / "photos").mkdir()
    make_crowd(tmp_path / "photos", 1)
    assert main(["fit", str(tmp_path / "fotos" / "00.png")]) == 1
    assert f"Did you mean {tmp_path}/photos/00.png?" in capsys.readouterr().err


def test_help_of_fit_has_groups_plain_words_first_and_explains_the_papers_terms(capsys):
    assert main(["fit", "--help"]) == 0
    page = " ".join(capsys.readouterr().out.replace("│", " ").split())
    order = ["How hard to look for people", "camera and people", "picture", "batch", "method"]
    places = [page.index(words) for words in order]
    assert places == sorted(places)
    for words in ("ka, keypoint alignment", "ba, body-part alignment", "normalizing flow"):
        assert page.index(words) > places[-1]
    assert "{None" not in page


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_each_shell(shell, capsys):
    assert main(["completion", shell]) == 0
    text = capsys.readouterr().out
    assert "--retry-failed" in text and "thorough" in text and "_kinflow" in text


_TAB = """
source {script}
COMP_WORDS=(kinflow {words})
COMP_CWORD={last}
_tyro_kinflow
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("fi", ["fit"]),
        ("prior sam", ["sample"]),
        ("fit --retr", ["--retry-failed"]),
        ("fit --search th", ["thorough"]),
        ("fit hol", ["holiday one.jpg"]),
        ("fit --out hol", ["holiday one.jpg"]),
    ],
)
def test_bash_completes_commands_options_choices_and_files(words, completed, tmp_path, capsys):
    assert main(["completion", "bash"]) == 0
    script = tmp_path / "completion.bash"
    script.write_text(capsys.readouterr().out)
    (tmp_path / "holiday one.jpg").touch()
    text = _TAB.format(script=script, words=words, last=len(words.split()))
    done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.splitlines() == completed


def _fit_words(folder: Path, count: int) -> list[str]:
    photos, files = make_crowd(folder, count)
    words = ["fit", *map(str, photos), "--observations", *map(str, files), "--losses", "ka"]
    return [*words, "--out", str(folder / "o"), "--start", "rotations", "--no-overlay"]


def test_a_terminal_shows_rate_and_time_left(tmp_path):
    code, shown = _seen_on_terminal(_fit_words(tmp_path, 2))
    assert code == 0
    assert "0/2" in shown and "photos/s" in shown and " left" in shown


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_an_overlay_has_a_bar(tmp_path, monkeypatch):
    words = [*_fit_words(tmp_path, 1), "--no-sheet"]
    assert main(words) == 0
    monkeypatch.setattr("sys.stderr", terminal := _Terminal())
    assert main(["overlay", words[1], str(tmp_path / "o/00.0.npz"), "--out", words[1]]) == 0
    assert "Drawing 0/1 people |" in terminal.getvalue()


def test_trainings_have_a_bar(body, monkeypatch):
    monkeypatch.setattr("sys.stderr", terminal := _Terminal())
    make_people(body, Crowd(2))
    assert "Drawing people 0/2 people |" in terminal.getvalue()
    assert list(counted(range(2), "Training", "steps")) == [0, 1]
    assert "Training 0/2 steps |" in terminal.getvalue()


def test_a_pipe_gets_what_was_written_and_where_and_no_bar(tmp_path, capsys):
    assert main(_fit_words(tmp_path, 2)) == 0
    errors = capsys.readouterr().err
    assert "photos/s" not in errors and "\r" not in errors
    assert "2 people in 2 photos" in errors
    assert f"{tmp_path}/o holds 2 fits (.npz), 2 sheets (.sheet.png), report.html" in errors
    assert f"To look at: {tmp_path}/o/report.html" in errors


def test_quiet_says_nothing_but_errors(tmp_path, capsys):
    words = _fit_words(tmp_path, 1)
    assert main([*words, "-q"]) == 0
    assert capsys.readouterr().err == ""
    code, shown = _seen_on_terminal([*words, "--quiet", "--restart"])
    assert (code, shown) == (0, "")
    (tmp_path / "00.png").write_bytes(b"no photo")
    assert main([*words, "-q", "--restart"]) == 1
    assert "00.png" in capsys.readouterr().err


def test_sample_and_overlay_say_what_they_wrote(tmp_path, capsys):
    out, sheet = tmp_path / "new" / "poses.npz", tmp_path / "poses.png"
    assert main(["prior", "sample", str(out), "--n", "2", "--sheet", str(sheet)]) == 0
    assert f"Written: {out} and {sheet}" in capsys.readouterr().err
    assert out.is_file() and sheet.is_file()
    assert main(_fit_words(tmp_path, 1)) == 0
    capsys.readouterr()
    drawn = tmp_path / "new" / "over.png"
    words = [str(tmp_path / "00.png"), str(tmp_path / "o" / "00.0.npz"), "--out", str(drawn)]
    assert main(["overlay", *words]) == 0
    assert f"Written: {drawn}" in capsys.readouterr().err and drawn.is_file()


@pytest.mark.parametrize("command", ["fit", "convert", "pose", "observe", "body info"])
def test_help_does_not_call_nothing_a_default(command, capsys):
    assert main([*command.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert "default: None" not in shown and "default: )" not in shown

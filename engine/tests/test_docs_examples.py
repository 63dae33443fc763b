"""The guides' examples do what stands beside them."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from kinflow.commands import table

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "engine"))
from building.lines import GUIDES, Line, blocks, lines_of, without_unreached_index  # noqa: E402


def run_example(code: str, page: str, names: dict) -> int:
    """Runs a block; compares each expression with the comment behind it. -> how many there were."""
    lines, compared = code.splitlines(), 0
    for statement in ast.parse(code).body:
        comment = re.search(r"  # (.+)$", lines[statement.end_lineno - 1])
        if not isinstance(statement, ast.Expr) or comment is None:
            exec(compile(ast.Module([statement], []), page, "exec"), names)
            continue
        given = eval(compile(ast.Expression(statement.value), page, "eval"), names)
        assert repr(given) == comment[1], lines[statement.end_lineno - 1]
        compared += 1
    return compared


def test_the_python_guides_examples_give_what_they_say(tmp_path, monkeypatch, sample_photo):
    shutil.copy(sample_photo, tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    compared = [
        run_example(code, "docs/python.md", names) for code in blocks("docs/python.md", "python")
    ]
    assert sum(compared) > 15


def test_an_example_whose_answer_has_changed_is_found():
    with pytest.raises(AssertionError):
        run_example("x = 1\nx + 1  # 3\n", "page", {})


def test_the_readmes_python_runs(tmp_path, monkeypatch, sample_photo):
    shutil.copy(sample_photo, tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("README.md", "python")
    run_example(code, "README.md", {})
    assert (tmp_path / "fit.npz").is_file() and (tmp_path / "fit.obj").is_file()


def command_lines() -> list[tuple[str, list[str]]]:
    """Every `kinflow ...` line of the guides, as words."""
    found = []
    for page in GUIDES:
        for line in lines_of(page):
            for part in line.text.split("&&"):
                words = shlex.split(part.partition(" > ")[0], comments=True)
                if words[:1] == ["kinflow"]:
                    found.append((page, words[1:]))
    return found


@pytest.mark.parametrize(("page", "words"), command_lines(), ids=lambda value: " ".join(value))
def test_every_command_of_the_guides_has_options_that_exist(page, words, monkeypatch):
    monkeypatch.setattr(table, "_run", lambda command, entry: 0)
    assert table.call(words) == 0, page


def test_every_line_of_a_page_is_run_but_those_that_say_why_not(tmp_path):
    text = "```\nkinflow doctor  # all\n\n# not run here: no index\nuv pip\n# note\nls\n```\n"
    text += "```python\nx\n```\n"
    (tmp_path / "page.md").write_text(text)
    assert list(lines_of("page.md", tmp_path)) == [
        Line("page.md", "kinflow doctor  # all"),
        Line("page.md", "uv pip", "no index"),
        Line("page.md", "ls"),
    ]


def test_an_index_that_is_not_reached_is_left_out_of_its_line(capsys):
    line = "pip install . --extra-index-url https://nowhere.invalid/whl/cpu && kinflow setup"
    assert without_unreached_index(line) == "pip install . && kinflow setup"
    assert "nowhere.invalid is not reached" in capsys.readouterr().out

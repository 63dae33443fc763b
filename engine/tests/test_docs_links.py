"""The pages: every link of the guides leads somewhere, every name stands for something."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"(?<!\\)\[[^\]\n]*\]\(([^)\s]+)\)")
NAME = re.compile(r"`(kinflow(?:\.\w+)+)(?:\(\))?`")
FENCED = re.compile(r"^```.*?^```", re.S | re.M)
AUTO = re.compile(r"\.\. auto(?:class|function|module):: (\S+)")


def pages() -> list[Path]:
    """Every page of the project."""
    patterns = (
        "*.md",
        "docs/*.md",
        *(f"{d}/**/README.md" for d in ("addon", "engine", "blender_tests")),
    )
    found = [page for pattern in patterns for page in sorted(ROOT.glob(pattern))]
    return [p for p in found if not any(part.startswith(".") for part in p.relative_to(ROOT).parts)]


def prose(page: Path) -> str:
    """A page without its code."""
    return FENCED.sub("", page.read_text("utf-8"))


def anchors(page: Path) -> set[str]:
    """What GitHub and Sphinx make of a page's headings."""
    headings = re.findall(r"(?m)^#+ (.+)$", prose(page))
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", pages(), ids=named)
def test_every_link_leads_to_a_file_and_a_heading_that_exist(page):
    for link in LINK.findall(prose(page)):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_relative_to(ROOT) and target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=named)
def test_every_name_of_the_pages_is_one_of_the_code(page):
    text = page.read_text("utf-8")
    found = [n if n.startswith("kinflow") else f"kinflow.{n}" for n in AUTO.findall(text)]
    for name in (*found, *NAME.findall(text)):
        assert resolved(name), name


def resolved(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    words = name.split(".")
    for split in range(len(words), 0, -1):
        try:
            thing = importlib.import_module(".".join(words[:split]))
        except ModuleNotFoundError:
            continue
        for word in words[split:]:
            if not hasattr(thing, word):
                return False
            thing = getattr(thing, word)
        return True
    return False


def test_a_name_that_is_gone_is_found():
    assert resolved("kinflow.core.flow.Kink.to_pose")
    assert not resolved("kinflow.core.flow.Kinky") and not resolved("kinflow.core.flows.Kink")


def test_the_pages_are_all_in_the_table_of_contents():
    contents = (ROOT / "docs/conf.py").read_text("utf-8")
    for page in pages():
        name = named(page).removesuffix(".md")
        assert re.search(rf'(?m)(^|<|"){re.escape(name)}(>|"|$)', contents), name


def test_the_public_calls_are_all_described():
    kinflow = importlib.import_module("kinflow")
    text = (ROOT / "docs/reference.md").read_text("utf-8")
    described = {name.rpartition(".")[2] for name in AUTO.findall(text)} | {"KinflowError"}
    assert set(kinflow.__all__) <= described

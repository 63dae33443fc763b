"""The sheet beside a fit, and report.html of many."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from crowd import make_crowd, write_people
from PIL import Image

from kinflow import FitResult, load_body
from kinflow.batch.report import ReportLine, report_page
from kinflow.batch.sources import Source
from kinflow.cli import main
from kinflow.drawing.fit_sheet import Person, described, fit_pages
from kinflow.drawing.overlay import draw_keypoints
from kinflow.perception.formats import read_observations


def _fit(photos: list[Path], files: list[Path], out: Path, *more: str) -> int:
    words = ["fit", *map(str, photos), "--observations", *map(str, files), "--out", str(out)]
    return main([*words, "--losses", "ka", "--start", "rotations", *more])


@pytest.fixture(scope="module")
def fitted(tmp_path_factory) -> Path:
    """A folder of three photos with their results: two people, one who cannot be fitted, one."""
    folder = tmp_path_factory.mktemp("fitted")
    photos, files = make_crowd(folder, 3)
    write_people(files[0], 2)
    write_people(files[1], 1, confidence=0.0)
    assert _fit(photos, files, folder / "o") == 1
    return folder


def test_a_fit_leaves_one_sheet_beside_it(fitted):
    out = fitted / "o"
    assert {p.name for p in out.glob("*.sheet.png")} == {f"0{n}.sheet.png" for n in range(3)}
    alone, two = (Image.open(out / f"0{n}.sheet.png") for n in (2, 0))
    assert two.height > alone.height + 150  # a row a person
    photo = np.asarray(Image.open(fitted / "02.png").convert("RGB"))
    page = np.asarray(alone)
    shown = (page == photo[0, 0]).all(-1)
    assert shown.any(1).sum() > 0.5 * photo.shape[0] or shown.sum() > 10_000


def test_no_sheet_leaves_neither_sheets_nor_a_report_page(tmp_path):
    photos, files = make_crowd(tmp_path, 2)
    assert _fit(photos, files, tmp_path / "o") == 0
    assert (tmp_path / "o" / "report.html").exists()
    assert _fit(photos, files, tmp_path / "o", "--restart", "--no-sheet") == 0
    left = {path.name for path in (tmp_path / "o").iterdir()}
    assert not any(name.endswith((".html", ".sheet.png")) for name in left)


def test_a_report_page_of_the_users_own_is_no_leftover(tmp_path):
    photos, files = make_crowd(tmp_path, 1)
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "report.html").write_text("<p>mine")
    assert _fit(photos, files, tmp_path / "o") == 0
    assert (tmp_path / "o" / "report.html").read_text() == "<p>mine"


def _person(fitted: Path, name: str = "02") -> Person:
    fit = FitResult.load(fitted / "o" / f"{name}.0.npz")
    (seen,) = read_observations(fitted / f"{name}.json")
    return Person(replace(seen, camera=fit.camera), fit, "very unusual; arms: unusual")


def test_a_sheet_says_how_unusual_the_pose_is_in_words(fitted):
    lines = described(_person(fitted))
    assert "Pose: very unusual; arms: unusual" in lines
    assert any(re.fullmatch(r"\(\d+ of 100 captured poses are likelier\)", s) for s in lines)
    assert re.match(r"Keypoints off by [\d.]+ px \([\d.]+ % of height\)", lines[0])


def test_a_person_without_a_fit_is_on_the_sheet_with_the_reason(fitted):
    lines = described(_person(fitted, "01"))
    assert lines[0] == "No fit." and len(lines) > 1


def test_a_circle_shows_how_far_off_a_keypoint_may_be():
    from kinflow import Observation

    points, trust = np.full((17, 2), np.nan), np.zeros(17)
    points[0], trust[0] = (100, 100), 1
    blank = np.zeros((200, 200, 3), np.uint8)
    for sigma in (20, 60):
        person = Observation(points, trust, sigma=np.full(17, sigma))
        y, x = np.nonzero(draw_keypoints(blank, [person]).any(-1))
        reach = np.hypot(x - 100, y - 100).max()
        assert abs(reach - sigma) < 3
    without = draw_keypoints(blank, [Observation(points, trust)])
    assert 0 < without.any(-1).sum() < 100


def test_a_sheet_takes_less_than_half_a_second(fitted):
    person, body = _person(fitted), load_body().arrays
    rgb = np.zeros((person.result.camera.height, person.result.camera.width, 3), np.uint8)
    fit_pages("a photo", rgb, [person], body)
    times = []
    for _ in range(3):
        started = time.process_time()
        fit_pages("a photo", rgb, [person], body)
        times.append(time.process_time() - started)
    assert min(times) < 0.5


class _Table(HTMLParser):
    """Rows of the page's table as texts, and whatever it would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.links: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        for name, value in attrs:
            if name in ("src", "href") and value is not None:
                (self.links if tag == "a" else self.fetched).append(value)

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip()


def _page(path: Path) -> _Table:
    table = _Table()
    table.feed(path.read_text("utf-8"))
    return table


def test_the_report_page_stands_alone_with_failures_first(fitted):
    page = _page(fitted / "o" / "report.html")
    _, *rows = page.rows
    assert rows[0][1] == "01.png" and rows[0][3] == "too little seen"
    assert sorted(row[1] for row in rows) == ["00.png", "00.png", "01.png", "02.png"]
    assert len(page.fetched) == 4 and all(s.startswith("data:image/jpeg") for s in page.fetched)
    assert {unquote(link) for link in page.links} == {"00.sheet.png", "02.sheet.png"}
    shares = [float(row[5]) for row in rows[1:]]
    assert shares == sorted(shares, reverse=True)  # then the worst
    text = (fitted / "o" / "report.html").read_text("utf-8")
    assert "http" not in text and "import" not in text and "fetch(" not in text


def test_one_photo_has_a_sheet_and_no_report_page(tmp_path):
    photos, files = make_crowd(tmp_path, 1)
    assert _fit(photos, files, tmp_path / "o") == 0
    assert (tmp_path / "o" / "00.sheet.png").exists()
    assert not (tmp_path / "o" / "report.html").exists()


def test_names_and_messages_cannot_become_markup():
    name = 'a"><script>alert(1)</script>.png'
    line = ReportLine(Source(f"/x/{name}", "a", 0), 0, [f"/x/{name}", "", "failed", "<b>no</b>"])
    text = report_page([line], lambda _: b"").decode()
    assert text.count("<script>") == 1 and "<b>no" not in text


def test_of_very_many_photos_the_page_shows_those_that_need_a_look(monkeypatch):
    monkeypatch.setattr("kinflow.batch.report.MOST", 3)
    rows = [[f"/x/{i}.png", 0, "converged", "1", f"{i / 100}", "", "", 1, ""] for i in range(5)]
    rows.append(["/x/5.png", "", "failed", "", "", "", "", "", "No person was found."])
    lines = [ReportLine(Source(row[0], str(i), i), 0, row) for i, row in enumerate(rows)]
    text = report_page(lines, lambda _: b"").decode()
    assert re.findall(r">(\d)\.png<", text) == ["5", "4", "3"]
    assert "report.csv" in text


@pytest.fixture
def browser():
    """A headless Chromium: playwright's, or the one that KINFLOW_CHROMIUM names."""
    import os

    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        chosen = os.environ.get("KINFLOW_CHROMIUM")
        options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        chromium = driver.chromium.launch(executable_path=chosen, args=options)
        yield chromium
        chromium.close()


@pytest.mark.browser
def test_in_a_browser_headings_sort_and_nothing_is_fetched(fitted, browser):
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    asked, errors = [], []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("pageerror", lambda error: errors.append(str(error)))
    address = (fitted / "o" / "report.html").as_uri()
    tab.goto(address)

    def column(number: int) -> list[str]:
        return tab.locator(f"tbody tr td:nth-child({number})").all_inner_texts()

    assert column(2)[0] == "01.png"
    heads = tab.locator("thead button")
    for index, number in ((1, 3), (4, 6), (0, 2)):
        heads.nth(index).click()
        up = [text for text in column(number) if text]
        assert up == sorted(up, key=lambda t: float(t) if number > 2 else t)
        heads.nth(index).click()
        assert [text for text in column(number) if text] == up[::-1]
    assert tab.evaluate("[...document.images].every(i => i.naturalWidth > 0)")
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert [url for url in asked if not url.startswith("data:")] == [address] and not errors
    tab.locator("tbody a").first.click()
    assert unquote(tab.url).endswith(".sheet.png")

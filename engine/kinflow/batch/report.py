"""report.html: one page that stands alone, with a line a person, failures first, then the worst."""

import base64
import html
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..priors.unusual import rarity
from ..records import FITTED
from .sources import Source

MOST = 500
"""Lines at most: with thumbnails, some 4 MB."""
MARK = "<!doctype html><!-- kinflow report -->"
_TEMPLATE = Path(__file__).parents[1] / "assets" / "report.html"
_STATUS = {
    "converged": "fitted",
    "max_iterations": "fitted, not settled",
    "filled": "not seen, filled",
    "too_few_keypoints": "too little seen",
    "failed": "no fit",
}


@dataclass(frozen=True)
class ReportLine:
    """A row of report.csv: the number-th of a source."""

    source: Source
    number: int
    row: list[Any]

    def cell(self, column: int) -> str:
        """A column of report.csv as text; "" where the row has none."""
        return str(self.row[column]) if column < len(self.row) else ""

    @property
    def fitted(self) -> bool:
        return self.cell(2) in FITTED

    @property
    def order(self) -> tuple[bool, float]:
        """Failures first, then those that are furthest off."""
        return self.fitted, -_number(self.cell(4), 0.0)


def report_page(lines: Sequence[ReportLine], thumbnail: Callable[[ReportLine], bytes]) -> bytes:
    """The page; of more than MOST lines, the first in that order."""
    shown = sorted(lines, key=lambda line: line.order)[:MOST]
    failed = sum(not line.fitted for line in lines)
    photos = len({line.source.key for line in lines})
    summary = f"{photos} photos, {len(lines) - failed} people fitted, {failed} without a fit"
    if len(shown) < len(lines):
        summary += f"; shown: the {MOST} that need a look most. All of them: report.csv"
    folder = _common_folder([line.cell(0) for line in lines])
    rows = "\n".join(_row(line, thumbnail(line), folder) for line in shown)
    page = _TEMPLATE.read_text("utf-8").replace("{summary}", html.escape(summary))
    page = page.replace("{folder}", html.escape(folder))
    return (MARK + page.replace("{rows}", rows)).encode("utf-8", "backslashreplace")


def _common_folder(paths: Sequence[str]) -> str:
    """The folder that all photos lie below; "" where there is none."""
    try:
        return os.path.commonpath([os.path.dirname(path) for path in paths])
    except ValueError:
        return ""


def _row(line: ReportLine, jpeg: bytes, folder: str) -> str:
    name = html.escape(line.cell(0).removeprefix(folder).lstrip("/\\"))
    picture = ""
    if jpeg:
        data = base64.b64encode(jpeg).decode()
        picture = f'<img src="data:image/jpeg;base64,{data}" alt="{name}" width=112 height=112>'
    if line.fitted:
        sheet = quote(os.fsencode(f"{line.source.stem}.sheet.png"))
        picture = f'<a href="{sheet}" title="Open the sheet">{picture or "sheet"}</a>'
    status = _STATUS.get(line.cell(2), line.cell(2))
    error, share = _number(line.cell(3)), 100 * _number(line.cell(4))
    overlap, unusual = 100 * _number(line.cell(5)), _number(line.cell(6))
    cells = [
        f"<td>{picture}",
        _cell(name, line.cell(0)),
        _cell(line.cell(1), line.cell(1)),
        _cell(status, status, "" if line.fitted else "bad"),
        _cell(_shown(error, 1), error),
        _cell(_shown(share, 1), share),
        _cell(_shown(overlap, 0), overlap),
        _cell(_rarity(unusual), unusual),
        _cell(line.cell(7), _number(line.cell(7))),
        _cell(html.escape(line.cell(8)), line.cell(8)),
    ]
    return f'<tr class="{"" if line.fitted else "failed"}">{"".join(cells)}'


def _cell(text: str, value: str | float, kind: str = "") -> str:
    """value: what the table is sorted by."""
    key = "" if value != value else html.escape(str(value))
    return f'<td data-v="{key}"{f" class={kind}" if kind else ""}>{text}'


def _rarity(percentile: float) -> str:
    return "" if percentile != percentile else f"{rarity(percentile)} ({percentile:.0f})"


def _number(text: str, otherwise: float = float("nan")) -> float:
    try:
        return float(text)
    except ValueError:
        return otherwise


def _shown(number: float, digits: int) -> str:
    return "" if number != number else f"{number:.{digits}f}"

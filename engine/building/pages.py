"""`build.py docs`: the pages in site/, from the guides and the docstrings."""

from __future__ import annotations

import shutil

from .environment import (
    ROOT,
    VENV,
    call,
    ensure,
    install_engine,
    install_tests,
    pip,
    say,
    venv_python,
)

SITE = ROOT / "site"
CHECKS = ("test_docs_links.py", "test_docs_examples.py")


def docs(arguments: list[str]) -> int:
    """Runs the guides' examples, then builds the pages; a warning of Sphinx ends it."""
    install_engine()
    install_tests()
    pins = ROOT / "docs/requirements.txt"
    ensure(VENV, "Sphinx", pins.read_text("utf-8"), lambda: pip(VENV, "install", "-r", pins))
    tests = [ROOT / "engine/tests" / name for name in CHECKS]
    if code := call(venv_python(), "-m", "pytest", "-q", *tests):
        return code
    strict = ("--fail-on-warning", "--nitpicky", "--fresh-env", "--quiet")
    command = (venv_python(), "-m", "sphinx", "-c", ROOT / "docs", *strict, *arguments)
    if code := call(*command, ROOT, SITE):
        return code
    # the README is the first page, and its links to others are right beside them alone
    shutil.copy(SITE / "README.html", SITE / "index.html")
    say(f"{SITE.relative_to(ROOT)}/index.html: {sum(1 for _ in SITE.rglob('*.html'))} pages")
    return 0

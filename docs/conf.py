"""Sphinx's settings. The source is the whole repository: pages link to each other as files do."""

from __future__ import annotations

import re
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.logging import getLogger
from sphinx.util.nodes import make_refnode

import kinflow

project, author, project_copyright = "kinflow", "kinflow developers", "2026 kinflow developers"
version = release = kinflow.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
root_doc = "README"
include_patterns = [
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs/*.md"),
    *("addon/README.md", "engine/README.md", "engine/benchmarks/README.md"),
    *("engine/kinflow/assets/README.md", "engine/benchmarks/data/README.md"),
    "blender_tests/samples/README.md",
]
# not walked: environments and results hold thousands of files
exclude_patterns = [".*", "out", "dist", "site", "engine/build", "**/__pycache__"]

highlight_language = "none"  # only blocks that name a language
html_theme = "furo"
html_title = f"kinflow {release}"
html_math_renderer = "mathml"
html_show_sphinx = False
html_copy_source = False
html_static_path = ["static"]
html_css_files = ["kinflow.css"]
html_theme_options = {"navigation_with_keys": True}

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_type_aliases = {name: name for name in ("Array", "Namespace", "NumpyArray", "AnyBody")}
autodoc_default_options = {"members": True}
python_display_short_literal_types = True
python_maximum_signature_line_length = 88
# of names in signatures only kinflow's own have a page; what guides name is a py:obj and has to
nitpick_ignore_regex = [(r"py:(class|func|data|exc|meth|attr)", r".*")]

LOG = getLogger(__name__)
CONTENTS = """

```{toctree}
:hidden:
:caption: Guides

In Blender <addon/README>
docs/command-line
docs/python
```

```{toctree}
:hidden:
:caption: Reference

docs/method
docs/reference
docs/mathematics
engine/README
engine/benchmarks/README
```

```{toctree}
:hidden:
:caption: Project

CHANGELOG
CONTRIBUTING
SECURITY
engine/kinflow/assets/README
engine/benchmarks/data/README
blender_tests/samples/README
```
"""
# begins a paragraph of its own: "boxes (N, 4): ...", "Raises ..."
PART = re.compile(r"([a-z_]+(, [a-z_]+)*( \([^)]*\))?: |Raises |Returns |-> )")
INLINE = re.compile(r"`([^`]+)`")
SPECIAL = re.compile(r"([*|\\]|(?<=\w)_(?=\W|$))")


def with_contents(app: Sphinx, page: str, source: list[str]) -> None:
    """The README is the first page; GitHub need not see the table of contents."""
    if page == root_doc:
        source[0] += CONTENTS


def as_restructured(
    app: Sphinx, kind: str, name: str, thing: object, options: object, lines: list[str]
) -> None:
    """Docstrings are plain text with `code` and indented formulas; |x|, x* and x_ mean nothing."""
    result: list[str] = []
    formula = False
    for line in lines:
        indented = line.startswith(" ")
        if indented and not formula:
            result += ["", "::", ""]
        formula = indented or (formula and not line)
        if formula:
            result.append(line)
            continue
        if result and result[-1].endswith(".") and PART.match(line):
            result.append("")
        pieces = INLINE.split(line)
        for i, piece in enumerate(pieces):
            pieces[i] = f"``{piece}``" if i % 2 else SPECIAL.sub(r"\\\1", piece)
        result.append("".join(pieces))
    lines[:] = result


def link_names(app: Sphinx, document: nodes.document) -> None:
    """`kinflow.x.y` in a guide leads to where y is described, or ends the build."""
    if not app.env.docname.startswith("docs/"):
        return
    for literal in list(document.findall(nodes.literal)):
        name = literal.astext()
        if re.fullmatch(r"kinflow(\.\w+)+(\(\))?", name) and literal.parent.tagname != "reference":
            target = addnodes.pending_xref(
                "", refdomain="py", reftype="obj", reftarget=name.removesuffix("()"), refwarn=True
            )
            target += literal.deepcopy()
            literal.replace_self(target)


def find_public(app: Sphinx, env: object, node: nodes.Element, content: nodes.Node):
    """A class of the public API by the module that it lies in: kinflow.records.FitResult."""
    target = node.get("reftarget", "")
    name = target.rpartition(".")[2]
    found = env.domains["py"].objects.get(f"kinflow.{name}")
    if target.startswith("kinflow.") and name in kinflow.__all__ and found:
        page = node.get("refdoc", root_doc)
        return make_refnode(app.builder, page, found.docname, found.node_id, content, name)
    return None


def mathml(node: nodes.math | nodes.math_block, display: str) -> str:
    """MathML: no script, no network; browsers draw it. What has no form in it stays as LaTeX."""
    result = convert(node.astext(), display=display)
    if "\\" in result:
        LOG.warning("a formula that MathML does not have: %s", node.astext(), location=node)
    return result


def formula(translator, node: nodes.math) -> None:
    translator.body.append(mathml(node, "inline"))
    raise nodes.SkipNode


def displayed(translator, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="math">{mathml(node, "block")}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    app.add_html_math_renderer("mathml", (formula, None), (displayed, None))
    app.connect("source-read", with_contents)
    app.connect("autodoc-process-docstring", as_restructured)
    app.connect("doctree-read", link_names)
    app.connect("missing-reference", find_public)


assert Path(kinflow.__file__).is_relative_to(Path(__file__).resolve().parents[1])

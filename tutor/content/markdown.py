"""Authors' Markdown to HTML: tables, callouts, highlighted code, and links to the glossary (``[text](term:id)``)."""

from __future__ import annotations

import re
from typing import Any

import markdown

_TERM = re.compile(r'<a href="term:([a-z0-9-]+)">')
_EXTENSIONS = ["attr_list", "tables", "admonition", "sane_lists", "pymdownx.superfences", "pymdownx.highlight"]
_CONFIG: dict[str, dict[str, Any]] = {"pymdownx.highlight": {"css_class": "highlight", "use_pygments": True}}


def render(text: str) -> str:
    """Blocks of Markdown as HTML."""
    html = markdown.Markdown(extensions=_EXTENSIONS, extension_configs=_CONFIG, output_format="html").convert(text)
    return _terms(html)


def inline(text: str) -> str:
    """A phrase as HTML, without a paragraph around it."""
    html = markdown.Markdown(output_format="html").convert(text)
    if html.startswith("<p>") and html.endswith("</p>") and html.count("<p>") == 1:
        html = html[3:-4]
    return _terms(html)


def _terms(html: str) -> str:
    """Glossary links go to the entry on the page and carry the term, so that the page can show its definition."""
    return _TERM.sub(r'<a class="term" href="#term-\1" data-term="\1">', html)


def words(text: str) -> int:
    """Words a reader reads: code counts too, markup does not."""
    bare = re.sub(r"\{[^}]*\}|\]\([^)]*\)|[#*_`|>-]+", " ", text)
    return len(re.findall(r"[\w./:=]+", bare))

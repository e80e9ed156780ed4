"""Authors' Markdown to HTML: tables, callouts, highlighted code, and links to the glossary (``[text](term:id)``)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import markdown

_TERM = re.compile(r'<a href="term:([a-z0-9-]+)">')
_FENCED = re.compile(r"^[ \t]*(```+|~~~+)[^\n]*\n(?:.*?\n)??[ \t]*\1[`~]*[ \t]*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]+`")
_LINK = re.compile(r"\]\((term:[^)\s]*|#[^)\s]*)")
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


def prose(text: str) -> str:
    """The text with all code blanked out, character for character, so that lines and columns stay."""
    blank = "".join  # newlines stay newlines
    for pattern in (_FENCED, _CODE):
        text = pattern.sub(lambda m: blank(c if c == "\n" else " " for c in m[0]), text)
    return text


def links(text: str) -> Iterator[tuple[int, str]]:
    """(line counted from 0, target) of every link to the glossary (``term:id``) or within the page (``#id``)."""
    bare = prose(text)
    for match in _LINK.finditer(bare):
        yield bare.count("\n", 0, match.start()), match[1]


def words(text: str) -> int:
    """Words a reader reads: code counts too, markup does not."""
    bare = re.sub(r"\{[^}]*\}|\]\([^)]*\)|[#*_`|>-]+", " ", text)
    return len(re.findall(r"[\w./:=]+", bare))


def code_words(text: str) -> int:
    """The words among them that stand in blocks of code."""
    return sum(words(m[0]) for m in _FENCED.finditer(text))

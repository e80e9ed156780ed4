"""The words and operators of the simulated shell's language: quotes, variables, substitutions."""

from __future__ import annotations

from dataclasses import dataclass


class SyntaxProblem(Exception):
    """Input the shell cannot parse; the message is what it prints."""


@dataclass(frozen=True)
class Part:
    """A piece of a word. ``kind``: ``text``, ``var``, ``command`` (substitution), ``arithmetic``. Quoted parts are never split."""

    kind: str
    text: str
    quoted: bool


Word = tuple[Part, ...]


_OPERATORS = ("&&", "||", ";;", ">>", "<<", ">&", "|", ";", "&", "<", ">", "(", ")", "\n")


@dataclass(frozen=True)
class Token:
    """An operator, or a word."""

    op: str
    word: Word = ()
    fd: int | None = None
    """The number written directly before a redirection."""

    def plain(self) -> str:
        """The word when it is unquoted text, else nothing."""
        if not self.op and len(self.word) == 1 and self.word[0].kind == "text" and not self.word[0].quoted:
            return self.word[0].text
        return ""


def tokens(text: str) -> list[Token]:
    """The tokens of a script.

    :raises SyntaxProblem: an open quote, or a here-document.
    """
    found: list[Token] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char in " \t" or text.startswith("\\\n", at):
            at += 1 if char in " \t" else 2
            continue
        if char == "#":
            at = text.find("\n", at) if "\n" in text[at:] else len(text)
            continue
        op = next((o for o in _OPERATORS if text.startswith(o, at)), "")
        if op == "<<":
            raise SyntaxProblem("here-documents are not available in the simulated pod")
        if op:
            number = found[-1].plain() if found and at and text[at - 1] in "012" and op[0] in "<>" else ""
            fd = int(found.pop().plain()) if number in ("0", "1", "2") else None
            found.append(Token(op, (), fd))
            at += len(op)
            continue
        word, at = _word(text, at)
        found.append(Token("", word))
    return found


def _word(text: str, at: int) -> tuple[Word, int]:
    parts: list[Part] = []

    def add(piece: str, quoted: bool) -> None:
        if parts and parts[-1].kind == "text" and parts[-1].quoted is quoted:
            parts[-1] = Part("text", parts[-1].text + piece, quoted)
        else:
            parts.append(Part("text", piece, quoted))

    while at < len(text) and text[at] not in " \t\n;&|<>()":
        char = text[at]
        if char == "\\" and at + 1 < len(text):
            add(text[at + 1], True)
            at += 2
        elif char == "'":
            end = text.find("'", at + 1)
            if end < 0:
                raise SyntaxProblem("syntax error: unterminated quoted string")
            add(text[at + 1 : end], True)
            at = end + 1
        elif char == '"':
            at = _double(text, at + 1, parts, add)
        elif char == "$":
            part, at = _dollar(text, at, False)
            parts.append(part)
        elif char == "`":
            end = text.find("`", at + 1)
            if end < 0:
                raise SyntaxProblem("syntax error: unterminated quoted string")
            parts.append(Part("command", text[at + 1 : end], False))
            at = end + 1
        else:
            add(char, False)
            at += 1
    return tuple(parts), at


def _double(text: str, at: int, parts: list[Part], add: object) -> int:
    """The inside of double quotes; gives the place after them."""
    start = len(parts)
    while at < len(text) and text[at] != '"':
        if text[at] == "\\" and at + 1 < len(text) and text[at + 1] in '"\\$`\n':
            add(text[at + 1], True)  # type: ignore[operator]
            at += 2
        elif text[at] == "$":
            part, at = _dollar(text, at, True)
            parts.append(part)
        else:
            add(text[at], True)  # type: ignore[operator]
            at += 1
    if at >= len(text):
        raise SyntaxProblem("syntax error: unterminated quoted string")
    if len(parts) == start:
        add("", True)  # type: ignore[operator]
    return at + 1


def _dollar(text: str, at: int, quoted: bool) -> tuple[Part, int]:
    if text.startswith("$((", at) and "))" in text[at:]:
        end = text.index("))", at)
        return Part("arithmetic", text[at + 3 : end], quoted), end + 2
    if text.startswith("$(", at):
        depth, end = 1, at + 2
        while end < len(text) and depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        if depth:
            raise SyntaxProblem("syntax error: unterminated $(")
        return Part("command", text[at + 2 : end - 1], quoted), end
    if text.startswith("${", at):
        end = text.find("}", at)
        if end < 0:
            raise SyntaxProblem("syntax error: missing }")
        return Part("var", text[at + 2 : end], quoted), end + 1
    end = at + 1
    if end < len(text) and text[end] in "?#@*$0123456789":
        return Part("var", text[end], quoted), end + 1
    while end < len(text) and (text[end].isalnum() or text[end] == "_"):
        end += 1
    if end == at + 1:
        return Part("text", "$", quoted), end
    return Part("var", text[at + 1 : end], quoted), end

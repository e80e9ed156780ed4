"""The part of the POSIX shell grammar the simulated shell understands, as a tree."""

from __future__ import annotations

from dataclasses import dataclass, field


class SyntaxProblem(Exception):
    """Input the shell cannot parse; the message is what it prints."""


@dataclass(frozen=True)
class Part:
    """A piece of a word. ``kind``: ``text``, ``var``, ``command`` (substitution), ``arithmetic``. Quoted parts are never split."""

    kind: str
    text: str
    quoted: bool


Word = tuple[Part, ...]


@dataclass(frozen=True)
class Redirect:
    """``fd`` sent to a file (``append`` adds), read from one (``<``), or duplicated (``2>&1``)."""

    fd: int
    op: str
    target: Word


@dataclass
class Simple:
    """A command with its assignments, words and redirections."""

    assigns: list[tuple[str, Word]] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    redirects: list[Redirect] = field(default_factory=list)


@dataclass
class Loop:
    """``for``, ``while`` or ``until``."""

    kind: str
    name: str
    words: list[Word]
    condition: Sequence | None
    body: Sequence


@dataclass
class If:
    """``if``, with its ``elif`` turned into nested ones."""

    condition: Sequence
    then: Sequence
    otherwise: Sequence | None


@dataclass
class Group:
    """``( … )``, which is a shell of its own, or ``{ …; }``."""

    body: Sequence
    subshell: bool = False


@dataclass
class Case:
    """``case WORD in PATTERN|PATTERN) …;; esac``."""

    word: Word
    branches: list[tuple[list[Word], Sequence]]


Command = Simple | Loop | If | Group | Case


@dataclass
class Pipeline:
    """Commands joined by ``|``; ``!`` inverts the result, ``&`` behind it runs it beside what follows."""

    commands: list[Command]
    inverted: bool = False
    background: bool = False


@dataclass
class Sequence:
    """Pipelines with what joins each to the one before: ``;``, ``&&`` or ``||``."""

    items: list[tuple[str, Pipeline]] = field(default_factory=list)


_OPERATORS = ("&&", "||", ";;", ">>", "<<", ">&", "|", ";", "&", "<", ">", "(", ")", "\n")
_RESERVED = {"do", "done", "then", "else", "elif", "fi", "}", "esac"}


@dataclass(frozen=True)
class _Token:
    op: str
    word: Word = ()
    fd: int | None = None
    """The number written directly before a redirection."""

    def plain(self) -> str:
        """The word when it is unquoted text, else nothing."""
        if not self.op and len(self.word) == 1 and self.word[0].kind == "text" and not self.word[0].quoted:
            return self.word[0].text
        return ""


def parse(text: str) -> Sequence:
    """A whole script.

    :raises SyntaxProblem: with the shell's own kind of message.
    """
    parser = _Parser(_tokens(text))
    tree = parser.sequence(set())
    if parser.peek() is not None:
        raise SyntaxProblem(f'syntax error: unexpected "{parser.shown()}"')
    return tree


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens, self.at = tokens, 0

    def peek(self) -> _Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def shown(self) -> str:
        t = self.peek()
        return "end of file" if t is None else (t.op.replace("\n", "newline") or "".join(p.text for p in t.word))

    def expect(self, word: str) -> None:
        t = self.peek()
        if t is None or (t.plain() != word and t.op != word):
            raise SyntaxProblem(f'syntax error: unexpected {self.shown()} (expecting "{word}")')
        self.at += 1

    def skip(self, ops: tuple[str, ...]) -> None:
        while (t := self.peek()) is not None and t.op in ops:
            self.at += 1

    def sequence(self, stops: set[str]) -> Sequence:
        out, joiner = Sequence(), ";"
        self.skip(("\n",))
        while (t := self.peek()) is not None:
            if (t.plain() in (stops | _RESERVED) and t.plain()) or t.op in (")", ";;"):
                break
            pipeline = self.pipeline()
            out.items.append((joiner, pipeline))
            t = self.peek()
            if t is None or t.op not in (";", "\n", "&", "&&", "||"):
                break
            pipeline.background = t.op == "&"
            joiner = t.op if t.op in ("&&", "||") else ";"
            self.at += 1
            self.skip(("\n",))
        return out

    def pipeline(self) -> Pipeline:
        inverted = False
        while (t := self.peek()) is not None and t.plain() == "!":
            inverted = not inverted
            self.at += 1
        commands = [self.command()]
        while (t := self.peek()) is not None and t.op == "|":
            self.at += 1
            self.skip(("\n",))
            commands.append(self.command())
        return Pipeline(commands, inverted)

    def command(self) -> Command:
        t = self.peek()
        word = t.plain() if t else ""
        if t is not None and t.op == "(":
            self.at += 1
            body = self.sequence(set())
            self.expect(")")
            return Group(body, subshell=True)
        if word == "{":
            self.at += 1
            body = self.sequence({"}"})
            self.expect("}")
            return Group(body)
        if word in ("while", "until"):
            self.at += 1
            condition = self.sequence({"do"})
            return Loop(word, "", [], condition, self.body())
        if word == "for":
            return self.for_loop()
        if word == "if":
            self.at += 1
            return self.conditional()
        if word == "case":
            return self.case()
        return self.simple()

    def case(self) -> Case:
        self.at += 1
        subject = self.peek()
        if subject is None or subject.op:
            raise SyntaxProblem(f"syntax error: unexpected {self.shown()}")
        self.at += 1
        self.skip(("\n",))
        self.expect("in")
        branches: list[tuple[list[Word], Sequence]] = []
        self.skip(("\n",))
        while (t := self.peek()) is not None and t.plain() != "esac":
            patterns: list[Word] = []
            while (t := self.peek()) is not None and t.op in ("", "|", "("):
                if not t.op:
                    patterns.append(t.word)
                self.at += 1
            self.expect(")")
            branches.append((patterns, self.sequence({"esac"})))
            self.skip((";;", "\n"))
        self.expect("esac")
        return Case(subject.word, branches)

    def body(self) -> Sequence:
        self.skip((";", "\n"))
        self.expect("do")
        body = self.sequence({"done"})
        self.expect("done")
        return body

    def for_loop(self) -> Loop:
        self.at += 1
        name = self.peek()
        self.at += 1
        words: list[Word] = []
        t = self.peek()
        if t is not None and t.plain() == "in":
            self.at += 1
            while (t := self.peek()) is not None and not t.op:
                words.append(t.word)
                self.at += 1
        return Loop("for", name.plain() if name else "", words, None, self.body())

    def conditional(self) -> If:
        condition = self.sequence({"then"})
        self.expect("then")
        then = self.sequence({"else", "elif", "fi"})
        t = self.peek()
        otherwise: Sequence | None = None
        if t is not None and t.plain() == "elif":
            self.at += 1
            return If(condition, then, Sequence([(";", Pipeline([self.conditional()]))]))
        if t is not None and t.plain() == "else":
            self.at += 1
            otherwise = self.sequence({"fi"})
        self.expect("fi")
        return If(condition, then, otherwise)

    def simple(self) -> Simple:
        out = Simple()
        while (t := self.peek()) is not None:
            if t.op in (">", ">>", "<", ">&"):
                self.redirect(out, t.fd if t.fd is not None else 0 if t.op == "<" else 1)
                continue
            if t.op:
                break
            text = t.word[0].text if t.word and t.word[0].kind == "text" and not t.word[0].quoted else ""
            name, eq, rest = text.partition("=")
            if eq and name.isidentifier() and not out.words:
                out.assigns.append((name, (Part("text", rest, False), *t.word[1:])))
            else:
                out.words.append(t.word)
            self.at += 1
        if not (out.words or out.assigns or out.redirects):
            raise SyntaxProblem(f'syntax error: unexpected "{self.shown()}"')
        return out

    def redirect(self, out: Simple, fd: int) -> None:
        op = self.tokens[self.at].op
        self.at += 1
        t = self.peek()
        if t is None or t.op:
            raise SyntaxProblem(f'syntax error: unexpected "{self.shown()}"')
        out.redirects.append(Redirect(fd, op, t.word))
        self.at += 1


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
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
            number = tokens[-1].plain() if tokens and at and text[at - 1] in "012" and op[0] in "<>" else ""
            fd = int(tokens.pop().plain()) if number in ("0", "1", "2") else None
            tokens.append(_Token(op, (), fd))
            at += len(op)
            continue
        word, at = _word(text, at)
        tokens.append(_Token("", word))
    return tokens


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

"""The part of the POSIX shell grammar the simulated shell understands, as a tree."""

from __future__ import annotations

from dataclasses import dataclass, field

from tutor.kubesim.shell.words import Part, SyntaxProblem, Token, Word, tokens

__all__ = [
    "Case",
    "Command",
    "Group",
    "If",
    "Loop",
    "Part",
    "Pipeline",
    "Redirect",
    "Sequence",
    "Simple",
    "SyntaxProblem",
    "Word",
    "parse",
]


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


_RESERVED = {"do", "done", "then", "else", "elif", "fi", "}", "esac"}


def parse(text: str) -> Sequence:
    """A whole script.

    :raises SyntaxProblem: with the shell's own kind of message.
    """
    parser = _Parser(tokens(text))
    tree = parser.sequence(set())
    if parser.peek() is not None:
        raise SyntaxProblem(f'syntax error: unexpected "{parser.shown()}"')
    return tree


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self.tokens, self.at = tokens, 0

    def peek(self) -> Token | None:
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

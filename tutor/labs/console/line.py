"""One console line to words and pipes. There is no shell: what only a shell could do is refused, with the way round it."""

from __future__ import annotations

from dataclasses import dataclass

from tutor.errors import Refused

MAX_CHARS = 4000

_OPERATORS = {
    "&&": "One command a line: && is not run here. It works inside a pod: kubectl exec POD -- sh -c 'a && b'.",
    "||": "One command a line: || is not run here. It works inside a pod: kubectl exec POD -- sh -c 'a || b'.",
    "<<": "Text cannot be fed in from here (<<). Write the manifest in the editor beside the console and apply it there.",
    ">>": "Output is not written to files here (>>). Copy it from the screen.",
    ";": "One command a line: ; is not run here.",
    "&": "Nothing runs in the background here (&).",
    "<": "No file is fed in here (<). Name it with -f, or use the editor.",
    ">": "Output is not written to files here (>). Copy it from the screen.",
    "(": "There is no shell here, so no ( ). Quote the text if it is an argument: 'a (b)'.",
    ")": "There is no shell here, so no ( ). Quote the text if it is an argument: 'a (b)'.",
    "`": "Nothing is substituted here (`…`). Use single quotes to pass the text as it is.",
    "$(": "Nothing is substituted here: $(…). Use single quotes to pass the text as it is.",
}


@dataclass
class _Reader:
    """Reads words the way a shell quotes them: '…' as it is, "…" and \\ with the usual escapes."""

    text: str
    at: int = 0

    def commands(self) -> list[list[str]]:
        found: list[list[str]] = [[]]
        while self.at < len(self.text):
            char = self.text[self.at]
            if char.isspace():
                self.at += 1
            elif char == "#":
                break
            elif char == "|" and not self.text.startswith("||", self.at):
                self.at += 1
                found.append([])
            else:
                self._refuse_operator()
                found[-1].append(self._word())
        return found

    def _refuse_operator(self) -> None:
        for operator, reason in _OPERATORS.items():
            if self.text.startswith(operator, self.at):
                raise Refused(reason)

    def _word(self) -> str:
        out: list[str] = []
        while self.at < len(self.text):
            char = self.text[self.at]
            if char.isspace() or char == "|":
                break
            if char in "'\"":
                out.append(self._quoted(char))
            elif char == "\\":
                out.append(self.text[self.at + 1 : self.at + 2])
                self.at += 2
            else:
                self._refuse_operator()
                self._refuse_variable()
                out.append(char)
                self.at += 1
        return "".join(out)

    def _quoted(self, quote: str) -> str:
        out: list[str] = []
        begin = self.at
        self.at += 1
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == quote:
                self.at += 1
                return "".join(out)
            if quote == '"':
                if char == "\\" and self.text[self.at + 1 : self.at + 2] in tuple('"\\$`'):
                    self.at += 1
                    char = self.text[self.at]
                elif char in "$`":
                    if char == "`" or self.text.startswith("$(", self.at):
                        self._refuse_operator()
                    self._refuse_variable()
            out.append(char)
            self.at += 1
        raise Refused(f"The quote that opens at column {begin + 1} is never closed.")

    def _refuse_variable(self) -> None:
        after = self.text[self.at + 1 : self.at + 2]
        if self.text[self.at] == "$" and (after.isalpha() or after in ("_", "{")):
            raise Refused("Variables are not expanded here ($…). Use single quotes to pass the text as it is.")


def split(line: str) -> list[list[str]]:
    """The commands of a pipeline, each as its words.

    :raises Refused: too long, control characters, an open quote, or something only a shell could do.
    """
    if len(line) > MAX_CHARS:
        raise Refused(f"A line may have {MAX_CHARS} characters. Longer manifests go through the editor.")
    if any((ord(c) < 32 and c != "\t") or ord(c) == 127 for c in line):
        raise Refused("The line holds characters that cannot be typed.")
    commands = _Reader(line).commands()
    if len(commands) > 1 and not all(commands):
        raise Refused("There is a | with nothing on one side.")
    return commands

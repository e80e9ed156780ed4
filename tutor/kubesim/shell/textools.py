"""Tools that read and write text."""

from __future__ import annotations

import re

from tutor.kubesim.shell.context import Context, Io
from tutor.kubesim.shell.patterns import PatternProblem, compiled


async def inputs(ctx: Context, name: str, files: list[str], io: Io) -> tuple[bytes, int]:
    """The content of the files named, or standard input; a missing file is complained about."""
    if not files:
        return await io.stdin.read(), 0
    data, code = b"", 0
    for f in files:
        content = await io.stdin.read() if f == "-" else ctx.read(f)
        if content is None:
            io.complain(f"{name}: can't open '{f}': No such file or directory")
            code = 1
        else:
            data += content
    return data, code


def split(args: list[str], with_value: str = "") -> tuple[dict[str, str], list[str]]:
    """Short flags and operands. ``with_value``: letters whose flag takes a value."""
    flags: dict[str, str] = {}
    rest: list[str] = []
    at = 0
    while at < len(args):
        a = args[at]
        at += 1
        if a == "--":
            return flags, rest + args[at:]
        if not a.startswith("-") or a == "-":
            rest.append(a)
            continue
        body = a[1:]
        while body:
            letter, body = body[0], body[1:]
            if letter in with_value:
                if not body and at < len(args):
                    body = args[at]
                    at += 1
                flags[letter], body = body, ""
            else:
                flags[letter] = flags.get(letter, "") + "1"
    return flags, rest


async def cat(ctx: Context, args: list[str], io: Io) -> int:
    """Files, or standard input."""
    data, code = await inputs(ctx, "cat", [a for a in args if a == "-" or not a.startswith("-")], io)
    io.out(data)
    return code


async def echo(ctx: Context, args: list[str], io: Io) -> int:
    """Words; ``-n`` without a newline, ``-e`` with escapes."""
    newline, escapes = True, False
    while args and re.fullmatch(r"-[neE]+", args[0]):
        newline &= "n" not in args[0]
        escapes |= "e" in args[0]
        args = args[1:]
    text = " ".join(args)
    data = _unescape(text) if escapes else text.encode()
    io.out(data + (b"\n" if newline else b""))
    return 0


_ESCAPES = {"n": b"\n", "t": b"\t", "r": b"\r", "\\": b"\\", "a": b"\a", "b": b"\b", "f": b"\f", "v": b"\v"}


def _unescape(text: str) -> bytes:
    out = bytearray()
    for match in re.finditer(r"\\x([0-9A-Fa-f]{1,2})|\\0?([0-7]{1,3})|\\([ntr\\abfv])|(.)", text, re.DOTALL):
        if match[1]:
            out.append(int(match[1], 16))
        elif match[2]:
            out.append(int(match[2], 8) & 255)
        elif match[3]:
            out += _ESCAPES[match[3]]
        else:
            out += match[4].encode()
    return bytes(out)


async def printf(ctx: Context, args: list[str], io: Io) -> int:
    """A format with ``%s %d %x %o %%`` and escapes; repeated while arguments last."""
    if not args:
        io.complain("printf: missing FORMAT")
        return 1
    form, values = args[0], args[1:]
    numbers = [m[2] in "dxo" for m in _CONVERSION.finditer(form) if m[2] != "%"]
    bad = [v for i, v in enumerate(values) if numbers and numbers[i % len(numbers)] and not _NUMBER.fullmatch(v)]
    for value in bad:
        io.complain(f"sh: invalid number '{value}'")
    slots = len([m for m in _CONVERSION.finditer(form) if m[2] != "%"])
    while True:
        io.out(_unescape(_filled(form, values)))
        values = values[slots:]
        if not values or not slots:
            return 1 if bad else 0


_NUMBER = re.compile(r"-?\d{1,18}|0x[0-9a-fA-F]{1,16}")
_CONVERSION = re.compile(r"%(-?\d*)([sdxo%b])")


def _filled(form: str, values: list[str]) -> str:
    """A printf format with its conversions replaced by values; missing ones are empty or zero."""
    given = iter(values)

    def fill(match: re.Match[str]) -> str:
        if match[2] == "%":
            return "%"
        value = next(given, "")
        if match[2] in "dxo":
            number = int(value, 16 if "x" in value else 10) if _NUMBER.fullmatch(value) else 0
            value = format(number, match[2])
        width = int(match[1].lstrip("-") or 0)
        return value.ljust(width) if match[1].startswith("-") else value.rjust(width)

    return _CONVERSION.sub(fill, form)


async def head(ctx: Context, args: list[str], io: Io) -> int:
    """First lines (``-n N``) or bytes (``-c N``)."""
    return await _ends(ctx, "head", args, io, lambda items, n: items[:n])


async def tail(ctx: Context, args: list[str], io: Io) -> int:
    """Last lines (``-n N``) or bytes (``-c N``)."""
    return await _ends(ctx, "tail", args, io, lambda items, n: items[-n:] if n else items[:0])


async def _ends(ctx: Context, name: str, args: list[str], io: Io, pick: object) -> int:
    args = [f"-n{a[1:]}" if re.fullmatch(r"-\d+", a) else a for a in args]
    flags, files = split(args, "nc")
    data, code = await inputs(ctx, name, files, io)
    number = flags.get("c") or flags.get("n") or "10"
    if not number.lstrip("+").isdigit():
        io.complain(f"{name}: invalid number '{number}'")
        return 1
    if "c" in flags:
        io.out(pick(data, int(number)))  # type: ignore[operator]
    else:
        io.out(b"".join(pick(data.splitlines(keepends=True), int(number))))  # type: ignore[operator]
    return code


async def grep(ctx: Context, args: list[str], io: Io) -> int:
    """Lines that match; ``-i -v -c -q -n -o -E -F -e``."""
    flags, rest = split(args, "em")
    pattern = flags.get("e") or (rest.pop(0) if rest else "")
    data, code = await inputs(ctx, "grep", rest, io)
    try:
        regex = compiled(
            re.escape(pattern) if "F" in flags else pattern,
            extended=bool({"E", "F"} & set(flags)),
            ignore_case="i" in flags,
        )
    except PatternProblem as e:
        io.complain(f"grep: {e}")
        return 2
    hits = 0
    for number, line in enumerate(data.decode(errors="replace").splitlines(), 1):
        match = regex.search(line[:2000])
        if bool(match) is ("v" in flags):
            continue
        hits += 1
        if "q" not in flags and "c" not in flags:
            text = match[0] if match and "o" in flags else line
            io.print(f"{number}:{text}" if "n" in flags else text)
    if "c" in flags:
        io.print(str(hits))
    return code or (0 if hits else 1)


async def egrep(ctx: Context, args: list[str], io: Io) -> int:
    """``grep -E``."""
    return await grep(ctx, ["-E", *args], io)


async def wc(ctx: Context, args: list[str], io: Io) -> int:
    """Lines, words, bytes."""
    flags, files = split(args)
    data, code = await inputs(ctx, "wc", files, io)
    counts = {"l": data.count(b"\n"), "w": len(data.split()), "c": len(data)}
    chosen = [counts[k] for k in "lwc" if k in flags] or list(counts.values())
    text = str(chosen[0]) if len(chosen) == 1 else " ".join(f"{n:>9}" for n in chosen)
    io.print(text + (f" {files[0]}" if files else ""))
    return code


async def sort(ctx: Context, args: list[str], io: Io) -> int:
    """Sorted lines; ``-r -n -u``."""
    flags, files = split(args, "kt")
    data, code = await inputs(ctx, "sort", files, io)
    lines = data.decode(errors="replace").splitlines()

    def key(line: str) -> tuple[float, str]:
        number = re.match(r"\s*(-?\d+(\.\d+)?)", line)
        return (float(number[1]) if number and "n" in flags else 0.0, line)

    lines.sort(key=key, reverse="r" in flags)
    for line in dict.fromkeys(lines) if "u" in flags else lines:
        io.print(line)
    return code


async def uniq(ctx: Context, args: list[str], io: Io) -> int:
    """Adjacent equal lines once; ``-c`` counts."""
    flags, files = split(args)
    data, code = await inputs(ctx, "uniq", files, io)
    last, count = None, 0
    for line in [*data.decode(errors="replace").splitlines(), None]:
        if line != last and last is not None:
            io.print(f"{count:>7} {last}" if "c" in flags else last)
            count = 0
        last, count = line, count + 1
    return code


async def cut(ctx: Context, args: list[str], io: Io) -> int:
    """Fields (``-d -f``) or characters (``-c``)."""
    flags, files = split(args, "dfc")
    data, code = await inputs(ctx, "cut", files, io)
    spec = flags.get("f") or flags.get("c") or ""
    wanted: list[tuple[int, int]] = []
    for piece in spec.split(","):
        low, dash, high = piece.partition("-")
        wanted.append((int(low or 1), int(high or 10_000) if dash else int(low or 1)))
    for line in data.decode(errors="replace").splitlines():
        glue = flags.get("d", "\t") if "f" in flags else ""
        items = line.split(glue) if glue else list(line)
        io.print(
            glue.join(v for i, v in enumerate(items, 1) if any(a <= i <= b for a, b in wanted))
            if len(items) > 1
            else line
        )
    return code


async def tr(ctx: Context, args: list[str], io: Io) -> int:
    """Characters translated, or deleted with ``-d``."""
    flags, sets = split(args)
    source = _unescape(_ranges(sets[0] if sets else "")).decode("latin-1")
    target = _unescape(_ranges(sets[1] if len(sets) > 1 else "")).decode("latin-1")
    text = (await io.stdin.read()).decode("latin-1")
    if "d" in flags:
        table = {ord(c): None for c in source}
        io.out(text.translate(table).encode("latin-1"))
        return 0
    target = target.ljust(len(source), target[-1:] or " ")
    io.out(text.translate({ord(a): b for a, b in zip(source, target, strict=False)}).encode("latin-1"))
    return 0


def _ranges(text: str) -> str:
    return re.sub(r"(\w)-(\w)", lambda m: "".join(chr(c) for c in range(ord(m[1]), ord(m[2]) + 1)), text)


async def sed(ctx: Context, args: list[str], io: Io) -> int:
    """``s/old/new/[g]`` and ``Np`` with ``-n``; nothing else is simulated."""
    flags, rest = split(args, "e")
    script = flags.get("e") or (rest.pop(0) if rest else "")
    data, code = await inputs(ctx, "sed", rest, io)
    substitute = re.fullmatch(r"s(.)(.*?)\1(.*?)\1(g?)", script)
    only = re.fullmatch(r"(\d+)p", script)
    if not substitute and not only:
        io.complain(f"sed: the script '{script}' is not available in the simulated pod")
        return 1
    try:
        regex = compiled(substitute[2] if substitute else "", extended="r" in flags or "E" in flags)
    except PatternProblem as e:
        io.complain(f"sed: {e}")
        return 1
    new = re.sub(r"(?<!\\)&", r"\\g<0>", substitute[3]) if substitute else ""
    if any(int(n) > regex.groups for n in re.findall(r"\\(\d)", new)) or re.search(
        r"\\[A-Za-z]", new.replace("\\g<0>", "")
    ):
        io.complain(
            f"sed: the replacement '{substitute[3] if substitute else ''}' is not available in the simulated pod"
        )
        return 1
    for number, line in enumerate(data.decode(errors="replace").splitlines(), 1):
        if substitute:
            io.print(regex.sub(new, line[:2000], count=0 if substitute[4] else 1))
        elif only and number == int(only[1]):
            io.print(line)
    return code


async def tee(ctx: Context, args: list[str], io: Io) -> int:
    """Standard input to output and to files."""
    data = await io.stdin.read()
    for path in [a for a in args if not a.startswith("-")]:
        ctx.files[ctx.absolute(path)] = data[: 1024 * 1024]
    io.out(data)
    return 0


async def seq(ctx: Context, args: list[str], io: Io) -> int:
    """Numbers from first to last."""
    if not args or not all(re.fullmatch(r"-?\d+", a) for a in args):
        io.complain("seq: invalid number")
        return 1
    numbers = [int(a) for a in args]
    first, last = (1, numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[-1])
    step = numbers[1] if len(numbers) == 3 else 1
    for n in range(first, min(last, first + 10_000) + 1, step or 1):
        io.print(str(n))
    return 0


TOOLS = {
    "cat": cat, "echo": echo, "printf": printf, "head": head, "tail": tail, "grep": grep, "egrep": egrep, "wc": wc, "sort": sort,
    "uniq": uniq, "cut": cut, "tr": tr, "sed": sed, "tee": tee, "seq": seq,
}  # fmt: skip

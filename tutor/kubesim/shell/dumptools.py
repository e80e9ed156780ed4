"""Tools that show bytes."""

from __future__ import annotations

import base64
import re

from tutor.kubesim.shell.context import Context, Io
from tutor.kubesim.shell.textools import inputs, split


async def od(ctx: Context, args: list[str], io: Io) -> int:
    """Bytes in octal words, or with ``-tx1``/``-x1`` in hexadecimal; ``-An`` without offsets."""
    flags, files = split(args, "AtNjw")
    data, code = await inputs(ctx, "od", files, io)
    if "N" in flags:
        data = data[: int(flags["N"])]
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        if flags.get("t", "").startswith("x1"):
            text = "".join(f" {b:02x}" for b in row)
        elif "c" in flags or flags.get("t", "").startswith("c"):
            text = "".join(f" {_shown(b):>3}" for b in row)
        else:
            padded = row + b"\0" * (len(row) % 2)
            text = "".join(f" {padded[i] | padded[i + 1] << 8:06o}" for i in range(0, len(padded), 2))
        io.print(text if flags.get("A") == "n" else f"{at:07o}{text}")
    if flags.get("A") != "n":
        io.print(f"{len(data):07o}")
    return code


def _shown(byte: int) -> str:
    named = {0: "\\0", 7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r"}
    return named.get(byte) or (chr(byte) if 32 <= byte < 127 else f"{byte:03o}")


async def xxd(ctx: Context, args: list[str], io: Io) -> int:
    """Hexadecimal and text; ``-p``: plain hexadecimal."""
    flags, files = split(args, "lcgs")
    data, code = await inputs(ctx, "xxd", files, io)
    if flags.get("l", "").isdigit():
        data = data[: int(flags["l"])]
    step = 30 if "p" in flags else 16
    for at in range(0, len(data), step):
        row = data[at : at + step]
        pairs = " ".join(row[i : i + 2].hex() for i in range(0, len(row), 2))
        text = "".join(chr(b) if 32 <= b < 127 else "." for b in row)
        io.print(row.hex() if "p" in flags else f"{at:08x}: {pairs:<40} {text}")
    return code


async def hexdump(ctx: Context, args: list[str], io: Io) -> int:
    """``-C``: canonical hexadecimal and text; plain: 16-bit words."""
    flags, files = split(args, "ns")
    data, code = await inputs(ctx, "hexdump", files, io)
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        if "C" in flags:
            text = " ".join(f"{b:02x}" for b in row[:8]) + "  " + " ".join(f"{b:02x}" for b in row[8:])
            io.print(f"{at:08x}  {text:<49} |{''.join(chr(b) if 32 <= b < 127 else '.' for b in row)}|")
        else:
            padded = row + b"\0" * (len(row) % 2)
            io.print(f"{at:07x}" + "".join(f" {padded[i] | padded[i + 1] << 8:04x}" for i in range(0, len(padded), 2)))
    io.print(f"{len(data):08x}" if "C" in flags else f"{len(data):07x}")
    return code


async def encode64(ctx: Context, args: list[str], io: Io) -> int:
    """``base64``, ``-d`` decodes."""
    flags, files = split(args, "w")
    data, code = await inputs(ctx, "base64", files, io)
    if "d" in flags:
        io.out(base64.b64decode(re.sub(rb"\s", b"", data) + b"=="))
    else:
        io.out(base64.encodebytes(data))
    return code


TOOLS = {"od": od, "hexdump": hexdump, "xxd": xxd, "base64": encode64}

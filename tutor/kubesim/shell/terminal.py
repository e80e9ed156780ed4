"""A terminal's line discipline: echo, backspace, ^C, ^D; whole lines for the shell and for what it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

_ETX, _EOT, _NAK, _ESC = 3, 4, 21, 27


class Terminal:
    """Reads what the client types and hands out lines. ``on_interrupt`` is called for ^C."""

    def __init__(self, typed: AsyncIterator[bytes], write: Callable[[bytes], Awaitable[None]]) -> None:
        self._typed, self._write = typed, write
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._buffer = bytearray()
        self._escape = False
        self.on_interrupt: Callable[[], None] = lambda: None
        self._task = asyncio.create_task(self._pump())

    async def close(self) -> None:
        """Stop reading."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def give_empty_line(self) -> None:
        """What ^C does at a prompt: the line begun is forgotten, the reader gets an empty one."""
        self._lines.put_nowait(b"\n")

    async def line(self) -> bytes | None:
        """The next line with its newline, or None at the end."""
        return await self._lines.get()

    async def lines(self) -> AsyncIterator[bytes]:
        """Lines for a running command, up to ^D."""
        while line := await self._lines.get():
            yield line

    async def _pump(self) -> None:
        async for chunk in self._typed:
            for byte in chunk:
                await self._take(byte)
        self._lines.put_nowait(None)

    async def _take(self, byte: int) -> None:
        if self._escape:  # cursor keys and the like: nothing to edit with them, so they are swallowed
            self._escape = not (65 <= byte <= 90 or 97 <= byte <= 126)
        elif byte == _ESC:
            self._escape = True
        elif byte == _ETX:
            self._buffer.clear()
            await self._write(b"^C\r\n")
            self.on_interrupt()
        elif byte == _EOT:
            if not self._buffer:
                self._lines.put_nowait(None)
        elif byte in (8, 127) and self._buffer:
            del self._buffer[-1]
            await self._write(b"\b \b")
        elif byte == _NAK:
            await self._write(b"\b \b" * len(self._buffer))
            self._buffer.clear()
        elif byte in (10, 13):
            await self._write(b"\r\n")
            self._lines.put_nowait(bytes(self._buffer) + b"\n")
            self._buffer.clear()
        elif byte >= 32 and byte != 127 and len(self._buffer) < 4096:
            self._buffer.append(byte)
            await self._write(bytes([byte]))

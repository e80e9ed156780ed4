"""The programs of the busybox image that the simulator has, by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tutor.kubesim.shell import netools, systools, textools
from tutor.kubesim.shell.context import Context, Io

Tool = Callable[[Context, list[str], Io], Awaitable[int]]

TOOLS: dict[str, Tool] = {**textools.TOOLS, **netools.TOOLS, **systools.TOOLS}

NOT_SIMULATED = frozenset(
    [
        "vi",
        "less",
        "more",
        "top",
        "watch",
        "find",
        "xargs",
        "awk",
        "traceroute",
        "arping",
        "httpd",
        "netstat",
        "tcpdump",
        "mount",
        "dmesg",
        "kill",
        "killall",
        "chmod",
        "chown",
        "cp",
        "mv",
        "rm",
        "mkdir",
        "rmdir",
        "ln",
        "tar",
        "gzip",
        "gunzip",
        "unzip",
        "passwd",
        "su",
        "crond",
        "syslogd",
        "start-stop-daemon",
        "stty",
        "ftpget",
        "ftpput",
        "tftp",
        "telnetd",
        "udhcpc",
        "ifup",
        "ifdown",
    ]
)
"""Programs the real image has and the simulated one does not: they say so instead of pretending."""

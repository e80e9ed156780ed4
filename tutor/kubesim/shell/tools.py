"""The programs of the busybox image that the simulator has, by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tutor.kubesim.shell import dumptools, netools, systools, textools
from tutor.kubesim.shell.context import Context, Io

Tool = Callable[[Context, list[str], Io], Awaitable[int]]

TOOLS: dict[str, Tool] = {**textools.TOOLS, **dumptools.TOOLS, **netools.TOOLS, **systools.TOOLS}

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

BUILT_IN = frozenset({"sh", "ash", "timeout", "time"})
"""Programs the interpreter runs itself."""


def exists(word: str) -> bool:
    """Whether the image has this program (a shell's own words like ``cd`` and ``export`` are none)."""
    directory, _, name = word.rpartition("/")
    if directory not in ("", "/bin", "/usr/bin", "/sbin", "/usr/sbin"):
        return False
    return name in BUILT_IN or name in NOT_SIMULATED or (name in TOOLS and name not in SHELL_ONLY)


SHELL_ONLY = frozenset({"cd", "export", "unset", "set", ":", "read"})
"""Words that are no programs."""

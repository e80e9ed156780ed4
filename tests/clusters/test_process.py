"""Other programs: their output, their limits, and that nothing of them stays."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tutor.clusters.process import (
    CommandMissing,
    CommandTimeout,
    Limits,
    OutputLimit,
    kubectl_path,
    kubectl_version,
    run,
    start,
)

PY = [sys.executable, "-I", "-c"]


def _alive(pid: int) -> bool:
    """Whether a process still runs; one that ended and waits to be collected does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_output_code_and_lines() -> None:
    lines: list[str] = []
    done = run(
        [*PY, "import sys; print('a\\nb'); sys.stderr.write('c'); sys.exit(3)"], timeout=20, on_line=lines.append
    )
    assert (done.code, done.stdout, done.stderr) == (3, "a\nb\n", "c")
    assert sorted(lines) == ["a", "b", "c"]


def test_input_larger_than_a_pipe() -> None:
    text = "x" * 1_000_000
    assert run([*PY, "import sys; print(len(sys.stdin.read()))"], timeout=20, stdin=text).stdout == "1000000\n"


def test_input_that_nobody_reads() -> None:
    assert run([*PY, "pass"], timeout=20, stdin="x" * 1_000_000).code == 0


def test_arguments_are_never_read_by_a_shell(tmp_path: Path) -> None:
    text = f"$(touch {tmp_path}/made); `id` | ;"
    assert run([*PY, "import sys; print(sys.argv[1])", text], timeout=20).stdout.strip() == text
    assert list(tmp_path.iterdir()) == []


def test_a_missing_program_is_named() -> None:
    with pytest.raises(CommandMissing, match="no-such-program cannot be run"):
        run(["no-such-program"], timeout=5)


def test_too_long_ends_the_whole_group_and_keeps_what_was_said() -> None:
    code = (
        "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        "print(p.pid, flush=True); time.sleep(600)"
    )
    with pytest.raises(CommandTimeout) as e:
        run([*PY, code], timeout=1.5)
    child = int(e.value.output)
    for _ in range(500):
        if not _alive(child):
            break
        os.sched_yield()
    assert not _alive(child)


def test_too_much_output_ends_it() -> None:
    with pytest.raises(OutputLimit, match="more than 64 KiB"):
        run([*PY, "while True: print('x' * 1000)"], timeout=20, max_output=64 * 1024)


def test_leaving_the_output_ends_the_program() -> None:
    running = start([*PY, "import time; print('here', flush=True); time.sleep(600)"], Limits(60))
    stream = iter(running)
    assert next(stream).data == b"here\n"
    stream.close()  # type: ignore[attr-defined]
    assert not _alive(running.process.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="the memory limit needs Linux")
def test_too_much_memory_fails() -> None:
    code = "import time; time.sleep(0.3); x = bytearray(700_000_000)"
    running = start([*PY, code], Limits(30, memory_bytes=200_000_000))
    text = b"".join(c.data for c in running)
    assert b"MemoryError" in text
    assert running.code == 1


def test_kubectl_is_found_and_runs_within_its_memory_limit() -> None:
    path = kubectl_path()
    assert kubectl_version(path).startswith("v1.")
    running = start([path, "version", "--client"], Limits(30, memory_bytes=1024**3), env={"GOMEMLIMIT": "256MiB"})
    assert b"Client Version" in b"".join(c.data for c in running)
    with pytest.raises(CommandMissing, match="KUBETUTOR_KUBECTL_COMMAND"):
        kubectl_path("no-such-kubectl")

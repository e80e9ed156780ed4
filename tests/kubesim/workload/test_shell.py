"""The simulated shell: grammar, exit codes, streams, the interactive prompt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.kubesim.workload.shop import START, build, pod, run, sh, typed, view
from tutor.kubesim.shell import execute
from tutor.kubesim.shell.execute import NotExecutable


@pytest.mark.parametrize(
    ("script", "out", "code"),
    [
        ("for i in 1 2 3; do echo $i; done | wc -l", "3\n", 0),
        ("i=0; while [ $i -lt 3 ]; do i=$((i+1)); done; echo $i", "3\n", 0),
        ("case web in db|api) echo no;; w*) echo yes;; esac", "yes\n", 0),
        ("seq 2 | while read n; do echo n=$n; done", "n=1\nn=2\n", 0),
        ("o=$(false); echo $?", "1\n", 0),
        ("(exit 3); echo $?", "3\n", 0),
        ("exit 4 | cat; echo $?", "0\n", 0),
        ("if false; then echo a; elif true; then echo b; fi", "b\n", 0),
        ("echo 2 >/tmp/x; cat /tmp/x", "2\n", 0),
        ("echo lost 2>/dev/null >/dev/null; echo kept", "kept\n", 0),
        ("nope 2>&1; echo $?", "sh: nope: not found\n127\n", 0),
        ("false || echo $(echo `echo deep`)", "deep\n", 0),
        ("{ sleep 1; echo late; } & { echo early; } & wait; echo end", "late\nearly\nend\n", 0),
        ("! true; echo $?", "1\n", 0),
        ("exit 7", "", 7),
        ("echo $((7 / 2)) $((-7 % 3)) $((2 < 3))", "3 -1 1\n", 0),
        ("printf '\\101\\x42\\n'", "AB\n", 0),
        ("echo 'a  b' \"$HOSTNAME\" ${NONE:-none}", "a  b tools none\n", 0),
        ("timeout 2 sleep 5; echo $?", "143\n", 0),
        ("grep -c 'o\\+' /etc/hostname", "1\n", 0),
    ],
)
def test_scripts(script: str, out: str, code: int) -> None:
    ran = sh(view(), script)
    if "&" in script and "wait" in script:
        assert sorted(ran.out.split()) == sorted(out.split())
    else:
        assert ran.out == out
    assert ran.code == code


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo $((1/0))", "divide by zero"),
        ("cat <<X", "here-documents are not available in the simulated pod"),
        ("awk 1", "awk: not available in the simulated pod"),
        ("nc -l -p 80", "listening is not available in the simulated pod"),
        ("grep '(a*)*b' -E /etc/hosts", "too complex for the simulated pod"),
        ("cut -f x- /etc/hosts", "cut: invalid arguments"),
        ("sh /etc/hosts", "not available in the simulated pod"),
        ("wget https://api/", "not available in the simulated pod"),
        ("echo 'open", "unterminated quoted string"),
        ("while true; do :; done", "at most"),
    ],
)
def test_what_is_not_simulated_says_so_and_fails(script: str, says: str) -> None:
    ran = sh(view(), script)
    assert ran.code != 0
    assert says in ran.err


def test_a_missing_program_is_the_container_runtimes_error() -> None:
    with pytest.raises(NotExecutable, match=r'exec: "curl": executable file not found in \$PATH'):
        run(view(), "curl", "http://api/")


def test_a_shell_word_is_no_program() -> None:
    with pytest.raises(NotExecutable, match="cd"):
        run(view(), "cd", "/tmp")


def test_an_image_without_simulated_programs_says_so() -> None:
    made = pod("shop", "page", "10.244.0.9", image="nginx:1.29", command=[])
    with pytest.raises(NotExecutable, match=r"not available in the simulated pod: the image nginx:1\.29"):
        run(build(more=[made]), "sh", name="page")


def test_standard_input_reaches_the_command() -> None:
    ran = run(view(), "cat", stdin=typed(b"one\n", b"two\n"))
    assert (ran.code, ran.out) == (0, "one\ntwo\n")


def test_a_command_that_reads_nothing_does_not_wait_for_input() -> None:
    async def never() -> None:
        asked = asyncio.Event()

        async def stdin() -> AsyncIterator[bytes]:
            asked.set()
            await asyncio.Event().wait()
            yield b""

        state = view()
        made = state.get("pods", "shop", "tools")
        assert made is not None

        async def write(_stream: int, _data: bytes) -> None:
            return None

        argv = ["nslookup", "api.shop.svc.cluster.local"]
        work = execute(
            lambda: state, "shop", made, made["spec"]["containers"][0], argv, stdin(), False, write, lambda: START, 0.0
        )
        assert await work == 0
        assert not asked.is_set()

    asyncio.run(never())


def test_the_prompt_runs_lines_edits_and_ends() -> None:
    ran = run(view(), "sh", stdin=typed(b"ecX\x7fho hi\r", b"cd /tmp\r", b"exit 3\r"), tty=True)
    assert ran.code == 3
    assert ran.out.startswith("/ # ecX\b \bho hi\r\n")
    assert "\nhi\r\n/ # " in ran.out
    assert "/tmp # " in ran.out


def test_the_prompt_asks_for_the_rest_of_an_unfinished_line() -> None:
    ran = run(view(), "sh", stdin=typed(b"for i in 1 2; do\r", b"echo n$i\r", b"done\r", b"\x04"), tty=True)
    assert "> echo n$i" in ran.out
    assert "n1\r\nn2\r\n" in ran.out
    assert ran.code == 0


def test_interrupt_ends_the_command_and_keeps_the_shell() -> None:
    ran = run(view(), "sh", stdin=typed(b"cat\r", *[b""] * 50, b"\x03", *[b""] * 50, b"echo $?\r", b"\x04"), tty=True)
    assert "^C" in ran.out
    assert "130\r\n" in ran.out


def test_a_pod_deleted_meanwhile_ends_the_command() -> None:
    full, empty = view(), build()
    objects = {**empty.objects, "pods": {}}
    gone = type(empty)(objects, 2, START)
    states = iter([full, full])
    made = full.get("pods", "shop", "tools")
    assert made is not None

    async def write(_stream: int, _data: bytes) -> None:
        return None

    argv = ["sh", "-c", "nslookup api; echo not reached"]
    container = made["spec"]["containers"][0]
    work = execute(lambda: next(states, gone), "shop", made, container, argv, None, False, write, lambda: START, 0.0)
    assert asyncio.run(work) == 137

"""Sends traffic from inside pods and tells how it ended. Verdicts rest on nothing else.

All probes of one pod run side by side in a single exec, all pods at the same time, so that a round takes one probe's limit.
The commands need only busybox (1.35 or newer); its nc knows neither -u nor -z.
"""

from __future__ import annotations

import re
import struct
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, Literal

from tutor.clusters.provider import Access
from tutor.verify.world import CannotCheck, Object

LIMIT_S = 2
"""How long a probe waits. A denied packet is dropped in silence, so every expected deny takes as long."""
_EXEC_LIMIT_S = LIMIT_S + 8
_MOST_AT_ONCE = 32
_DNS_PORT = 53


class Seen(StrEnum):
    """How a probe ended."""

    OPEN = "open"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    NO_NAME = "no such name"
    BROKEN = "the probe itself failed"


@dataclass(frozen=True)
class Probe:
    """One attempt.

    :param kind: ``tcp`` a connection; ``http`` a request by name; ``udp`` a datagram (whether anything comes back, a refusal
        counts: then it arrived); ``dns-udp``/``dns-tcp`` a query for ``name`` at ``target``.
    :param pod: the pod it is sent from.
    :param target: address or host.
    """

    kind: Literal["tcp", "http", "udp", "dns-udp", "dns-tcp"]
    pod: Object
    target: str
    port: int
    name: str = ""

    def command(self) -> str:
        """The shell command; its output and exit code are read by :func:`judge`."""
        match self.kind:
            case "tcp":
                return f"timeout {LIMIT_S} nc {self.target} {self.port}"
            case "http":
                return f"timeout {LIMIT_S} wget -q -O - http://{self.target}:{self.port}/"
            case "udp":
                # busybox nc sends no datagrams; nslookup does. A closed port answers with a refusal, a drop stays silent.
                return f"timeout {LIMIT_S} nslookup -type=a kubetutor.invalid {self._server()}"
            case "dns-udp":
                return f"timeout {LIMIT_S} nslookup -type=a {self.name} {self._server()}"
            case "dns-tcp":
                return f"printf '{_octal(_query(self.name))}' | timeout {LIMIT_S} nc {self.target} {self.port} | od -An -tx1"

    def _server(self) -> str:
        return self.target if self.port == _DNS_PORT else f"{self.target}:{self.port}"


@dataclass(frozen=True)
class Result:
    """What was seen. ``detail`` is the tool's own output, shortened."""

    seen: Seen
    detail: str
    ms: int = 0


def _query(name: str) -> bytes:
    """A DNS query over TCP: two bytes of length, then the message (RFC 1035, 4.2.2)."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.rstrip(".").split("."))
    message = struct.pack("!HHHHHH", 0x1234, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)
    return struct.pack("!H", len(message)) + message


def _octal(data: bytes) -> str:
    return "".join(f"\\{b:03o}" for b in data)


def judge(probe: Probe, code: int, output: str) -> Result:
    """How a probe ended, from its exit code and output."""
    text = output.replace("Terminated", "").strip(" |\n")
    shown = re.sub(r"\s+", " ", text.replace("|", " "))[:200].strip()
    if probe.kind == "dns-tcp":
        return _judge_dns_tcp(text, shown)
    if "refused" in text.lower():
        # Before the time-out: nslookup goes on asking a port that refuses until its time is up.
        return Result(Seen.REFUSED, shown)
    if code in (124, 137, 143) or "timed out" in text:
        return Result(Seen.TIMEOUT, shown or f"no answer within {LIMIT_S} s")
    if probe.kind == "udp" and code in (0, 1) and ("NXDOMAIN" in text or "Server" in text):
        return Result(Seen.OPEN, shown)
    if "bad address" in text or "NXDOMAIN" in text or "can't find" in text.lower():
        return Result(Seen.NO_NAME, shown)
    if code == 0:
        if probe.kind == "dns-udp" and "Address" not in text.partition("Name")[2]:
            return Result(Seen.BROKEN, shown)
        return Result(Seen.OPEN, shown)
    if code == 1 and not text and probe.kind == "tcp":
        return Result(Seen.REFUSED, "closed at once")  # some builds of nc refuse in silence
    return Result(Seen.BROKEN, f"exit code {code}: {shown}")


def _judge_dns_tcp(text: str, shown: str) -> Result:
    data = bytes.fromhex("".join(re.findall(r"\b[0-9a-f]{2}\b", text)))
    if "refused" in text.lower():
        return Result(Seen.REFUSED, shown)
    if len(data) < 14:
        return Result(Seen.TIMEOUT, f"no answer within {LIMIT_S} s")
    ident, flags, _questions, answers = struct.unpack_from("!HHHH", data, 2)
    if ident != 0x1234 or not flags & 0x8000:
        return Result(Seen.BROKEN, f"not an answer: {shown}")
    if flags & 0x000F == 3 or not answers:
        return Result(Seen.NO_NAME, f"answer code {flags & 0x000F}")
    return Result(Seen.OPEN, f"{answers} answer over TCP, {len(data)} bytes")


def script(probes: Sequence[Probe]) -> str:
    """One shell script for all probes of a pod; each prints a line ``@<index> <code> <output>``."""
    lines = [
        f"{{ o=$({p.command()} 2>&1 </dev/null); c=$?; echo \"@{i} $c $(echo \"$o\" | tr '\\n' '|')\"; }} &"
        if p.kind != "dns-tcp"
        else f"{{ o=$({p.command()} 2>&1); c=$?; echo \"@{i} $c $(echo \"$o\" | tr '\\n' '|')\"; }} &"
        for i, p in enumerate(probes)
    ]
    return "\n".join([*lines, "wait"])


Exec = Callable[[Object, list[str]], tuple[int, str]]
"""Runs a command in a pod: (exit code, standard output).

:raises Exception: the exec itself failed.
"""


class Prober:
    """Runs probes through an exec function; see :func:`kubernetes_exec`."""

    def __init__(self, exec_: Exec) -> None:
        self._exec = exec_

    def run(self, probes: Sequence[Probe]) -> list[Result]:
        """All probes, in the order given. A pod whose exec fails gives ``BROKEN`` for its probes, never a deny."""
        by_pod: dict[str, list[int]] = defaultdict(list)
        for i, p in enumerate(probes):
            by_pod[p.pod["metadata"]["uid"]].append(i)
        results: list[Result] = [Result(Seen.BROKEN, "it did not run")] * len(probes)
        with ThreadPoolExecutor(min(_MOST_AT_ONCE, max(1, len(by_pod)))) as pool:
            for indexes, found in zip(
                by_pod.values(),
                pool.map(lambda ix: self._of_pod([probes[i] for i in ix]), by_pod.values()),
                strict=True,
            ):
                for i, r in zip(indexes, found, strict=True):
                    results[i] = r
        return results

    def read(self, pod: Object, path: str) -> str:
        """A file of a pod.

        :raises CannotCheck: it cannot be read.
        """
        try:
            code, text = self._exec(pod, ["cat", path])
        except Exception as e:
            raise CannotCheck(f"{path} of {pod['metadata']['name']} cannot be read: {e}") from e
        if code != 0 or not text:
            raise CannotCheck(f"{path} of {pod['metadata']['name']} cannot be read (exit code {code})")
        return text

    def _of_pod(self, probes: Sequence[Probe]) -> list[Result]:
        pod = probes[0].pod
        try:
            _code, output = self._exec(pod, ["sh", "-c", script(probes)])
        except Exception as e:  # noqa: BLE001 - whatever an exec fails with, it is our fault and never a deny
            return [
                Result(Seen.BROKEN, f"exec failed: {str(e).splitlines()[0][:160] if str(e) else type(e).__name__}")
            ] * len(probes)
        found: dict[int, Result] = {}
        for line in output.splitlines():
            match = re.match(r"@(\d+) (\d+) ?(.*)$", line)
            if match and int(match[1]) < len(probes):
                found[int(match[1])] = judge(probes[int(match[1])], int(match[2]), match[3])
        return [found.get(i, Result(Seen.BROKEN, "the probe left no result")) for i in range(len(probes))]


@lru_cache(maxsize=128)
def kubernetes_exec(access: Access) -> Exec:
    """Exec through the ``kubernetes`` client (one connection for each command)."""
    import yaml
    from kubernetes import client, config
    from kubernetes.stream import stream

    settings: Any = client.Configuration()
    loaded = yaml.safe_load(access.kubeconfig(namespace="default"))
    load: Any = config.load_kube_config_from_dict
    load(loaded, client_configuration=settings)
    settings.retries = False

    def run(pod: Object, argv: list[str]) -> tuple[int, str]:
        api: Any = client.CoreV1Api(client.ApiClient(settings))
        connection = stream(
            api.connect_get_namespaced_pod_exec,
            pod["metadata"]["name"],
            pod["metadata"]["namespace"],
            container=pod["spec"]["containers"][0]["name"],
            command=argv,
            stdin=False,
            stdout=True,
            stderr=True,
            tty=False,
            _preload_content=False,
        )
        try:
            connection.run_forever(timeout=_EXEC_LIMIT_S)
            if connection.is_open():
                raise TimeoutError(f"the command did not end within {_EXEC_LIMIT_S} s")
            output: str = connection.read_stdout() or ""
            return int(connection.returncode or 0), output
        finally:
            connection.close()
            connection.sock.shutdown()  # close() leaves the socket open when the server was first to close

    return run

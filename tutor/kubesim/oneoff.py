"""Runs the main processes of pods that may end (``kubectl run --restart=Never … -- wget …``) in the simulated shell,
and writes down how they ended and what they wrote."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from tutor.kubesim import images, pods
from tutor.kubesim.cluster import Cluster
from tutor.kubesim.shell import execute
from tutor.kubesim.shell.execute import NotExecutable
from tutor.kubesim.status import ApiError
from tutor.kubesim.store import Change
from tutor.kubesim.view import Object

if TYPE_CHECKING:
    from tutor.kubesim.service import Clusters

log = logging.getLogger("kubesim")
_MAX_OUTPUT = 64 * 1024
_CANNOT_RUN = 128
"""The exit code the runtime reports for a container whose command is not there."""


class Output:
    """What a process wrote so far, line by line; the newest 64 KiB of it."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._rest = b""
        self._lines: list[tuple[datetime, str]] = []
        self._size = 0

    async def write(self, _stream: int, data: bytes) -> None:
        """Take what the process wrote."""
        *whole, self._rest = (self._rest + data.replace(b"\r\n", b"\n")).split(b"\n")
        for line in whole:
            self._add(line)
        if len(self._rest) > _MAX_OUTPUT:
            self._add(self._rest)
            self._rest = b""

    def _add(self, line: bytes) -> None:
        self._lines.append((self._clock(), line[:_MAX_OUTPUT].decode(errors="replace")))
        self._size += len(line) + 1
        while self._size > _MAX_OUTPUT and len(self._lines) > 1:
            self._size -= len(self._lines.pop(0)[1]) + 1

    def lines(self) -> list[tuple[datetime, str]]:
        """The whole lines so far."""
        return list(self._lines)

    def end(self) -> list[tuple[datetime, str]]:
        """Everything, the unfinished last line too."""
        if self._rest:
            self._add(self._rest)
            self._rest = b""
        return self.lines()


class OneOffs:
    """The processes that run now, in every cluster of a server."""

    def __init__(self, clusters: Clusters) -> None:
        self._clusters = clusters
        self._running: dict[tuple[str, str], tuple[asyncio.Task[None], dict[str, Output]]] = {}

    def changed(self, cluster: Cluster, change: Change) -> None:
        """Start the processes of a pod that started, end those of one that is gone."""
        if change.plural != "pods":
            return
        if change.after is not None:
            self.consider(cluster, change.after)
        elif change.before is not None:
            self._end((cluster.id, change.before["metadata"]["uid"]))

    def consider(self, cluster: Cluster, pod: Object) -> None:
        """Run a pod's processes if they may end and do not run yet (after a restart of the server they run again)."""
        key = (cluster.id, pod["metadata"]["uid"])
        if key in self._running or not pods.may_end(pod):
            return
        due = [
            c
            for c in pod["spec"].get("containers") or []
            if images.exit_code(c) is not None and "running" in pods.state_of(pod, c["name"])
        ]
        if due:
            outputs = {c["name"]: Output(self._clusters.clock) for c in due}
            task = asyncio.get_running_loop().create_task(self._run(cluster, pod, due, outputs))
            self._running[key] = task, outputs
            task.add_done_callback(lambda _t: self._running.pop(key, None))

    def output(self, cluster: Cluster, pod: Object, container: str) -> list[tuple[datetime, str]] | None:
        """What a process that runs now wrote so far; None when it is not one of ours."""
        found = self._running.get((cluster.id, pod["metadata"]["uid"]))
        return found[1][container].lines() if found and container in found[1] else None

    def end(self, cluster: Cluster) -> None:
        """End every process of a cluster."""
        for key in [k for k in self._running if k[0] == cluster.id]:
            self._end(key)

    def close(self) -> None:
        """End every process."""
        for key in list(self._running):
            self._end(key)

    def _end(self, key: tuple[str, str]) -> None:
        found = self._running.pop(key, None)
        if found:
            found[0].cancel()

    async def _run(self, cluster: Cluster, pod: Object, due: list[Object], outputs: dict[str, Output]) -> None:
        await asyncio.gather(*(self._one(cluster, pod, c, outputs[c["name"]]) for c in due))

    async def _one(self, cluster: Cluster, pod: Object, container: Object, output: Output) -> None:
        namespace, argv = pod["metadata"]["namespace"], list(images.process(container).argv)
        clusters, message = self._clusters, ""
        try:
            code = await execute(
                cluster.view, namespace, pod, container, argv, None, False, output.write, clusters.clock, clusters.scale
            )
        except NotExecutable as e:
            code, message = _CANNOT_RUN, f"failed to create containerd task: {e}: unknown"
        try:
            await finished(clusters, cluster, pod, container["name"], code, output, message)
        except ApiError as e:
            log.warning("the end of pod %s/%s was not kept: %s", namespace, pod["metadata"]["name"], e.message)


async def finished(
    clusters: Clusters, cluster: Cluster, pod: Object, container: str, code: int, output: Output, message: str = ""
) -> None:
    """Write down that a process ended, if its pod is still there.

    :raises ApiError: the database refused, or the cluster is gone.
    """
    meta = pod["metadata"]
    async with clusters.change(cluster) as t:
        live = t.get("pods", meta["namespace"], meta["name"])
        if live is not None and live["metadata"]["uid"] == meta["uid"]:
            pods.finish(t, live, container, code, output.end(), message)

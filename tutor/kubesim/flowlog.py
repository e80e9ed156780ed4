"""A workload's log, derived from the history of its cluster when somebody reads it: nothing ticks while nobody looks.

Each line is one attempt: ``<time> call=<name> target=<url> outcome=<ok|timeout|refused|dns-failure|error> ms=<int>``, the
same the workload script (``labs/netpol-dns/workload.sh``) writes on a real cluster, by the same rules: a round every so many
seconds, its calls side by side, two seconds for an attempt. Simplified: milliseconds come from a hash, and a line is
written at the moment its attempt starts.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from tutor.kubesim import dataplane, dns, images
from tutor.kubesim.cluster import stamp
from tutor.kubesim.dataplane import Outcome
from tutor.kubesim.view import History, Object, View

MAX_LINES = 5000
"""The newest lines kept, as a container runtime rotates its logs."""
_FIRST_S = 1
"""The script waits this long before its first calls, so that whatever starts with it can answer."""
_LIMIT_MS = 2000
"""What the script allows an attempt, name lookup included."""


def lines(
    history: History,
    pod: Object,
    container: Object,
    *,
    now: datetime,
    since: datetime | None = None,
    tail: int | None = None,
) -> list[tuple[datetime, str]]:
    """(moment, line) of a container's log up to ``now``, oldest first.

    :param since: only lines at or after this moment.
    :param tail: only the last lines.
    """
    process = images.process(container)
    started = _started(pod)
    out = [(started, _banner(process, started, line)) for line in process.banner if since is None or started >= since]
    keep = min(tail, MAX_LINES) if tail is not None else MAX_LINES
    out += list(_attempts(history, pod, process, max(started, since or started), now, keep))
    return out[-keep:] if keep else []


def _banner(process: images.Process, started: datetime, line: str) -> str:
    return f"{stamp(started)} {line}" if process.scripted else line


def _started(pod: Object) -> datetime:
    text = (pod.get("status") or {}).get("startTime") or pod["metadata"]["creationTimestamp"]
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


def next_due(pod: Object, container: Object, after: datetime) -> datetime | None:
    """When the workload tries again; None when it calls nobody."""
    process = images.process(container)
    if not process.calls:
        return None
    started = _started(pod) + timedelta(seconds=_FIRST_S)
    if after < started:
        return started
    ticks = int(max(0.0, (after - started).total_seconds()) // process.every) + 1
    return started + timedelta(seconds=ticks * process.every)


def _attempts(
    history: History, pod: Object, process: images.Process, begin: datetime, now: datetime, keep: int
) -> Iterator[tuple[datetime, str]]:
    if not process.calls or now < begin:
        return
    started = _started(pod) + timedelta(seconds=_FIRST_S)
    first = max(0, -int((started - begin).total_seconds() // process.every))
    last = int((now - started).total_seconds() // process.every)
    first = max(first, last - keep // len(process.calls) - 1)
    name = pod["metadata"]["name"]
    begins = [view.at for view in history.epochs]
    for tick in range(first, last + 1):
        moment = started + timedelta(seconds=tick * process.every)
        if moment < begin or moment > now:
            continue
        view = history.epochs[max(0, bisect_right(begins, moment) - 1)]
        for call in process.calls:
            outcome, ms = _known(history, view, pod, call)
            ms += hashlib.sha256(f"{name}/{call.name}/{tick}".encode()).digest()[0] % 4
            yield moment, f"{stamp(moment)} call={call.name} target={call.url} outcome={outcome} ms={ms}"


def _known(history: History, view: View, pod: Object, call: images.Call) -> tuple[str, int]:
    """One call's end in one epoch, worked out once. An epoch of the past keeps the result and drops what led to it."""
    ends: dict[tuple[str, str], tuple[str, int]] = view.cache.setdefault("attempts", {})
    key = (pod["metadata"]["uid"], call.url)
    if key not in ends:
        here = view.get("pods", pod["metadata"]["namespace"], pod["metadata"]["name"])
        ends[key] = attempt(view, here or pod, call)
        if view is not history.epochs[-1]:
            dataplane.forget(view)
    return ends[key]


def attempt(view: View, pod: Object, call: images.Call) -> tuple[str, int]:
    """(outcome, milliseconds) of one call in one state of the cluster."""
    target = images.target(call.url)
    if target is None:
        return "error", 1
    host, port, path = target
    answer = dns.resolve(view, pod, host)
    if not answer.addresses:
        return "dns-failure", _LIMIT_MS if answer.result is dns.Result.TIMEOUT else 6
    connection = dataplane.connect(view, pod, answer.addresses[0], port)
    if connection.outcome is Outcome.TIMEOUT:
        return "timeout", _LIMIT_MS
    if connection.outcome is Outcome.REFUSED:
        return "refused", 1
    if call.url.startswith("tcp:"):
        return "ok", 1
    if connection.listener is None or connection.listener.page is None:
        return "timeout", _LIMIT_MS  # connected, but nobody answers in HTTP
    return "ok" if images.has_page(path) else "error", 2

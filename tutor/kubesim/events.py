"""Events: what a learner reads at the end of ``kubectl describe``."""

from __future__ import annotations

from tutor.kubesim.cluster import Transaction, stamp
from tutor.kubesim.view import Object

_KEEP = 200


def record(t: Transaction, about: Object, reason: str, message: str, component: str, kind: str = "Normal") -> None:
    """Stage an Event about an object; the oldest ones go when there are too many."""
    meta = about["metadata"]
    namespace = meta.get("namespace") or "default"
    now = stamp(t.now)
    t.put(
        "events",
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{meta['name']}.{t.next('event'):016x}", "namespace": namespace},
            "involvedObject": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                "name": meta["name"],
                "namespace": meta.get("namespace", ""),
                "uid": meta["uid"],
            },
            "reason": reason,
            "message": message,
            "type": kind,
            "source": {"component": component},
            "reportingComponent": component,
            "reportingInstance": "",
            "firstTimestamp": now,
            "lastTimestamp": now,
            "eventTime": None,
            "count": 1,
        },
    )
    stored = t.cluster.objects.get("events", {})
    for namespace, name in list(stored)[: max(0, len(stored) - _KEEP)]:
        t.delete("events", namespace, name)

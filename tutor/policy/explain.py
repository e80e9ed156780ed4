"""Why a connection was denied or allowed, in words: the rules that nearly matched, and one sentence for a learner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tutor.policy.compiled import Peer, Policy, PortRule
from tutor.policy.model import Direction, DirectionVerdict, Endpoint, NearMiss, Pod, Protocol, Verdict

_Miss = tuple[int, str, str]  # how many mistakes away, code, why
_HIT: _Miss = (0, "", "")


def near_misses(
    policies: tuple[Policy, ...],
    direction: Direction,
    far: Endpoint,
    destination: Endpoint,
    port: int,
    protocol: Protocol,
    namespaces: Mapping[str, Mapping[str, str]],
    service_port: int | None = None,
) -> tuple[NearMiss, ...]:
    """For each rule of the selecting policies, the nearest it came to matching; closest first.

    A policy without rules in this direction gives one entry with code ``no-rule``.
    """
    found: list[NearMiss] = []
    for policy in policies:
        rules = policy.rules(direction) or ()
        if not rules:
            why = f"{policy.key} has no {direction.lower()} rule, so it allows nothing"
            found.append(NearMiss(policy.key, -1, why, "no-rule", 9))
        for index, rule in enumerate(rules):
            peer = min((_peer(p, policy, far, namespaces) for p in rule.peers), default=_HIT)
            where = min((_port(p, destination, port, protocol, service_port) for p in rule.ports), default=_HIT)
            whys = [m[2] for m in (peer, where) if m[0]]
            code = (where if not peer[0] or 0 < where[0] < peer[0] else peer)[1]
            found.append(NearMiss(policy.key, index, " and ".join(whys), code, peer[0] + where[0]))
    return tuple(sorted(found, key=lambda m: m.distance))


def _peer(peer: Peer, policy: Policy, far: Endpoint, namespaces: Mapping[str, Mapping[str, str]]) -> _Miss:
    if peer.matches(far, policy.namespace, namespaces):
        return _HIT
    if peer.block is not None:
        ips = far.ips if isinstance(far, Pod) else (far.ip,)
        if any(Peer(block=peer.block).covers(ip) for ip in ips):
            excluded = ", ".join(str(e) for e in peer.excluded)
            why = f"it allows addresses in {peer.block} except {excluded}, and {far.key} has {', '.join(ips)}"
            return 1, "ip-block", why
        return 2, "ip-block", f"it allows addresses in {peer.block}, and {far.key} has {', '.join(ips) or 'no address'}"
    if not isinstance(far, Pod) or far.host_network:
        return 3, "ip-block", f"its selectors match pods only, and {far.key} is not a pod of the pod network"
    pods_ok = peer.pods is None or peer.pods.matches(far.labels)
    pods_why = f"pods with {peer.pods}, and {far.key} {_has(far.labels, peer)}"
    if peer.namespaces is None:
        if far.namespace == policy.namespace:
            return 1, "pod-label", f"it wants {pods_why}"
        why = f"a podSelector alone means namespace {policy.namespace} only, and {far.key} is in {far.namespace}"
        return (1, "other-namespace", why) if pods_ok else (2, "other-namespace", f"{why}; it also wants {pods_why}")
    labels = namespaces.get(far.namespace, {})
    spaces_ok = peer.namespaces.matches(labels)
    failing = ", ".join(str(r) for r in peer.namespaces.failing(labels))
    spaces_why = f"a namespace with {failing}, and {far.namespace} has {_labels(labels)}"
    if not spaces_ok and not pods_ok:
        return 2, "namespace-label", f"it wants {spaces_why}; it also wants {pods_why}"
    both = " (both selectors stand in one entry, so both must match)" if peer.pods is not None else ""
    if not spaces_ok:
        return 1, "namespace-label", f"it wants {spaces_why}{both}"
    return 1, "and-or", f"it wants {pods_why}{both}"


def _has(labels: Mapping[str, str], peer: Peer) -> str:
    keys = {r.key for r in peer.pods.requirements} if peer.pods else set()
    relevant = {k: v for k, v in labels.items() if k in keys}
    if relevant:
        return f"has {_labels(relevant)}"
    missing = ", ".join(sorted(keys))
    return f"has no label {missing}" if missing else f"has {_labels(labels)}"


def _labels(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{k}={v}" for k, v in sorted(labels.items())) or "no labels"


def _port(rule: PortRule, destination: Endpoint, port: int, protocol: Protocol, service_port: int | None) -> _Miss:
    if rule.matches(destination, port, protocol):
        return _HIT
    same = PortRule(protocol, rule.port, rule.end_port).matches(destination, port, protocol)
    if rule.protocol is not protocol and same:
        default = "" if rule.written else " (a port without a protocol means TCP)"
        return 1, "protocol", f"it allows {rule}{default}, not {protocol} {port}"
    if isinstance(rule.port, str):
        return (
            1,
            "port",
            f"it allows the port named {rule.port}, which {destination.key} does not declare as {protocol} {port}",
        )
    if service_port is not None and rule.protocol is protocol and rule.port == service_port:
        return 1, "service-port", f"it allows {rule}, the Service's port, and rules see the pod's port {port}"
    away = 1 if rule.protocol is protocol else 2
    return away, "port", f"it allows {rule}, not {protocol} {port}"


def sentence(
    source: Endpoint,
    destination: Endpoint,
    port: int,
    protocol: Protocol,
    allowed: bool | None,
    egress: DirectionVerdict,
    ingress: DirectionVerdict,
) -> str:
    """The verdict in one or two sentences."""
    flow = f"{source.key} to {destination.key} on {protocol} {port}"
    if allowed is None:
        note = next(s.note for s in (egress, ingress) if s.allowed is None)
        return f"{flow} is undefined: {note}."
    if allowed:
        return f"{flow} is allowed: {_open(egress)}; {_open(ingress)}."
    denied = [s for s in (egress, ingress) if s.allowed is False]
    text = f"{flow} is denied: {' and '.join(_closed(s) for s in denied)}."
    told = ("no-rule", "one-side")
    nearest = next((m for s in denied for m in s.near_misses if m.code not in told), None)
    if nearest is not None:
        text += f" Nearest is {nearest.policy} rule {nearest.rule + 1}: {nearest.why}."
    half = next((m for s in denied for m in s.near_misses if m.code == "one-side"), None)
    return text if half is None else f"{text} By {half.policy} rule {half.rule + 1} {half.why}."


def one_side(egress: DirectionVerdict, ingress: DirectionVerdict) -> tuple[DirectionVerdict, DirectionVerdict]:
    """The two sides; where a rule opens one and the other denies, the denying one says so (code ``one-side``)."""

    def told(closed: DirectionVerdict, opened: DirectionVerdict) -> DirectionVerdict:
        ref = opened.allowed_by
        if closed.allowed is not False or ref is None:
            return closed
        why = f"the {opened.direction.lower()} side is open already, and a connection needs both"
        return replace(closed, near_misses=(*closed.near_misses, NearMiss(ref.policy, ref.rule, why, "one-side", 8)))

    return told(egress, ingress), told(ingress, egress)


def _open(side: DirectionVerdict) -> str:
    name = side.direction.lower()
    if side.allowed_by is not None:
        return f"{name} by {side.allowed_by.policy} rule {side.allowed_by.rule + 1}"
    if side.note:
        return f"{name} because {side.note}"
    return f"{name} because no policy isolates {side.endpoint} for it"


def _closed(side: DirectionVerdict) -> str:
    names = ", ".join(side.selected_by)
    verb = "selects" if len(side.selected_by) == 1 else "select"
    return f"{names} {verb} {side.endpoint} and no {side.direction.lower()} rule allows it"


def tree(verdict: Verdict) -> tuple[str, ...]:
    """The full explanation, one line for each fact, indented by depth."""
    word = {True: "allowed", False: "denied", None: "undefined"}
    lines = [f"{verdict.source} -> {verdict.destination} {verdict.protocol} {verdict.port}: {word[verdict.allowed]}"]
    for side in (verdict.egress, verdict.ingress):
        lines.append(f"  {side.direction} of {side.endpoint}: {word[side.allowed]}")
        if side.note:
            lines.append(f"    {side.note}")
        elif not side.selected_by:
            lines.append("    no policy selects it in this direction, so it is open")
        for name in side.selected_by:
            lines.append(f"    selected by {name}")
        if side.allowed_by is not None:
            lines.append(f"    allowed by {side.allowed_by}")
        lines += [
            f"    {m.policy}" + (f" rule {m.rule + 1}" if m.rule >= 0 else "") + f": {m.why}" for m in side.near_misses
        ]
    return (*lines, verdict.reason)

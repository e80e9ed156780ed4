"""Words for what the policies say of a flow. They explain an observation and never replace it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tutor.policy import Direction, External, Pod, RuleRef, Verdict
from tutor.verify.world import World

OUTSIDE = External("192.0.2.1")
"""Stands for every address outside the cluster (RFC 5737: documentation only, so nobody is ever there)."""
_STANDS = "what was observed stands"


def reasons(verdict: Verdict | None) -> list[str]:
    """Why the policies deny a flow; or that they do not, which is shown rather than hidden."""
    if verdict is None:
        return []
    if verdict.allowed is not False:
        word = "would allow this flow" if verdict.allowed else "leave this flow open"
        return [f"The policies {word} ({verdict.reason}), yet it did not get through: {_STANDS}."]
    lines = [verdict.reason]
    denied = [s for s in (verdict.egress, verdict.ingress) if s.allowed is False]
    for side in denied:
        lines += [
            f"{m.policy} rule {m.rule + 1}: {m.why}."
            for m in side.near_misses[:2]
            if m.code != "no-rule" and m.why not in verdict.reason
        ]
    if len(denied) == 1 and (verdict.egress.allowed_by or verdict.ingress.allowed_by):
        done = verdict.egress if verdict.egress.allowed else verdict.ingress
        lines.append(f"Only one side is done: {done.direction.lower()} is allowed, and a connection needs both.")
    return lines


def grants(verdict: Verdict | None, words: str) -> list[str]:
    """Which rules let a flow through that must not pass.

    :param words: the flow, as a learner reads it.
    """
    if verdict is None:
        return []
    if verdict.allowed is False:
        return [f"The policies would deny this flow ({verdict.reason}), yet it got through: {_STANDS}."]
    lines = []
    for side in (verdict.egress, verdict.ingress):
        if side.allowed_by is not None:
            lines.append(f"{side.allowed_by} lets {words} through: it is wider than needed.")
        elif not side.isolated:
            lines.append(f"No policy isolates {side.endpoint} for {side.direction.lower()}.")
    return lines


def disagreement(verdict: Verdict | None, words: str, *, passed: bool) -> list[str]:
    """Empty when the policies say what was seen, else one line that shows both."""
    if verdict is None or verdict.allowed is None or verdict.allowed is passed:
        return []
    seen, said = ("got through", "deny") if passed else ("was stopped", "allow")
    return [f"{words} {seen}, although the policies as read would {said} it ({verdict.reason}): {_STANDS}."]


def by_address(world: World, verdict: Verdict | None) -> str:
    """The rule that lets a pod through by its address only, which the pod loses when it is replaced; else empty."""
    if verdict is None or not verdict.allowed:
        return ""
    for side in (verdict.egress, verdict.ingress):
        ref = side.allowed_by
        block = ((_peer(world, ref) or {}).get("ipBlock") or {}).get("cidr", "") if ref is not None else ""
        if block.endswith(("/32", "/128")):
            return f"{ref} names the address {block}"
    return ""


def _peer(world: World, ref: RuleRef) -> Mapping[str, Any] | None:
    namespace, name = ref.policy.split("/")
    policy = world.get("networkpolicies", namespace, name)
    if policy is None or ref.peer is None:
        return None
    section, peers = ("egress", "to") if ref.direction is Direction.EGRESS else ("ingress", "from")
    found: Mapping[str, Any] = policy["spec"][section][ref.rule][peers][ref.peer]
    return found


def beyond(world: World, pods: Iterable[Pod]) -> list[str]:
    """Rules that reach outside the cluster. No probe here can try that, so it is computed, said, and decides nothing."""
    lines = []
    for pod in pods:
        out = world.policies.decide(pod, OUTSIDE, 443)
        back = world.policies.decide(OUTSIDE, pod, pod.ports[0].port if pod.ports else 80)
        if out.allowed and out.egress.allowed_by is not None:
            lines.append(f"{out.egress.allowed_by} also lets {pod.key} reach addresses outside the cluster (computed).")
        if back.allowed and back.ingress.allowed_by is not None:
            lines.append(
                f"{back.ingress.allowed_by} also lets addresses outside the cluster reach {pod.key} (computed)."
            )
    return lines

"""Checks on flows: those that must work, those that must not, and what a fresh pod without labels may do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tutor.content.models import Check, Flow
from tutor.policy import Protocol, Verdict
from tutor.verify import diagnose
from tutor.verify.canary import PORT
from tutor.verify.checks import Kind
from tutor.verify.context import Context, Planned, Side, controls_hold, plan, pod_name
from tutor.verify.probe import Probe, Seen
from tutor.verify.result import CheckResult, Evidence

Wrong = tuple[str, list[str]]
"""A sentence for the learner, and its diagnosis."""


class Flows(Kind):
    """Flows that must work and flows that must not. ``params``: ``allow`` and ``deny``, lists of flows; ``says`` on a pass."""

    def __init__(self, check: Check, ctx: Context) -> None:
        super().__init__(check, ctx)
        self.planned: list[Planned] = []

    def flows(self) -> Iterable[tuple[Side, Flow]]:
        """What is to be sent."""
        sides: tuple[Side, ...] = ("allow", "deny")
        return [(side, Flow(**f)) for side in sides for f in self.check.params.get(side) or []]

    def plan(self) -> Sequence[Probe]:
        """A probe for each flow, and its controls."""
        self.planned = [plan(self.ctx, flow, side) for side, flow in self.flows()]
        return [p for planned in self.planned for p in (planned.probe, *planned.controls)]

    def decide(self) -> CheckResult:
        """Failed with the first flow that is not as it must be; every one of them is diagnosed."""
        wrong: list[Wrong] = []
        unknown = ""
        advice: list[str] = []
        evidence: list[Evidence] = []
        for p in self.planned:
            verdict = self.verdict(p)
            evidence.append(self.ctx.evidence(p.probe, "open" if p.side == "allow" else "timeout", verdict=verdict))
            evidence += [self.ctx.evidence(c, "open", control=True) for c in p.controls]
            seen = self.ctx.seen(p.probe)
            broken = controls_hold(self.ctx, p)
            if seen.seen is Seen.BROKEN:
                unknown = unknown or f"the probe from {pod_name(p.source)} did not run ({seen.detail})"
            elif broken and seen.seen is not Seen.OPEN:
                unknown = unknown or broken
            elif (found := self.judge(p, seen.seen, verdict)) is not None:
                wrong.append(found)
            else:
                advice += diagnose.disagreement(verdict, p.words, passed=p.side == "allow")
        if wrong:
            return self.failed(wrong[0][0], [line for _, lines in wrong for line in lines], distinct(evidence))
        if unknown:
            return self.unknown(unknown, distinct(evidence))
        return self.passed(self.says(), distinct(evidence), [*advice, *self._beyond()])

    def verdict(self, p: Planned) -> Verdict | None:
        """What the policies say of a flow."""
        protocol = Protocol(p.flow.protocol)
        return self.ctx.verdict(p.source, p.target, p.flow.port, protocol, p.service_port)

    def judge(self, p: Planned, seen: Seen, verdict: Verdict | None) -> Wrong | None:
        """What is wrong with one flow, or None."""
        why = f" {p.flow.why}" if p.flow.why else ""
        if p.side == "deny":
            return None if seen is Seen.TIMEOUT else (self.open(p, seen) + why, diagnose.grants(verdict, p.words))
        if seen is Seen.NO_NAME:
            return f"{p.words} must work, but the name does not resolve.{why}", diagnose.reasons(verdict)
        if seen is not Seen.OPEN:
            message = f"{p.words} must work, but it ended with {seen.value}.{why}"
            return message, diagnose.reasons(verdict) or [f"{p.words}: {seen.value}."]
        fragile = diagnose.by_address(self.ctx.world, verdict)
        if fragile:
            text = f"{p.words} works only until the pod is replaced: {fragile}, and a new pod gets another one."
            return text, ["Select pods by their labels, and namespaces by theirs."]
        return None

    def open(self, p: Planned, seen: Seen) -> str:
        """The sentence for a flow that must be denied and is not."""
        reached = "it is open" if seen is Seen.OPEN else f"the packet arrives ({seen.value})"
        return f"{p.words} must be denied, but {reached}."

    def says(self) -> str:
        """The sentence of a pass."""
        return str(self.check.params.get("says") or "Every flow is as it must be.")

    def _beyond(self) -> list[str]:
        """Advice on what no probe can try: the world outside."""
        if not any(p.side == "deny" for p in self.planned):
            return []
        pods = {pod_name(p.source): self.ctx.world.policy_pod(p.source) for p in self.planned}
        return diagnose.beyond(self.ctx.world, [pod for pod in pods.values() if pod is not None])


class Canary(Flows):
    """A fresh pod without labels in ``namespace``: denied everything but what is granted to all.

    ``params``: ``to`` (what it must not reach: ``actor``, ``port``, ``protocol``), ``from`` (actors that must not reach it) and
    ``intruders`` (fresh pods in other namespaces and what they must not reach: ``namespace``, ``actor``, ``port``).
    """

    @classmethod
    def canaries(cls, check: Check) -> set[str]:
        """Its own namespace, and those of the intruders."""
        others = {str(i["namespace"]) for i in check.params.get("intruders") or []}
        return {str(check.params["namespace"]), *others}

    def flows(self) -> Iterable[tuple[Side, Flow]]:
        """All of them must be denied."""
        params = self.check.params
        me = f"canary:{params['namespace']}"
        found = [_flow(me, f["actor"], f["port"], f.get("protocol", "TCP")) for f in params.get("to") or []]
        found += [_flow(f["actor"], me, PORT) for f in params.get("from") or []]
        found += [_flow(f"canary:{i['namespace']}", i["actor"], i["port"]) for i in params.get("intruders") or []]
        return [("deny", flow) for flow in found]

    def open(self, p: Planned, seen: Seen) -> str:
        """The sentence for what reaches, or is reached by, a pod that nobody has granted anything."""
        namespace = self.check.params["namespace"]
        text = f"{p.words[:1].upper()}{p.words[1:]} must be denied, but the packet arrives"
        if p.flow.source in ("", f"canary:{namespace}") or p.flow.to == f"canary:{namespace}":
            return f"{text}: the default deny does not hold for every pod."
        return f"{text}: a whole namespace is let in where one workload was confirmed."

    def says(self) -> str:
        """The sentence of a pass."""
        return str(self.check.params.get("says") or "A fresh pod without labels is closed in both directions.")


def _flow(source: str, to: str, port: int, protocol: str = "TCP") -> Flow:
    """A flow one of whose ends is a canary, which an author's flow may not name."""
    return Flow.model_construct(
        source=source, to=to, port=port, protocol=protocol, via="pod", service_port=None, why=""
    )


def distinct(evidence: Iterable[Evidence]) -> list[Evidence]:
    """Each observation once: several flows share their controls."""
    return list({(e.source, e.destination, e.port, e.protocol, e.control): e for e in evidence}.values())

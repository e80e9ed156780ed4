"""The kinds of checks a lab may use. Each names its probes first; when all are sent, each decides.

A kind is a class with ``plan`` (the probes it needs) and ``decide`` (its verdict from what was seen).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from tutor.content.models import Check, Flow
from tutor.policy import Protocol, Verdict
from tutor.verify.context import Context, Planned, Side, controls_hold, plan, pod_name
from tutor.verify.probe import Probe, Seen
from tutor.verify.result import CheckResult, Evidence, Outcome


class Kind(ABC):
    """One check of a stage."""

    def __init__(self, check: Check, ctx: Context) -> None:
        self.check, self.ctx = check, ctx

    def plan(self) -> Sequence[Probe]:
        """The probes it needs.

        :raises CannotCheck: something they need is missing.
        """
        return ()

    @abstractmethod
    def decide(self) -> CheckResult:
        """The verdict, from what was seen."""

    def as_expected(self) -> bool:
        """Whether this round already shows a pass; if not, another round is sent."""
        return self.decide().outcome is Outcome.PASSED

    def passed(self, message: str, evidence: Sequence[Evidence] = (), advice: Sequence[str] = ()) -> CheckResult:
        """A pass."""
        return CheckResult(self.check.id, Outcome.PASSED, message, (), tuple(advice), tuple(evidence))

    def failed(self, message: str, diagnosis: Sequence[str] = (), evidence: Sequence[Evidence] = ()) -> CheckResult:
        """A failure."""
        return CheckResult(self.check.id, Outcome.FAILED, message, tuple(dict.fromkeys(diagnosis)), (), tuple(evidence))

    def unknown(self, why: str, evidence: Sequence[Evidence] = ()) -> CheckResult:
        """The third state."""
        message = f"Could not be checked: {why}. Nothing is held against you."
        return CheckResult(self.check.id, Outcome.COULD_NOT_CHECK, message, evidence=tuple(evidence))


class Question(Kind):
    """An answer the learner chose on the page."""

    def decide(self) -> CheckResult:
        """Right or wrong, with the choice's own explanation."""
        given = self.ctx.answers.get(self.check.id, "")
        choice = next((c for c in self.check.choices if c.id == given), None)
        if choice is None:
            return self.failed("Choose an answer.")
        return self.passed(choice.explanation) if choice.correct else self.failed(choice.explanation)


class Flows(Kind):
    """Flows that must work and flows that must not. ``params``: ``allow`` and ``deny``, lists of flows."""

    def plan(self) -> Sequence[Probe]:
        """A probe for each flow, and its controls."""
        params = self.check.params
        sides: tuple[Side, ...] = ("allow", "deny")
        self.planned = [plan(self.ctx, Flow(**f), side) for side in sides for f in params.get(side) or []]
        return [p for planned in self.planned for p in (planned.probe, *planned.controls)]

    def decide(self) -> CheckResult:
        """Failed with the first flow that is not as it must be; every one of them is diagnosed."""
        wrong: list[tuple[str, list[str]]] = []
        unknown = ""
        evidence: list[Evidence] = []
        for p in self.planned:
            verdict = self.ctx.verdict(p.source, p.target, p.flow.port, service_port=p.service_port)
            evidence.append(self.ctx.evidence(p.probe, "open" if p.side == "allow" else "timeout", verdict=verdict))
            evidence += [self.ctx.evidence(c, "open", control=True) for c in p.controls]
            seen = self.ctx.seen(p.probe)
            broken = controls_hold(self.ctx, p)
            if seen.seen is Seen.BROKEN or (broken and seen.seen is not Seen.OPEN):
                unknown = unknown or broken or f"the probe from {pod_name(p.source)} did not run ({seen.detail})"
            elif p.side == "allow" and seen.seen is not Seen.OPEN:
                wrong.append(self._blocked(p, seen.seen, verdict))
            elif p.side == "deny" and seen.seen is not Seen.TIMEOUT:
                wrong.append(self._open(p, seen.seen, verdict))
        evidence = list({(e.source, e.destination, e.port, e.protocol, e.control): e for e in evidence}.values())
        if wrong:
            return self.failed(wrong[0][0], [line for _, lines in wrong for line in lines], evidence)
        if unknown:
            return self.unknown(unknown, evidence)
        return self.passed(str(self.check.params.get("says") or "Every flow is as it must be."), evidence)

    def _blocked(self, p: Planned, seen: Seen, verdict: Verdict | None) -> tuple[str, list[str]]:
        why = f" {p.flow.why}" if p.flow.why else ""
        if seen is Seen.NO_NAME:
            return f"{p.words} must work, but the name does not resolve.{why}", _reasons(verdict)
        message = f"{p.words} must work, but it ended with {seen.value}.{why}"
        return message, _reasons(verdict) or [f"{p.words}: {seen.value}."]

    def _open(self, p: Planned, seen: Seen, verdict: Verdict | None) -> tuple[str, list[str]]:
        why = f" {p.flow.why}" if p.flow.why else ""
        reached = "it is open" if seen is Seen.OPEN else f"the packet arrives ({seen.value})"
        return f"{p.words} must be denied, but {reached}.{why}", _grants(verdict, p)


def _reasons(verdict: Verdict | None) -> list[str]:
    """Why the policies deny a flow; or that they do not, which is shown rather than hidden."""
    if verdict is None:
        return []
    if verdict.allowed is not False:
        return [
            f"The policies would allow this flow ({verdict.reason}), yet it did not get through: what was observed stands."
        ]
    lines = [verdict.reason]
    for side in (verdict.egress, verdict.ingress):
        if side.allowed is False:
            lines += [f"{m.policy} rule {m.rule + 1}: {m.why}." for m in side.near_misses if m.code != "no-rule"][:2]
    denied = [s for s in (verdict.egress, verdict.ingress) if s.allowed is False]
    if len(denied) == 1 and (verdict.egress.allowed_by or verdict.ingress.allowed_by):
        done = verdict.egress if verdict.egress.allowed else verdict.ingress
        lines.append(f"Only one side is done: {done.direction.lower()} is allowed, and a connection needs both.")
    return lines


def _grants(verdict: Verdict | None, p: Planned) -> list[str]:
    """Which rules let a flow through that must not pass."""
    if verdict is None:
        return []
    if verdict.allowed is False:
        return [f"The policies would deny this flow ({verdict.reason}), yet it got through: what was observed stands."]
    lines = []
    for side in (verdict.egress, verdict.ingress):
        if side.allowed_by is not None:
            lines.append(f"{side.allowed_by} lets {p.words} through: it is wider than needed.")
        elif not side.isolated:
            lines.append(f"No policy isolates {side.endpoint} for {side.direction.lower()}.")
    return lines


class NameService(Kind):
    """DNS by UDP and by TCP. ``params``: ``sources``, ``expect`` (``answered`` or ``blocked``), ``controls`` (actors whose
    queries must be answered), ``name`` to ask for."""

    def plan(self) -> Sequence[Probe]:
        """Both protocols from every source and control."""
        params = self.check.params
        name = str(params["name"])

        def pair(actor: str) -> list[Probe]:
            pod = self.ctx.pod(actor)
            return [
                Probe("dns-udp", pod, self.ctx.dns.address, 53, name),
                Probe("dns-tcp", pod, self.ctx.dns.address, 53, name),
            ]

        self.asked = {a: pair(a) for a in params["sources"]}
        self.controls = {a: pair(a) for a in params.get("controls") or []}
        return [p for group in (self.asked, self.controls) for pair_ in group.values() for p in pair_]

    def decide(self) -> CheckResult:
        """Answered or blocked, each source and each protocol."""
        blocked = self.check.params["expect"] == "blocked"
        expected = "timeout" if blocked else "open"
        evidence = [self.ctx.evidence(p, "open", control=True) for ps in self.controls.values() for p in ps]
        wrong: list[tuple[str, list[str]]] = []
        unknown = next(
            (
                f"the name service does not answer {actor} over {_protocol(p)} either, which no policy of yours touches"
                for actor, ps in self.controls.items()
                for p in ps
                if self.ctx.seen(p).seen is not Seen.OPEN
            ),
            "",
        )
        for actor, probes in self.asked.items():
            for p in probes:
                protocol = _protocol(p)
                verdict = self.ctx.verdict(p.pod, self.ctx.dns.pods[0], self.ctx.dns.port, protocol, 53)
                evidence.append(self.ctx.evidence(p, expected, verdict=verdict))
                seen = self.ctx.seen(p).seen
                if seen is Seen.BROKEN:
                    unknown = unknown or f"the probe from {pod_name(p.pod)} did not run ({self.ctx.seen(p).detail})"
                elif blocked and seen is not Seen.TIMEOUT:
                    wrong.append(self._answers(actor, protocol, verdict))
                elif blocked and (
                    verdict is None or not verdict.egress.isolated or verdict.egress.allowed is not False
                ):
                    text = f"{actor}: names do not resolve over {protocol}, but not because its egress is closed."
                    wrong.append((text, [verdict.reason] if verdict else []))
                elif not blocked and seen is not Seen.OPEN:
                    text = f"{actor} gets no answer from the name service over {protocol} 53 ({seen.value})."
                    wrong.append((text, _reasons(verdict)))
        if wrong and not (unknown and not blocked):
            return self.failed(wrong[0][0], [line for _, lines in wrong for line in lines], evidence)
        if unknown:
            return self.unknown(unknown, evidence)
        return self.passed(self._says(blocked), evidence)

    def _answers(self, actor: str, protocol: Protocol, verdict: Verdict | None) -> tuple[str, list[str]]:
        if verdict is not None and not verdict.egress.isolated:
            text = f"Names still resolve from {actor} over {protocol}: no policy isolates its egress."
            return text, [
                f"{verdict.egress.endpoint} is open for egress. A default deny names Egress in policyTypes too."
            ]
        return f"Names still resolve from {actor} over {protocol}.", [verdict.reason] if verdict else []

    def _says(self, blocked: bool) -> str:
        if blocked:
            return "Names no longer resolve, over UDP and over TCP, because egress is closed. Elsewhere the name service still answers."
        return "The name service answers over UDP and over TCP."


def _protocol(probe: Probe) -> Protocol:
    return Protocol.UDP if probe.kind == "dns-udp" else Protocol.TCP


class Canary(Kind):
    """A fresh pod without labels in ``params.namespace``: denied everything but what is granted to all.

    ``params``: ``to`` (flows it sends) and ``from`` (flows sent to it), as ``actor`` and ``port``.
    """

    def plan(self) -> Sequence[Probe]:
        """Probes from and to the canary."""
        params = self.check.params
        me = f"canary:{params['namespace']}"
        flows = [
            Flow.model_construct(
                source=me, to=f["actor"], port=f["port"], protocol="TCP", via="pod", service_port=None, why=""
            )
            for f in params.get("to") or []
        ]
        flows += [
            Flow.model_construct(
                source=f["actor"], to=me, port=8080, protocol="TCP", via="pod", service_port=None, why=""
            )
            for f in params.get("from") or []
        ]
        self.planned = [plan(self.ctx, f, "deny") for f in flows]
        return [p for planned in self.planned for p in (planned.probe, *planned.controls)]

    def decide(self) -> CheckResult:
        """Failed when anything gets through."""
        wrong: list[tuple[str, list[str]]] = []
        unknown = ""
        evidence: list[Evidence] = []
        for p in self.planned:
            verdict = self.ctx.verdict(p.source, p.target, p.flow.port)
            evidence.append(self.ctx.evidence(p.probe, "timeout", verdict=verdict))
            evidence += [self.ctx.evidence(c, "open", control=True) for c in p.controls]
            seen = self.ctx.seen(p.probe).seen
            broken = controls_hold(self.ctx, p)
            if seen is Seen.BROKEN or (broken and seen is Seen.TIMEOUT):
                unknown = unknown or broken or self.ctx.seen(p.probe).detail
            elif seen is not Seen.TIMEOUT:
                wrong.append((self._leak(p), _grants(verdict, p)))
        evidence = list({(e.source, e.destination, e.port, e.control): e for e in evidence}.values())
        if wrong:
            return self.failed(wrong[0][0], [line for _, lines in wrong for line in lines], evidence)
        if unknown:
            return self.unknown(unknown, evidence)
        return self.passed("A fresh pod without labels is closed in both directions.", evidence)

    def _leak(self, p: Planned) -> str:
        namespace = self.check.params["namespace"]
        if p.flow.source.startswith("canary:"):
            return f"A fresh pod in {namespace} without labels can reach {p.flow.to} on port {p.flow.port}: the default deny does not hold for every pod."
        return f"{p.flow.source} can reach a fresh pod in {namespace} without labels: the default deny does not hold for every pod."

"""The check on the name service: answered or blocked, by UDP and by TCP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from tutor.content.models import Check
from tutor.policy import External, Protocol, Verdict
from tutor.verify import diagnose
from tutor.verify.checks import Kind
from tutor.verify.context import Context, ip_of, pod_name
from tutor.verify.flows import distinct
from tutor.verify.probe import Probe, Seen
from tutor.verify.result import CheckResult


class NameService(Kind):
    """DNS by UDP and by TCP. ``params``: ``sources``, ``expect`` (``answered`` or ``blocked``), ``controls`` (actors whose
    queries must be answered), ``name`` to ask for.

    An answer is asked for at the address pods use and at every pod behind it, so that a rule which names one of them does
    not pass by luck.
    """

    def __init__(self, check: Check, ctx: Context) -> None:
        super().__init__(check, ctx)
        self.blocked = check.params["expect"] == "blocked"
        self.asked: dict[str, list[Probe]] = {}
        self.controls: dict[str, list[Probe]] = {}

    def plan(self) -> Sequence[Probe]:
        """Both protocols from every source and control."""
        self.asked = {a: self._probes(a, each_pod=not self.blocked) for a in self.check.params["sources"]}
        self.controls = {a: self._probes(a) for a in self.check.params.get("controls") or []}
        return [p for group in (self.asked, self.controls) for probes in group.values() for p in probes]

    def _probes(self, actor: str, *, each_pod: bool = False) -> list[Probe]:
        pod, dns, name = self.ctx.pod(actor), self.ctx.dns, str(self.check.params["name"])
        at = [(dns.address, 53)]
        if each_pod and not dns.cached:
            at += [(ip_of(p), dns.port) for p in dns.pods]
        kinds: tuple[Literal["dns-udp", "dns-tcp"], ...] = ("dns-udp", "dns-tcp")
        return [Probe(kind, pod, address, port, name) for address, port in at for kind in kinds]

    def decide(self) -> CheckResult:
        """Answered or blocked, each source and each protocol."""
        expected = "timeout" if self.blocked else "open"
        evidence = [self.ctx.evidence(p, "open", control=True) for ps in self.controls.values() for p in ps]
        wrong: list[tuple[str, list[str]]] = []
        advice: list[str] = []
        unknown = self._broken_control()
        for actor, probes in self.asked.items():
            for p in probes:
                verdict = self._verdict(p)
                evidence.append(self.ctx.evidence(p, expected, verdict=verdict))
                result = self.ctx.seen(p)
                if result.seen is Seen.BROKEN:
                    unknown = unknown or f"the probe from {pod_name(p.pod)} did not run ({result.detail})"
                    continue
                if unknown and result.seen is Seen.TIMEOUT:
                    continue  # silence means nothing where the control hears nothing either
                judge = self._must_be_blocked if self.blocked else self._must_answer
                found = judge(actor, p, result.seen, verdict)
                if found is not None:
                    wrong.append(found)
                else:
                    words = f"{actor}'s query over {_protocol(p)}"
                    advice += diagnose.disagreement(verdict, words, passed=not self.blocked)
        if wrong and not (unknown and not self.blocked):
            return self.failed(wrong[0][0], [line for _, lines in wrong for line in lines], distinct(evidence))
        if unknown:
            return self.unknown(unknown, distinct(evidence))
        return self.passed(self._says(), distinct(evidence), advice)

    def _broken_control(self) -> str:
        for actor, probes in self.controls.items():
            for p in probes:
                result = self.ctx.seen(p)
                if result.seen is not Seen.OPEN:
                    how = f"over {_protocol(p)} either ({result.seen.value})"
                    return f"the name service does not answer {actor} {how}, which no policy of the lab touches"
        return ""

    def _verdict(self, p: Probe) -> Verdict | None:
        """What the policies say of a query; of several pods behind one address, the one that fares worst."""
        dns, protocol = self.ctx.dns, _protocol(p)
        pods = [d for d in dns.pods if p.target in (dns.address, ip_of(d))]
        found = [v for d in pods if (v := self.ctx.verdict(p.pod, d, dns.port, protocol, 53)) is not None]
        source = self.ctx.world.policy_pod(p.pod)
        if not found and source is not None:
            found = [self.ctx.world.policies.decide(source, External(p.target), p.port, protocol)]
        return min(found, key=lambda v: bool(v.allowed), default=None)

    def _must_be_blocked(
        self, actor: str, p: Probe, seen: Seen, verdict: Verdict | None
    ) -> tuple[str, list[str]] | None:
        protocol = _protocol(p)
        if seen is not Seen.TIMEOUT:
            if verdict is not None and not verdict.egress.isolated:
                text = f"Names still resolve from {actor} over {protocol}: no policy isolates its egress."
                more = f"{verdict.egress.endpoint} is open for egress. A default deny names Egress in policyTypes too."
                return text, [more]
            return f"Names still resolve from {actor} over {protocol} ({seen.value}).", diagnose.grants(
                verdict, f"{actor}'s query"
            )
        if verdict is not None and verdict.egress.isolated and verdict.egress.allowed is False:
            return None
        text = f"{actor}: names do not resolve over {protocol}, but not because its egress is closed."
        return text, [verdict.reason] if verdict else []

    def _must_answer(self, actor: str, p: Probe, seen: Seen, verdict: Verdict | None) -> tuple[str, list[str]] | None:
        protocol = _protocol(p)
        if seen is not Seen.OPEN:
            text = f"{actor} gets no answer from the name service over {protocol} 53 ({seen.value})."
            return text, diagnose.reasons(verdict)
        fragile = diagnose.by_address(self.ctx.world, verdict)
        if fragile:
            text = f"{actor} gets its answers only until the name service's pods are replaced: {fragile}."
            return text, ["Select the name service by its namespace and its own labels."]
        return None

    def _says(self) -> str:
        if not self.blocked:
            return "The name service answers over UDP and over TCP."
        elsewhere = " Elsewhere the name service still answers." if self.controls else ""
        return f"Names no longer resolve, over UDP and over TCP, because egress is closed.{elsewhere}"


def _protocol(probe: Probe) -> Protocol:
    return Protocol.UDP if probe.kind == "dns-udp" else Protocol.TCP

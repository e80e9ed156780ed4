"""One verification in progress: the lab, the world, the rounds of probes, and words for what they showed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from tutor.content.models import Flow, Lab
from tutor.policy import Protocol, Verdict
from tutor.verify.probe import Probe, Prober, Result, Seen
from tutor.verify.result import Evidence
from tutor.verify.world import CannotCheck, Dns, Object, World, find_dns, is_ready, lab_actor, nameserver_of

Key = tuple[str, str, str, int, str]


def key_of(probe: Probe) -> Key:
    """Two probes with the same key are one probe."""
    return (probe.kind, probe.pod["metadata"]["uid"], probe.target, probe.port, probe.name)


@dataclass
class Context:
    """What the checks of one stage share. ``canaries`` are the verifier's own fresh pods, by namespace."""

    lab: Lab
    world: World
    prober: Prober
    now: Callable[[], datetime]
    answers: dict[str, str] = field(default_factory=dict)
    canaries: dict[str, Object] = field(default_factory=dict)
    results: dict[Key, tuple[Result, datetime]] = field(default_factory=dict)
    _dns: Dns | None = None
    _address: str = ""

    @property
    def dns(self) -> Dns:
        """The cluster's name service.

        :raises CannotCheck: it has none that answers.
        """
        found = self.find_dns()
        if not found.pods and not found.cached:
            raise CannotCheck(f"no ready pod stands behind the name service {found.namespace}/{found.service}")
        return found

    def find_dns(self) -> Dns:
        """The same, whether or not anything answers there.

        :raises CannotCheck: it cannot be told where pods ask.
        """
        if self._dns is None:
            self._dns = find_dns(self.world, self._nameserver())
        return self._dns

    def refresh(self, world: World) -> None:
        """Go on with a newer picture of the cluster."""
        self.world, self._dns = world, None

    def _nameserver(self) -> str:
        """The address that pods are told to ask, read once where they read it.

        :raises CannotCheck: no pod could be asked.
        """
        if self._address:
            return self._address
        pods = list(self.canaries.values()) or [lab_actor(self.lab, self.world, a.id) for a in self.lab.actors[:1]]
        self._address = nameserver_of(self.prober.read(pods[0], "/etc/resolv.conf"))
        return self._address

    def pod(self, actor: str) -> Object:
        """The pod of an actor, or of ``canary:<namespace>``.

        :raises CannotCheck: it has none.
        """
        if actor.startswith("canary:"):
            return self.canaries[actor.partition(":")[2]]
        return lab_actor(self.lab, self.world, actor)

    def send(self, probes: Iterable[Probe]) -> None:
        """Run every probe once more and keep what was seen."""
        unique = list({key_of(p): p for p in probes}.values())
        for probe, result in zip(unique, self.prober.run(unique), strict=True):
            self.results[key_of(probe)] = (result, self.now())

    def seen(self, probe: Probe) -> Result:
        """What a probe of the last round showed."""
        return self.results[key_of(probe)][0]

    def evidence(
        self, probe: Probe, expected: str, *, control: bool = False, verdict: Verdict | None = None
    ) -> Evidence:
        """An observation as evidence."""
        result, at = self.results[key_of(probe)]
        return Evidence(
            at=at,
            kind="observed",
            source=pod_name(probe.pod),
            destination=probe.target if not probe.name else f"{probe.name} at {probe.target}",
            port=probe.port,
            protocol="UDP" if probe.kind in ("udp", "dns-udp") else "TCP",
            outcome=result.seen.value,
            expected=expected,
            control=control,
            detail=result.detail,
            decided_by=decided_by(verdict),
            ms=result.ms,
        )

    def verdict(
        self,
        source: Object,
        target: Object,
        port: int,
        protocol: Protocol = Protocol.TCP,
        service_port: int | None = None,
    ) -> Verdict | None:
        """What the policies say of a flow; explains an observation, never replaces it."""
        a, b = self.world.policy_pod(source), self.world.policy_pod(target)
        if a is None or b is None:
            return None
        return self.world.policies.decide(a, b, port, protocol, service_port=service_port)


def pod_name(pod: Object) -> str:
    """``namespace/name``."""
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def decided_by(verdict: Verdict | None) -> str:
    """The policy and rule that decided, in a few words."""
    if verdict is None:
        return ""
    sides = (verdict.egress, verdict.ingress)
    if verdict.allowed is False:
        return "; ".join(
            f"no {s.direction.lower()} rule of {', '.join(s.selected_by)}" for s in sides if s.allowed is False
        )
    rules = [str(s.allowed_by) for s in sides if s.allowed_by is not None]
    return "; ".join(rules) or "no policy selects either end"


def ip_of(pod: Object) -> str:
    """A pod's address."""
    return str(pod["status"]["podIP"])


def own_listener(pod: Object) -> int | None:
    """A TCP port the pod's own workload declares."""
    for container in pod["spec"].get("containers") or []:
        for port in container.get("ports") or []:
            if port.get("protocol", "TCP") == "TCP":
                return int(port["containerPort"])
    return None


Side = Literal["allow", "deny"]


@dataclass(frozen=True)
class Planned:
    """A flow of a check, with the probe that sends it and the controls that give its outcome a meaning."""

    flow: Flow
    side: Side
    source: Object
    target: Object
    probe: Probe
    controls: tuple[Probe, ...]
    service_port: int | None = None

    @property
    def words(self) -> str:
        """The flow in words."""
        udp = "UDP " if self.flow.protocol == "UDP" else ""
        return f"{actor_words(self.flow.source)} to {actor_words(self.flow.to)} on {udp}port {self.flow.port}"


def actor_words(actor: str) -> str:
    """An end of a flow as a learner reads it."""
    kind, _, namespace = actor.partition(":")
    return f"a fresh pod in {namespace} without labels" if kind == "canary" and namespace else actor


def plan(ctx: Context, flow: Flow, side: Side) -> Planned:
    """Turn a flow of the lab into probes.

    :raises CannotCheck: one of its ends has no pod.
    """
    source = ctx.pod(flow.source)
    target = ctx.dns.pods[0] if flow.to == "dns" else ctx.pod(flow.to)
    port = flow.port
    kind: Literal["tcp", "udp"] = "udp" if flow.protocol == "UDP" else "tcp"
    probe = Probe(kind, source, ip_of(target), port)
    if flow.via == "service":
        actor = next(a for a in ctx.lab.actors if a.id == flow.to)
        probe = Probe("http", source, f"{actor.deployment}.{actor.namespace}", flow.service_port or port)
    controls: list[Probe] = []
    if flow.to == "dns":
        # Its image has no shell to ask from inside, so somebody whom no policy holds back asks in its place.
        free = _unhindered(ctx, target, port)
        controls += [Probe(kind, free, ip_of(target), port)] if free is not None and side == "deny" else []
    else:
        controls.append(Probe(kind, target, ip_of(target), port))
    if kind == "udp":
        controls.append(Probe(kind, source, ip_of(source), port))
    own = own_listener(source)
    if own is not None:
        controls.append(Probe("tcp", source, ip_of(source), own))
    return Planned(flow, side, source, target, probe, tuple(controls), flow.service_port)


def _unhindered(ctx: Context, target: Object, port: int) -> Object | None:
    """The pod of an actor that the policies let through to a target, if there is one."""
    for actor in ctx.lab.actors:
        for pod in ctx.world.pods_of(actor.namespace, actor.deployment):
            verdict = ctx.verdict(pod, target, port) if is_ready(pod) else None
            if verdict is not None and verdict.allowed and not verdict.egress.isolated:
                return pod
    return None


def controls_hold(ctx: Context, planned: Planned) -> str:
    """Empty when every control showed what it must, else what is broken (ours, or the workload's; never a verdict)."""
    for control in planned.controls:
        result = ctx.seen(control)
        if result.seen is Seen.OPEN:
            continue
        if result.seen is Seen.REFUSED and (control.kind == "udp" or planned.flow.to == "dns"):
            continue  # a refusal is an answer: the packet arrived, which is all this control has to show
        who = pod_name(control.pod)
        how = f"{result.seen.value}: {result.detail}"
        if control.target == ip_of(control.pod):
            return f"{who} does not answer itself on port {control.port} ({how})"
        return (
            f"{who}, which no policy holds back, does not reach port {control.port} of {planned.flow.to} either ({how})"
        )
    return ""

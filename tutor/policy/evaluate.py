"""The decision on one connection (the meaning of networking.k8s.io/v1 NetworkPolicy).

Policies are additive allow-lists: a pod no policy selects in a direction is open in that direction; a selected one lets in
(or out) the union of what the rules list. A connection needs the source's egress and the destination's ingress.
Ports are pod ports: translate services before asking.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from tutor.policy import explain
from tutor.policy.compiled import Policy, Rule, compile_policy
from tutor.policy.model import Direction, DirectionVerdict, Endpoint, External, Pod, Protocol, RuleRef, Verdict

_OWN_NODE = "a pod's own node can always reach it"
_HOST = "the specification leaves pods on the host network open; most plug-ins treat them as their node, so selectors never match them"
_HAIRPIN = (
    "a pod that reaches itself through its own Service is left open by the specification, and these policies would "
    "deny it; plug-ins that see the pod's own address after translation allow it, others do not"
)
_CLUSTER_IP = (
    "a rule lists the Service's cluster address, and whether policy sees it before or after its translation to a pod "
    "address is left open; kindnet sees the pod address and denies"
)
_TO_NODE = (
    "whether egress rules apply towards the pod's own node is left open; recent kindnet applies them, others do not"
)


class Cluster:
    """Namespaces, pods and policies, compiled once and asked often. Make one with :meth:`build`."""

    def __init__(
        self, namespaces: Mapping[str, Mapping[str, str]], pods: Mapping[str, Pod], policies: tuple[Policy, ...]
    ) -> None:
        self.namespaces = namespaces
        self.pods = pods
        self.policies = policies
        self._by_namespace: dict[str, list[Policy]] = defaultdict(list)
        for policy in policies:
            self._by_namespace[policy.namespace].append(policy)
        self._selecting: dict[tuple[str, Direction], tuple[Policy, ...]] = {}

    @classmethod
    def build(
        cls,
        namespaces: Mapping[str, Mapping[str, str]],
        pods: Iterable[Pod],
        policies: Iterable[Mapping[str, Any]],
    ) -> Cluster:
        """Compile a cluster.

        :param namespaces: labels by namespace name.
        :param policies: NetworkPolicy objects as JSON; expected to be valid (see :func:`tutor.policy.validate`).
        """
        return cls(dict(namespaces), {p.key: p for p in pods}, tuple(compile_policy(p) for p in policies))

    def selecting(self, pod: Pod, direction: Direction) -> tuple[Policy, ...]:
        """The policies that isolate a pod in one direction."""
        key = (pod.key, direction)
        if key not in self._selecting or self.pods.get(pod.key) is not pod:
            found = tuple(
                p
                for p in self._by_namespace.get(pod.namespace, ())
                if p.rules(direction) is not None and p.selector.matches(pod.labels)
            )
            if self.pods.get(pod.key) is not pod:
                return found  # a pod the caller made up: not remembered
            self._selecting[key] = found
        return self._selecting[key]

    def decide(
        self,
        source: Endpoint,
        destination: Endpoint,
        port: int,
        protocol: Protocol = Protocol.TCP,
        *,
        service_port: int | None = None,
        service_ip: str | None = None,
    ) -> Verdict:
        """Whether a new connection is allowed.

        :param port: the destination's own (pod) port.
        :param service_port: the Service's port the client used, if any: explains a rule that lists it, and tells a pod's
            own address from its own Service.
        :param service_ip: the Service's cluster address the client used, if any. Given, a denial by egress rules one of which
            lists that address becomes undefined, as the specification has it; without it the answer is kindnet's.
        """
        itself = isinstance(source, Pod) and isinstance(destination, Pod) and source.key == destination.key
        if itself and service_port is None:
            open_ = [
                DirectionVerdict(d, source.key, True, False, note="a pod always reaches itself")
                for d in (Direction.EGRESS, Direction.INGRESS)
            ]
            reason = f"{source.key} reaches itself: policies never apply."
            return Verdict(source.key, destination.key, port, protocol, True, open_[0], open_[1], reason)
        egress = self._side(Direction.EGRESS, source, destination, destination, port, protocol, service_port)
        ingress = self._side(Direction.INGRESS, destination, source, destination, port, protocol, service_port)
        if itself:
            egress, ingress = _left_open(egress, _HAIRPIN), _left_open(ingress, _HAIRPIN)
        elif service_ip is not None and egress.allowed is False:
            seen = External(service_ip)
            ports = {port, service_port or port}
            if any(self._hit(Direction.EGRESS, source, seen, destination, p, protocol) for p in ports):
                egress = _left_open(egress, _CLUSTER_IP)
        egress, ingress = explain.one_side(egress, ingress)
        sides = (egress.allowed, ingress.allowed)
        allowed = False if False in sides else None if None in sides else True
        reason = explain.sentence(source, destination, port, protocol, allowed, egress, ingress)
        return Verdict(source.key, destination.key, port, protocol, allowed, egress, ingress, reason)

    def _side(
        self,
        direction: Direction,
        own: Endpoint,
        far: Endpoint,
        destination: Endpoint,
        port: int,
        protocol: Protocol,
        service_port: int | None,
    ) -> DirectionVerdict:
        """One side's verdict on the pod ``own``, talking to ``far``."""
        if not isinstance(own, Pod):
            return DirectionVerdict(direction, own.key, True, False, note="no policy selects what is not a pod")
        policies = self.selecting(own, direction)
        names = tuple(p.key for p in policies)
        if not policies:
            return DirectionVerdict(direction, own.key, True, False)
        if own.host_network:  # open where it is ignored; open where it is told apart and a rule allows it
            told = self._hit(direction, own, far, destination, port, protocol, told_apart=True)
            if told is not None or (direction is Direction.INGRESS and _is_own_node(far, own)):
                return DirectionVerdict(direction, own.key, True, False, allowed_by=told)
            return DirectionVerdict(direction, own.key, None, False, note=_HOST)
        if direction is Direction.INGRESS and _is_own_node(far, own):
            return DirectionVerdict(direction, own.key, True, True, names, note=_OWN_NODE)
        ref = self._hit(direction, own, far, destination, port, protocol)
        if ref is not None:
            return DirectionVerdict(direction, own.key, True, True, names, ref)
        if (
            isinstance(far, Pod)
            and far.host_network
            and self._hit(direction, own, far, destination, port, protocol, told_apart=True) is not None
        ):
            return DirectionVerdict(direction, own.key, None, True, names, note=_HOST)
        if direction is Direction.EGRESS and _is_own_node(far, own):
            return DirectionVerdict(direction, own.key, None, True, names, note=_TO_NODE)
        misses = explain.near_misses(
            policies, direction, far, destination, port, protocol, self.namespaces, service_port
        )
        return DirectionVerdict(direction, own.key, False, True, names, near_misses=misses)

    def _hit(
        self,
        direction: Direction,
        own: Endpoint,
        far: Endpoint,
        destination: Endpoint,
        port: int,
        protocol: Protocol,
        *,
        told_apart: bool = False,
    ) -> RuleRef | None:
        """The first rule of the policies that select ``own`` which lets the connection through."""
        if not isinstance(own, Pod):
            return None
        for policy in self.selecting(own, direction):
            for index, rule in enumerate(policy.rules(direction) or ()):
                hit = self._match(rule, policy, far, destination, port, protocol, told_apart)
                if hit is not None:
                    return RuleRef(policy.key, direction, index, *hit)
        return None

    def _match(
        self,
        rule: Rule,
        policy: Policy,
        far: Endpoint,
        destination: Endpoint,
        port: int,
        protocol: Protocol,
        told_apart: bool,
    ) -> tuple[int | None, int | None] | None:
        """(peer index, port index) that let the connection through, or None."""
        peer: int | None = None
        if rule.peers:
            spaces, home = self.namespaces, policy.namespace
            found = (i for i, p in enumerate(rule.peers) if p.matches(far, home, spaces, told_apart=told_apart))
            peer = next(found, -1)
        where: int | None = None
        if rule.ports:
            where = next((i for i, p in enumerate(rule.ports) if p.matches(destination, port, protocol)), -1)
        return None if peer == -1 or where == -1 else (peer, where)


def _left_open(side: DirectionVerdict, note: str) -> DirectionVerdict:
    """A denial the specification does not settle."""
    return replace(side, allowed=None, note=note) if side.allowed is False else side


def _is_own_node(far: Endpoint, pod: Pod) -> bool:
    if isinstance(far, External):
        return (bool(far.node) and far.node == pod.node) or far.ip in pod.node_ips
    return far.host_network and bool(pod.node) and far.node == pod.node

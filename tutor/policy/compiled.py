"""A NetworkPolicy object, parsed once into the form the engine evaluates."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tutor.policy.model import Direction, Endpoint, Pod, Protocol
from tutor.policy.selectors import Selector

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Peer:
    """One entry of ``from`` or ``to``. Selectors are ANDed; ``namespaces`` None means the policy's own namespace."""

    pods: Selector | None = None
    namespaces: Selector | None = None
    block: Network | None = None
    excluded: tuple[Network, ...] = ()

    def matches(
        self,
        endpoint: Endpoint,
        namespace: str,
        labels_of: Mapping[str, Mapping[str, str]],
        *,
        told_apart: bool = False,
    ) -> bool:
        """Whether the far end of a connection is this peer.

        :param namespace: the policy's namespace.
        :param labels_of: labels of every namespace.
        :param told_apart: whether selectors match pods on the host network too: one of the two models the specification permits.
        """
        if self.block is not None:
            ips = endpoint.ips if isinstance(endpoint, Pod) else (endpoint.ip,)
            return any(self.covers(ip) for ip in ips)
        if not isinstance(endpoint, Pod) or (endpoint.host_network and not told_apart):
            return False
        if self.namespaces is None:
            if endpoint.namespace != namespace:
                return False
        elif not self.namespaces.matches(labels_of.get(endpoint.namespace, {})):
            return False
        return self.pods is None or self.pods.matches(endpoint.labels)

    def covers(self, ip: str) -> bool:
        """Whether the block holds this address (a block of one family never holds the other's)."""
        address = ipaddress.ip_address(ip)
        if self.block is None or address.version != self.block.version or address not in self.block:
            return False
        return not any(address.version == e.version and address in e for e in self.excluded)


@dataclass(frozen=True)
class PortRule:
    """One entry of ``ports``. ``port`` None is every port of the protocol; a name resolves on the destination pod."""

    protocol: Protocol | None
    port: int | str | None = None
    end_port: int | None = None
    written: bool = True
    """Whether the protocol was written, or TCP by default."""

    def matches(self, destination: Endpoint, port: int, protocol: Protocol) -> bool:
        """Whether a connection to ``port`` of ``destination`` is covered."""
        if protocol is not self.protocol:
            return False
        if self.port is None:
            return True
        if isinstance(self.port, str):
            return isinstance(destination, Pod) and any(
                p.name == self.port and p.protocol is protocol and p.port == port for p in destination.ports
            )
        return self.port <= port <= (self.end_port or self.port)

    def __str__(self) -> str:
        where = "any port" if self.port is None else str(self.port)
        return f"{self.protocol} {where}" + (f"-{self.end_port}" if self.end_port else "")


@dataclass(frozen=True)
class Rule:
    """Peers AND ports; an absent or empty list means any."""

    peers: tuple[Peer, ...] = ()
    ports: tuple[PortRule, ...] = ()


@dataclass(frozen=True)
class Policy:
    """A policy ready to evaluate."""

    namespace: str
    name: str
    selector: Selector
    ingress: tuple[Rule, ...] | None
    """None: the policy says nothing about this direction."""
    egress: tuple[Rule, ...] | None

    @property
    def key(self) -> str:
        """``namespace/name``."""
        return f"{self.namespace}/{self.name}"

    def rules(self, direction: Direction) -> tuple[Rule, ...] | None:
        """The rules of one direction, or None where the policy does not isolate it."""
        return self.ingress if direction is Direction.INGRESS else self.egress


def compile_policy(obj: Mapping[str, Any]) -> Policy:
    """From a NetworkPolicy as JSON.

    policyTypes absent means Ingress, and Egress too when there is at least one egress rule
    (networking.k8s.io/v1, NetworkPolicySpec.policyTypes).
    """
    meta, spec = obj.get("metadata") or {}, obj.get("spec") or {}
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    return Policy(
        namespace=str(meta.get("namespace") or "default"),
        name=str(meta.get("name") or ""),
        selector=Selector.parse(spec.get("podSelector")),
        ingress=_rules(spec.get("ingress"), "from") if "Ingress" in types else None,
        egress=_rules(spec.get("egress"), "to") if "Egress" in types else None,
    )


def _rules(rules: Any, side: str) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            tuple(_peer(p or {}) for p in (r or {}).get(side) or []),
            tuple(_port(p or {}) for p in (r or {}).get("ports") or []),
        )
        for r in rules or []
    )


def _peer(peer: Mapping[str, Any]) -> Peer:
    block = peer.get("ipBlock")
    if block is not None:
        excluded = tuple(ipaddress.ip_network(e, strict=False) for e in block.get("except") or [])
        return Peer(block=ipaddress.ip_network(block["cidr"], strict=False), excluded=excluded)
    pods, namespaces = peer.get("podSelector"), peer.get("namespaceSelector")
    return Peer(
        pods=Selector.parse(pods) if pods is not None else None,
        namespaces=Selector.parse(namespaces) if namespaces is not None else None,
    )


def _port(port: Mapping[str, Any]) -> PortRule:
    name = str(port.get("protocol") or "TCP")
    return PortRule(
        Protocol(name) if name in Protocol.__members__ else None,
        port.get("port"),
        port.get("endPort"),
        "protocol" in port,
    )

"""What the engine is asked about and what it answers. Plain frozen values; nothing here decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Direction(StrEnum):
    """The two sides of a connection a policy may isolate."""

    INGRESS = "Ingress"
    EGRESS = "Egress"


class Protocol(StrEnum):
    """Transport protocols of NetworkPolicy v1."""

    TCP = "TCP"
    UDP = "UDP"
    SCTP = "SCTP"


@dataclass(frozen=True)
class ContainerPort:
    """A named or numbered port a pod declares; rules with a port name resolve against these."""

    name: str
    port: int
    protocol: Protocol = Protocol.TCP


@dataclass(frozen=True)
class Pod:
    """A pod as the network sees it. ``node_ips`` are the addresses of the node it runs on."""

    namespace: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    ips: tuple[str, ...] = ()
    ports: tuple[ContainerPort, ...] = ()
    node: str = ""
    node_ips: tuple[str, ...] = ()
    host_network: bool = False

    @property
    def key(self) -> str:
        """``namespace/name``."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True)
class External:
    """An address that is no pod's: outside the cluster, or a node (``node`` names it)."""

    ip: str
    node: str = ""

    @property
    def key(self) -> str:
        """How explanations name it."""
        return f"node {self.node}" if self.node else self.ip


Endpoint = Pod | External


@dataclass(frozen=True)
class RuleRef:
    """The place in a policy that allowed a connection. Indexes count from 0; ``None``: the list is absent and means any."""

    policy: str
    direction: Direction
    rule: int
    peer: int | None
    port: int | None

    def __str__(self) -> str:
        return f"{self.policy} {self.direction.lower()} rule {self.rule + 1}"


@dataclass(frozen=True)
class NearMiss:
    """A rule that did not match, and why.

    :param code: stable name of the reason: ``protocol``, ``port``, ``service-port``, ``namespace-label``, ``pod-label``,
        ``other-namespace``, ``and-or``, ``ip-block``, ``no-rule``, ``one-side`` (the rule named opened the other side only).
    :param distance: how far the rule is from matching; 1 is one mistake away.
    """

    policy: str
    rule: int
    why: str
    code: str
    distance: int = 1


@dataclass(frozen=True)
class DirectionVerdict:
    """One side's decision. ``allowed`` is ``None`` where the specification leaves it open."""

    direction: Direction
    endpoint: str
    allowed: bool | None
    isolated: bool
    selected_by: tuple[str, ...] = ()
    allowed_by: RuleRef | None = None
    near_misses: tuple[NearMiss, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Verdict:
    """The decision on one new connection: both sides must allow it."""

    source: str
    destination: str
    port: int
    protocol: Protocol
    allowed: bool | None
    egress: DirectionVerdict
    ingress: DirectionVerdict
    reason: str

"""One flow asked in words: ``shop/web`` to ``svc:kube-system/kube-dns`` on ``53/UDP``."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tutor.errors import InvalidInput
from tutor.policy.explain import tree
from tutor.policy.load import Loaded
from tutor.policy.model import Endpoint, External, Pod, Protocol, Verdict


def eval_flow(loaded: Loaded, source: str, destination: str, port: str) -> Verdict:
    """The verdict on one flow.

    :param source: ``ns/pod``, ``ip:ADDRESS`` or ``node:NAME``.
    :param destination: the same, or ``svc:ns/name`` (its first ready backend, after translation).
    :param port: ``NUMBER`` or ``NUMBER/PROTOCOL``.
    :raises InvalidInput: a word names nothing; the message lists what there is.
    """
    number, protocol = parse_port(port)
    if destination.startswith("svc:"):
        return _through_service(loaded, source, destination[4:], number, protocol)
    if destination.startswith("ip:"):  # a cluster address is translated like the Service's name
        owner = next((k for k, s in loaded.services.items() if cluster_ip(s) == destination[3:]), None)
        if owner is not None:
            return _through_service(loaded, source, owner, number, protocol)
    return loaded.cluster.decide(endpoint(loaded, source), endpoint(loaded, destination), number, protocol)


def _through_service(loaded: Loaded, source: str, key: str, port: int, protocol: Protocol) -> Verdict:
    pod, pod_port = _behind(loaded, key, port, protocol)
    ip = cluster_ip(loaded.services[key])
    return loaded.cluster.decide(endpoint(loaded, source), pod, pod_port, protocol, service_port=port, service_ip=ip)


def cluster_ip(service: Mapping[str, Any]) -> str | None:
    """The cluster address of a Service; None for a headless one, or when the manifest has none yet."""
    ip = (service.get("spec") or {}).get("clusterIP")
    return ip if ip and ip != "None" else None


def parse_port(text: str) -> tuple[int, Protocol]:
    """``53/UDP`` or ``8080`` (TCP).

    :raises InvalidInput: it is neither.
    """
    number, _, protocol = text.partition("/")
    name = (protocol or "TCP").upper()
    if not number.isdigit() or not 1 <= int(number) <= 65535 or name not in Protocol.__members__:
        raise InvalidInput(
            f'"{text}" is no port.', cure="Write a number from 1 to 65535, and /UDP or /SCTP when it is not TCP."
        )
    return int(number), Protocol(name)


def endpoint(loaded: Loaded, word: str) -> Endpoint:
    """A pod, an address or a node by its word.

    :raises InvalidInput: it names nothing.
    """
    if word.startswith("ip:"):
        try:
            address = str(ipaddress.ip_address(word[3:]))
        except ValueError as e:
            raise InvalidInput(f'"{word[3:]}" is no IP address.') from e
        return next(
            (p for p in loaded.cluster.pods.values() if address in p.ips and not p.host_network), External(address)
        )
    if word.startswith("node:"):
        addresses = loaded.nodes.get(word[5:])
        if not addresses:
            raise InvalidInput(
                f"There is no node {word[5:]}.", cure="There are: " + (", ".join(sorted(loaded.nodes)) or "none") + "."
            )
        return External(addresses[0], word[5:])
    pod = loaded.cluster.pods.get(word)
    if pod is None:
        found = sorted(p for p in loaded.cluster.pods if p.startswith(word))
        if len(found) == 1:
            return loaded.cluster.pods[found[0]]
        known = ", ".join(found or sorted(loaded.cluster.pods)[:10]) or "none"
        raise InvalidInput(
            f'There is no pod "{word}".', cure=f"Pods: {known}. Also: svc:ns/name, ip:ADDRESS, node:NAME."
        )
    return pod


def _behind(loaded: Loaded, key: str, port: int, protocol: Protocol) -> tuple[Pod, int]:
    """The pod behind a service and its own port."""
    service = loaded.services.get(key)
    if service is None:
        raise InvalidInput(
            f"There is no Service {key}.", cure="There are: " + (", ".join(sorted(loaded.services)) or "none") + "."
        )
    spec = service.get("spec") or {}
    entry = next(
        (p for p in spec.get("ports") or [] if p.get("port") == port and (p.get("protocol") or "TCP") == protocol), None
    )
    if entry is None:
        listed = ", ".join(f"{p.get('port')}/{p.get('protocol') or 'TCP'}" for p in spec.get("ports") or []) or "none"
        raise InvalidInput(f"The Service {key} has no port {port}/{protocol}.", cure=f"It has: {listed}.")
    namespace = key.partition("/")[0]
    selector = {str(k): str(v) for k, v in (spec.get("selector") or {}).items()}
    pods = [
        p
        for p in loaded.cluster.pods.values()
        if selector and p.namespace == namespace and selector.items() <= dict(p.labels).items()
    ]
    if not pods:
        raise InvalidInput(f"The Service {key} has no pod behind it.")
    target = entry.get("targetPort", port)
    if isinstance(target, int):
        return pods[0], target
    for pod in pods:
        for declared in pod.ports:
            if (declared.name, declared.protocol) == (target, protocol):
                return pod, declared.port
    raise InvalidInput(f'No pod behind the Service {key} declares the port "{target}".')


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """A verdict for programs; ``allowed`` is null where the specification leaves it open."""
    return {
        "from": verdict.source,
        "to": verdict.destination,
        "port": verdict.port,
        "protocol": verdict.protocol.value,
        "allowed": verdict.allowed,
        "egress": asdict(verdict.egress),
        "ingress": asdict(verdict.ingress),
        "reason": verdict.reason,
        "explanation": list(tree(verdict)),
    }

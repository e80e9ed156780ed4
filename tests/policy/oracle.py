"""A second, slow opinion on NetworkPolicy: straight from the API text, on raw JSON, sharing no code with the engine.

Covers pods of the pod network and outside addresses; host network, nodes and Services have cases of their own.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def selects(selector: Json, labels: dict[str, str]) -> bool:
    wanted = [(k, "In", [v]) for k, v in (selector.get("matchLabels") or {}).items()]
    wanted += [(e["key"], e["operator"], e.get("values") or []) for e in selector.get("matchExpressions") or []]
    for key, operator, values in wanted:
        value = labels.get(key)
        holds = {
            "In": value is not None and value in values,
            "NotIn": value is None or value not in values,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }[operator]
        if not holds:
            return False
    return True


def bits(address: str) -> str:
    """An IPv4 address as 32 characters, an IPv6 one (eight full groups) as 128."""
    if ":" in address:
        return "".join(f"{int(g, 16):016b}" for g in address.split(":"))
    return "".join(f"{int(b):08b}" for b in address.split("."))


def inside(address: str, cidr: str) -> bool:
    network, length = cidr.split("/")
    a, n = bits(address), bits(network)
    return len(a) == len(n) and a[: int(length)] == n[: int(length)]


def types_of(spec: Json) -> set[str]:
    if spec.get("policyTypes"):
        return set(spec["policyTypes"])
    return {"Ingress", "Egress"} if spec.get("egress") else {"Ingress"}


def peer_matches(peer: Json, far: Json, home: str, namespaces: dict[str, dict[str, str]]) -> bool:
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        return any(
            inside(ip, block["cidr"]) and not any(inside(ip, e) for e in block.get("except") or []) for ip in far["ips"]
        )
    if "namespace" not in far:
        return False
    if "namespaceSelector" in peer:
        if not selects(peer["namespaceSelector"], namespaces[far["namespace"]]):
            return False
    elif far["namespace"] != home:
        return False
    return "podSelector" not in peer or selects(peer["podSelector"], far["labels"])


def port_matches(entry: Json, destination: Json, port: int, protocol: str) -> bool:
    if entry.get("protocol", "TCP") != protocol:
        return False
    wanted = entry.get("port")
    if wanted is None:
        return True
    if isinstance(wanted, str):
        return (wanted, port, protocol) in destination.get("ports", [])
    return port in range(wanted, entry.get("endPort", wanted) + 1)


def side_allows(kind: str, own: Json, far: Json, destination: Json, port: int, protocol: str, world: Json) -> bool:
    if "namespace" not in own:
        return True
    selecting = [
        p
        for p in world["policies"]
        if p["metadata"]["namespace"] == own["namespace"]
        and kind in types_of(p["spec"])
        and selects(p["spec"].get("podSelector") or {}, own["labels"])
    ]
    if not selecting:
        return True
    section, side = ("ingress", "from") if kind == "Ingress" else ("egress", "to")
    for p in selecting:
        for rule in p["spec"].get(section) or []:
            peers, ports = rule.get(side) or [], rule.get("ports") or []
            home = p["metadata"]["namespace"]
            if peers and not any(peer_matches(x, far, home, world["namespaces"]) for x in peers):
                continue
            if ports and not any(port_matches(x, destination, port, protocol) for x in ports):
                continue
            return True
    return False


def allows(source: Json, destination: Json, port: int, protocol: str, world: Json) -> bool:
    """Whether a new connection passes both sides."""
    if source is destination:
        return True
    return side_allows("Egress", source, destination, destination, port, protocol, world) and side_allows(
        "Ingress", destination, source, destination, port, protocol, world
    )

"""Field validation of a NetworkPolicy, with the API server's own messages.

Rules and wording follow ``ValidateNetworkPolicy`` and ``ValidateLabelSelector`` of Kubernetes: a learner who meets a message
here meets the same one on a real cluster.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_NAME = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_PART = re.compile(rf"{_NAME}\Z")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_QUALIFIED = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_PREFIX = (
    "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


@dataclass(frozen=True)
class FieldError:
    """One error of one field.

    :param type: ``Required value``, ``Invalid value``, ``Unsupported value`` or ``Forbidden``.
    :param message: the whole text as the API server prints it, beginning with the path.
    """

    path: str
    type: str
    message: str


def _error(path: str, kind: str, value: Any, detail: str) -> FieldError:
    if kind in ("Required value", "Forbidden"):
        return FieldError(path, kind, f"{path}: {kind}: {detail}" if detail else f"{path}: {kind}")
    shown = f'"{value}"' if isinstance(value, str) else "null" if value is None else str(value)
    return FieldError(path, kind, f"{path}: {kind}: {shown}: {detail}")


def validate(policy: Mapping[str, Any]) -> list[FieldError]:
    """Every field error of a NetworkPolicy's spec, in the order of its fields; empty when it is valid."""
    spec = policy.get("spec") or {}
    errors = list(_selector(spec.get("podSelector"), "spec.podSelector"))
    for side, peers in (("ingress", "from"), ("egress", "to")):
        for i, rule in enumerate(spec.get(side) or []):
            rule = rule or {}
            for j, port in enumerate(rule.get("ports") or []):
                errors += _port(port or {}, f"spec.{side}[{i}].ports[{j}]")
            for j, peer in enumerate(rule.get(peers) or []):
                errors += _peer(peer or {}, f"spec.{side}[{i}].{peers}[{j}]")
    types = spec.get("policyTypes") or []
    if len(types) > 2:
        errors.append(
            _error("spec.policyTypes", "Invalid value", str(types), "may not specify more than two policyTypes")
        )
        return errors
    for i, kind in enumerate(types):
        if kind not in ("Ingress", "Egress"):
            errors.append(_unsupported(f"spec.policyTypes[{i}]", kind, ("Egress", "Ingress")))
    return errors


def _unsupported(path: str, value: Any, supported: tuple[str, ...]) -> FieldError:
    return _error(path, "Unsupported value", value, "supported values: " + ", ".join(f'"{s}"' for s in supported))


def _port(port: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    protocol = port.get("protocol")
    if protocol is not None and protocol not in ("TCP", "UDP", "SCTP"):
        yield _unsupported(f"{path}.protocol", protocol, ("TCP", "UDP", "SCTP"))
    number, end = port.get("port"), port.get("endPort")
    if number is None:
        if end is not None:
            yield _error(f"{path}.endPort", "Invalid value", end, "may not be specified when `port` is not specified")
        return
    if isinstance(number, str):
        if end is not None:
            yield _error(f"{path}.endPort", "Invalid value", end, "may not be specified when `port` is non-numeric")
        for detail in _port_name(number):
            yield _error(f"{path}.port", "Invalid value", number, detail)
        return
    if not 1 <= number <= 65535:
        yield _error(f"{path}.port", "Invalid value", number, "must be between 1 and 65535, inclusive")
    if end is not None:
        if end < number:
            yield _error(f"{path}.endPort", "Invalid value", end, "must be greater than or equal to `port`")
        if not 1 <= end <= 65535:
            yield _error(f"{path}.endPort", "Invalid value", end, "must be between 1 and 65535, inclusive")


def _port_name(name: str) -> Iterator[str]:
    """IANA service names (IsValidPortName)."""
    if len(name) > 15:
        yield "must be no more than 15 bytes"
    if not re.match(r"[-a-z0-9]+\Z", name):
        yield "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
    if not re.search(r"[a-z]", name):
        yield "must contain at least one letter (a-z)"
    if "--" in name:
        yield "must not contain consecutive hyphens"
    if name.startswith("-") or name.endswith("-"):
        yield "must not begin or end with a hyphen"


def _peer(peer: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    pods, namespaces, block = peer.get("podSelector"), peer.get("namespaceSelector"), peer.get("ipBlock")
    if pods is not None:
        yield from _selector(pods, f"{path}.podSelector")
    if namespaces is not None:
        yield from _selector(namespaces, f"{path}.namespaceSelector")
    if block is not None:
        yield from _block(block, f"{path}.ipBlock")
    if block is not None and (pods is not None or namespaces is not None):
        yield _error(path, "Forbidden", None, "may not specify both ipBlock and another peer")
    if pods is None and namespaces is None and block is None:
        yield _error(path, "Required value", None, "must specify a peer")


def _block(block: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    cidr = block.get("cidr") or ""
    if not cidr:
        yield _error(f"{path}.cidr", "Required value", None, "")
        return
    network = _cidr(cidr)
    if network is None:
        detail = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
        yield _error(f"{path}.cidr", "Invalid value", cidr, detail)
        return
    for i, text in enumerate(block.get("except") or []):
        where = f"{path}.except[{i}]"
        inner = _cidr(text)
        if inner is None:
            yield _error(
                where, "Invalid value", text, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
            )
        elif inner.version != network.version or not _strictly_inside(inner, network):
            yield _error(where, "Invalid value", text, "must be a strict subset of `cidr`")


def _strictly_inside(inner: Any, outer: Any) -> bool:
    return bool(inner.subnet_of(outer) and inner.prefixlen > outer.prefixlen)


def _cidr(text: Any) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    if not isinstance(text, str) or not re.match(r"[0-9a-fA-F.:]+/\d{1,3}\Z", text):
        return None
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _selector(selector: Mapping[str, Any] | None, path: str) -> Iterator[FieldError]:
    """ValidateLabelSelector."""
    s = selector or {}
    for key, value in (s.get("matchLabels") or {}).items():
        yield from _key(key, f"{path}.matchLabels")
        yield from _value(value, f"{path}.matchLabels")
    for i, e in enumerate(s.get("matchExpressions") or []):
        e = e or {}
        where = f"{path}.matchExpressions[{i}]"
        operator, values = e.get("operator"), e.get("values") or []
        if operator in ("In", "NotIn"):
            if not values:
                yield _error(
                    f"{where}.values", "Required value", None, "must be specified when `operator` is 'In' or 'NotIn'"
                )
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                yield _error(f"{where}.values", "Forbidden", None, detail)
        else:
            yield _error(f"{where}.operator", "Invalid value", operator or "", "not a valid selector operator")
        yield from _key(e.get("key") or "", f"{where}.key")
        for j, value in enumerate(values):
            yield from _value(value, f"{where}.values[{j}]")


def _key(key: str, path: str) -> Iterator[FieldError]:
    """IsQualifiedName."""
    prefix, slash, name = key.rpartition("/")
    if slash and (not prefix or len(prefix) > 253 or not _SUBDOMAIN.match(prefix)):
        yield _error(path, "Invalid value", key, "prefix part must be non-empty" if not prefix else _PREFIX)
    if not name:
        yield _error(path, "Invalid value", key, "name part must be non-empty")
    elif len(name) > 63:
        yield _error(path, "Invalid value", key, "name part must be no more than 63 bytes")
    if not _LABEL_PART.match(name):
        yield _error(path, "Invalid value", key, _QUALIFIED)


def _value(value: Any, path: str) -> Iterator[FieldError]:
    """IsValidLabelValue."""
    text = str(value)
    if len(text) > 63:
        yield _error(path, "Invalid value", text, "must be no more than 63 bytes")
    if text and not _LABEL_PART.match(text):
        yield _error(path, "Invalid value", text, _VALUE)


def label_errors(labels: Mapping[str, Any], path: str) -> list[FieldError]:
    """Field errors of a map of labels (ValidateLabels)."""
    return [e for k, v in labels.items() for e in (*_key(str(k), path), *_value(v, path))]


def label_selector_errors(selector: Mapping[str, Any], path: str) -> list[FieldError]:
    """Field errors of a LabelSelector (ValidateLabelSelector)."""
    return list(_selector(selector, path))

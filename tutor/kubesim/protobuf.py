"""Decodes the protobuf bodies kubectl and client-go send: there is no way to make them send JSON instead.

The tables name the fields of Kubernetes' generated messages that clients set when they create our kinds.
Answers are always JSON, which every client accepts.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from tutor.kubesim.status import ApiError

MAGIC = b"k8s\x00"

# A field: (JSON name, type). Types: "s" string, "i" integer, "b" bool, "y" bytes, "q" quantity, "t" time, "o" IntOrString,
# "M" a message of that name; "[]" before it: repeated; "{s" and "{y": a map from string to string or bytes.
_FIELDS: dict[str, dict[int, tuple[str, str]]] = {
    "ObjectMeta": {
        1: ("name", "s"), 2: ("generateName", "s"), 3: ("namespace", "s"), 5: ("uid", "s"), 6: ("resourceVersion", "s"),
        7: ("generation", "i"), 11: ("labels", "{s"), 12: ("annotations", "{s"), 13: ("ownerReferences", "[]OwnerReference"),
        14: ("finalizers", "[]s"),
    },
    "OwnerReference": {
        1: ("kind", "s"), 3: ("name", "s"), 4: ("uid", "s"), 5: ("apiVersion", "s"), 6: ("controller", "b"),
        7: ("blockOwnerDeletion", "b"),
    },
    "LabelSelector": {1: ("matchLabels", "{s"), 2: ("matchExpressions", "[]LabelSelectorRequirement")},
    "LabelSelectorRequirement": {1: ("key", "s"), 2: ("operator", "s"), 3: ("values", "[]s")},
    "Namespace": {1: ("metadata", "ObjectMeta"), 2: ("spec", "NamespaceSpec")},
    "NamespaceSpec": {1: ("finalizers", "[]s")},
    "ConfigMap": {1: ("metadata", "ObjectMeta"), 2: ("data", "{s"), 3: ("binaryData", "{y"), 4: ("immutable", "b")},
    "Secret": {1: ("metadata", "ObjectMeta"), 2: ("data", "{y"), 3: ("type", "s"), 4: ("stringData", "{s")},
    "ServiceAccount": {1: ("metadata", "ObjectMeta")},
    "Service": {1: ("metadata", "ObjectMeta"), 2: ("spec", "ServiceSpec")},
    "ServiceSpec": {
        1: ("ports", "[]ServicePort"), 2: ("selector", "{s"), 3: ("clusterIP", "s"), 4: ("type", "s"), 5: ("externalIPs", "[]s"),
        7: ("sessionAffinity", "s"), 10: ("externalName", "s"), 11: ("externalTrafficPolicy", "s"),
    },
    "ServicePort": {1: ("name", "s"), 2: ("protocol", "s"), 3: ("port", "i"), 4: ("targetPort", "o"), 5: ("nodePort", "i")},
    "Deployment": {1: ("metadata", "ObjectMeta"), 2: ("spec", "DeploymentSpec")},
    "DeploymentSpec": {
        1: ("replicas", "i"), 2: ("selector", "LabelSelector"), 3: ("template", "PodTemplateSpec"), 4: ("strategy", "DeploymentStrategy"),
        5: ("minReadySeconds", "i"), 6: ("revisionHistoryLimit", "i"), 7: ("paused", "b"), 9: ("progressDeadlineSeconds", "i"),
    },
    "DeploymentStrategy": {1: ("type", "s")},
    "ReplicaSet": {1: ("metadata", "ObjectMeta"), 2: ("spec", "ReplicaSetSpec")},
    "ReplicaSetSpec": {1: ("replicas", "i"), 2: ("selector", "LabelSelector"), 3: ("template", "PodTemplateSpec")},
    "PodTemplateSpec": {1: ("metadata", "ObjectMeta"), 2: ("spec", "PodSpec")},
    "Pod": {1: ("metadata", "ObjectMeta"), 2: ("spec", "PodSpec")},
    "PodSpec": {
        1: ("volumes", "[]Volume"), 2: ("containers", "[]Container"), 3: ("restartPolicy", "s"), 4: ("terminationGracePeriodSeconds", "i"),
        5: ("activeDeadlineSeconds", "i"), 6: ("dnsPolicy", "s"), 7: ("nodeSelector", "{s"), 8: ("serviceAccountName", "s"),
        9: ("serviceAccount", "s"), 10: ("nodeName", "s"), 11: ("hostNetwork", "b"), 12: ("hostPID", "b"), 16: ("hostname", "s"),
        19: ("schedulerName", "s"), 20: ("initContainers", "[]Container"), 21: ("automountServiceAccountToken", "b"),
    },
    "Volume": {1: ("name", "s"), 2: ("", "VolumeSource")},
    "VolumeSource": {2: ("emptyDir", "Empty"), 6: ("secret", "SecretVolume"), 19: ("configMap", "ConfigMapVolume")},
    "Empty": {},
    "SecretVolume": {1: ("secretName", "s")},
    "ConfigMapVolume": {1: ("", "LocalObject"), 2: ("items", "[]KeyToPath"), 3: ("defaultMode", "i")},
    "LocalObject": {1: ("name", "s")},
    "KeyToPath": {1: ("key", "s"), 2: ("path", "s"), 3: ("mode", "i")},
    "Container": {
        1: ("name", "s"), 2: ("image", "s"), 3: ("command", "[]s"), 4: ("args", "[]s"), 5: ("workingDir", "s"),
        6: ("ports", "[]ContainerPort"), 7: ("env", "[]EnvVar"), 8: ("resources", "Resources"), 9: ("volumeMounts", "[]VolumeMount"),
        13: ("terminationMessagePath", "s"), 14: ("imagePullPolicy", "s"), 15: ("securityContext", "SecurityContext"),
        16: ("stdin", "b"), 17: ("stdinOnce", "b"), 18: ("tty", "b"), 20: ("terminationMessagePolicy", "s"),
    },
    "ContainerPort": {1: ("name", "s"), 2: ("hostPort", "i"), 3: ("containerPort", "i"), 4: ("protocol", "s"), 5: ("hostIP", "s")},
    "EnvVar": {1: ("name", "s"), 2: ("value", "s")},
    "VolumeMount": {1: ("name", "s"), 2: ("readOnly", "b"), 3: ("mountPath", "s"), 4: ("subPath", "s")},
    "Resources": {1: ("limits", "{q"), 2: ("requests", "{q")},
    "SecurityContext": {2: ("privileged", "b"), 4: ("runAsUser", "i"), 5: ("runAsNonRoot", "b")},
    "NetworkPolicy": {1: ("metadata", "ObjectMeta"), 2: ("spec", "NetworkPolicySpec")},
    "NetworkPolicySpec": {
        1: ("podSelector", "LabelSelector"), 2: ("ingress", "[]IngressRule"), 3: ("egress", "[]EgressRule"), 4: ("policyTypes", "[]s"),
    },
    "IngressRule": {1: ("ports", "[]PolicyPort"), 2: ("from", "[]Peer")},
    "EgressRule": {1: ("ports", "[]PolicyPort"), 2: ("to", "[]Peer")},
    "PolicyPort": {1: ("protocol", "s"), 2: ("port", "o"), 3: ("endPort", "i")},
    "Peer": {1: ("podSelector", "LabelSelector"), 2: ("namespaceSelector", "LabelSelector"), 3: ("ipBlock", "IpBlock")},
    "IpBlock": {1: ("cidr", "s"), 2: ("except", "[]s")},
    "TokenRequest": {1: ("metadata", "ObjectMeta"), 2: ("spec", "TokenRequestSpec")},
    "TokenRequestSpec": {1: ("audiences", "[]s"), 4: ("expirationSeconds", "i")},
    "SelfSubjectAccessReview": {1: ("metadata", "ObjectMeta"), 2: ("spec", "AccessSpec")},
    "AccessSpec": {1: ("resourceAttributes", "ResourceAttributes"), 2: ("nonResourceAttributes", "PathAttributes")},
    "ResourceAttributes": {
        1: ("namespace", "s"), 2: ("verb", "s"), 3: ("group", "s"), 4: ("version", "s"), 5: ("resource", "s"), 6: ("subresource", "s"),
        7: ("name", "s"),
    },
    "PathAttributes": {1: ("path", "s"), 2: ("verb", "s")},
    "SelfSubjectRulesReview": {1: ("metadata", "ObjectMeta"), 2: ("spec", "RulesSpec")},
    "RulesSpec": {1: ("namespace", "s")},
    "SelfSubjectReview": {1: ("metadata", "ObjectMeta")},
    "DeleteOptions": {1: ("gracePeriodSeconds", "i"), 4: ("propagationPolicy", "s"), 5: ("dryRun", "[]s")},
}  # fmt: skip


def decode(body: bytes) -> dict[str, Any]:
    """An object from a ``application/vnd.kubernetes.protobuf`` body.

    :raises ApiError: 400 when it is no such body, or holds a kind this server does not know.
    """
    if not body.startswith(MAGIC):
        raise ApiError(400, "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    try:
        outer = dict(_wire(body[4:]))
        head = dict(_wire(outer[1]))
        api_version, kind = head[1].decode(), head[2].decode()
        if kind not in _FIELDS:
            raise ApiError(400, f'no kind "{kind}" is registered for version "{api_version}"')
        return {"apiVersion": api_version, "kind": kind} | _message(kind, outer.get(2, b""))
    except (KeyError, IndexError, struct.error, UnicodeDecodeError, AttributeError, TypeError, ValueError) as e:
        raise ApiError(400, "the body of the request is not a whole protobuf message") from e


def _wire(data: bytes) -> Iterator[tuple[int, Any]]:
    """(field number, raw value) pairs: integers as int, everything delimited as bytes."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield number, value
        elif kind == 2:
            size, at = _varint(data, at)
            if at + size > len(data):
                raise IndexError("truncated")
            yield number, data[at : at + size]
            at += size
        elif kind in (1, 5):
            width = 8 if kind == 1 else 4
            yield number, int.from_bytes(data[at : at + width], "little")
            at += width
        else:
            raise ValueError("unknown wire type")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("varint too long")


_POINTERS = frozenset(
    {
        "replicas", "revisionHistoryLimit", "progressDeadlineSeconds", "terminationGracePeriodSeconds", "activeDeadlineSeconds",
        "gracePeriodSeconds", "controller", "blockOwnerDeletion", "automountServiceAccountToken", "privileged", "runAsUser",
        "runAsNonRoot", "immutable", "defaultMode", "mode", "expirationSeconds", "enableServiceLinks",
    }
)  # fmt: skip
"""Fields of which zero and false say something. Every other one is on the wire always: there zero means not set."""


def _message(kind: str, data: bytes) -> dict[str, Any]:
    out: dict[str, Any] = {}
    fields = _FIELDS[kind]
    for number, raw in _wire(data):
        if number not in fields:
            continue  # a field no client needs to set here: status, timestamps
        name, form = fields[number]
        if form.startswith("[]"):
            out.setdefault(name, []).append(_value(form[2:], raw))
        elif form.startswith("{"):
            pair = dict(_wire(raw))
            out.setdefault(name, {})[pair.get(1, b"").decode()] = _value(
                {"s": "s", "y": "y", "q": "q"}[form[1]], pair.get(2, b"")
            )
        elif not name:
            out |= _message(form, raw)  # embedded in its parent
        else:
            value = _value(form, raw)
            if value or isinstance(value, dict) or name in _POINTERS:
                out[name] = value
    return out


def _value(form: str, raw: Any) -> Any:
    import base64

    match form:
        case "s":
            return raw.decode()
        case "i":
            return raw - (1 << 64) if raw >= 1 << 63 else raw
        case "b":
            return bool(raw)
        case "y":
            return base64.b64encode(raw).decode()
        case "q":
            return dict(_wire(raw)).get(1, b"0").decode()
        case "o":
            pair = dict(_wire(raw))
            if pair.get(1, 0) == 1:
                return pair.get(3, b"").decode()
            return pair.get(2, 0)
    return _message(form, raw)

"""Manifests or a dump -> a cluster to ask. Text in, nothing read or fetched here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from tutor.errors import InvalidInput
from tutor.policy.evaluate import Cluster
from tutor.policy.model import ContainerPort, Pod, Protocol
from tutor.policy.shape import problems
from tutor.policy.validate import validate

Object = Mapping[str, Any]
_WORKLOADS = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet")


@dataclass(frozen=True)
class Loaded:
    """A cluster with what names lead to it.

    :param services: ``namespace/name`` -> Service object.
    :param nodes: node name -> its addresses.
    """

    cluster: Cluster
    services: Mapping[str, Object]
    nodes: Mapping[str, tuple[str, ...]]


def load_documents(texts: Iterable[tuple[str, str]]) -> Loaded:
    """A cluster from YAML or JSON texts.

    A workload's template stands for one pod when the texts hold no pod of it.

    :param texts: (name, text) pairs; the name is used in messages.
    :raises InvalidInput: a text is no YAML, or an object is not valid; the message names the text and the place.
    """
    by_kind: dict[str, list[Object]] = {}
    for name, text in texts:
        for where, obj in _documents(name, text):
            _check(where, obj)
            by_kind.setdefault(str(obj.get("kind")), []).append(obj)
    policies = by_kind.get("NetworkPolicy", [])
    nodes = {n["metadata"]["name"]: _addresses(n) for n in by_kind.get("Node", [])}
    pods = [
        _pod(p, nodes)
        for p in by_kind.get("Pod", [])
        if (p.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
    ]
    pods += [p for kind in _WORKLOADS for w in by_kind.get(kind, []) if (p := _template(w, pods)) is not None]
    spaces = {p.namespace: {"kubernetes.io/metadata.name": p.namespace} for p in pods}
    for namespace in by_kind.get("Namespace", []):
        name = namespace["metadata"]["name"]
        labels = namespace["metadata"].get("labels") or {}
        spaces[name] = {"kubernetes.io/metadata.name": name, **{str(k): str(v) for k, v in labels.items()}}
    return Loaded(Cluster.build(spaces, pods, policies), {_key(s): s for s in by_kind.get("Service", [])}, nodes)


def _check(where: str, obj: Object) -> None:
    """Refuse an object that the rest could not read, or that the API server would not store."""
    what = f"{where}: {obj.get('kind')} {_key(obj)} is not valid"
    found = [*problems(obj)]
    if not found and obj.get("kind") == "NetworkPolicy":
        found = [e.message for e in validate(obj)]
    if not found and obj.get("kind") in ("Pod", *_WORKLOADS):
        found = [f"unknown protocol {p}" for p in _protocols(obj) if p not in Protocol.__members__]
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise InvalidInput(f"{what}: {found[0]}{more}.")


def _protocols(obj: Object) -> Iterator[str]:
    spec = obj.get("spec") or {}
    if obj.get("kind") in _WORKLOADS:
        spec = (spec.get("template") or {}).get("spec") or {}
    for container in spec.get("containers") or []:
        for port in (container or {}).get("ports") or []:
            yield (port or {}).get("protocol") or "TCP"


def _documents(name: str, text: str) -> Iterator[tuple[str, Object]]:
    """(where it stands, object) for every object of a text; a List stands for its items."""
    try:
        for number, doc in enumerate(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)), 1):
            if doc is None:
                continue
            if not isinstance(doc, dict) or "kind" not in doc:
                raise InvalidInput(
                    f"{name}: document {number} is no Kubernetes object.",
                    cure="Each needs apiVersion, kind and metadata.",
                )
            kind = str(doc["kind"])
            items = (doc.get("items") or []) if kind.endswith("List") else [doc]
            if not isinstance(items, list):
                raise InvalidInput(f"{name}: document {number}: items of a {kind} must be a list.")
            for item in items:
                if (
                    not isinstance(item, dict)
                    or not isinstance(item.get("metadata"), dict)
                    or not item["metadata"].get("name")
                ):
                    raise InvalidInput(f"{name}: document {number} holds an object without metadata.name.")
                # the items of a PodList and the like may leave out their kind
                own = {"kind": kind.removesuffix("List"), **item} if kind not in ("List", item.get("kind")) else item
                yield f"{name}: document {number}", own
    except yaml.MarkedYAMLError as e:
        line = (e.problem_mark.line + 1) if e.problem_mark else 1
        raise InvalidInput(f"{name}:{line}: is not valid YAML: {e.problem or e.context}.") from e
    except (yaml.YAMLError, RecursionError) as e:
        raise InvalidInput(f"{name}: is not valid YAML: {str(e)[:200]}.") from e


def _key(obj: Object) -> str:
    meta = obj["metadata"]
    return f"{meta.get('namespace') or 'default'}/{meta['name']}"


def _addresses(node: Object) -> tuple[str, ...]:
    found = (node.get("status") or {}).get("addresses") or []
    return tuple(
        str(a["address"]) for a in found if a and a.get("type") in ("InternalIP", "ExternalIP") and a.get("address")
    )


def _pod(obj: Object, nodes: Mapping[str, tuple[str, ...]]) -> Pod:
    meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    ips = tuple(i["ip"] for i in status.get("podIPs") or [] if i and i.get("ip")) or tuple(
        filter(None, [status.get("podIP")])
    )
    node = str(spec.get("nodeName") or "")
    hosts = nodes.get(node) or tuple(filter(None, [status.get("hostIP")]))
    labels = {str(k): str(v) for k, v in (meta.get("labels") or {}).items()}
    return Pod(
        str(meta.get("namespace") or "default"),
        meta["name"],
        labels,
        ips,
        _ports(spec),
        node,
        hosts,
        bool(spec.get("hostNetwork")),
    )


def _ports(spec: Mapping[str, Any]) -> tuple[ContainerPort, ...]:
    return tuple(
        ContainerPort(str(p.get("name") or ""), int(p["containerPort"]), Protocol(p.get("protocol") or "TCP"))
        for c in spec.get("containers") or []
        for p in (c or {}).get("ports") or []
        if p and p.get("containerPort")
    )


def _template(workload: Object, pods: list[Pod]) -> Pod | None:
    """The pod a workload would make, named after it; None when the texts hold real ones."""
    meta = workload["metadata"]
    namespace = str(meta.get("namespace") or "default")
    template = (workload.get("spec") or {}).get("template") or {}
    labels = {str(k): str(v) for k, v in ((template.get("metadata") or {}).get("labels") or {}).items()}
    if not labels or any(p.namespace == namespace and labels.items() <= dict(p.labels).items() for p in pods):
        return None
    spec = template.get("spec") or {}
    return Pod(namespace, str(meta["name"]), labels, (), _ports(spec), host_network=bool(spec.get("hostNetwork")))

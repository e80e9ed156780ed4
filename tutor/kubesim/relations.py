"""What controllers ask of objects: who owns whom, which pods are ready, how generated names look."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from tutor.kubesim.view import Object

NODE = "kubetutor-control-plane"
NODE_IP = "172.18.0.2"
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def suffix(text: str, length: int) -> str:
    """A stable random-looking suffix in the alphabet Kubernetes uses for generated names."""
    digest = hashlib.sha256(text.encode()).digest()
    return "".join(_ALPHABET[b % len(_ALPHABET)] for b in digest[:length])


def owned(obj: Object, owner: Object) -> bool:
    """Whether an object names another as an owner."""
    return any(r.get("uid") == owner["metadata"]["uid"] for r in obj["metadata"].get("ownerReferences") or [])


def controller_of(obj: Object) -> Mapping[str, Any] | None:
    """The reference to the object's controller, or None."""
    return next((r for r in obj["metadata"].get("ownerReferences") or [] if r.get("controller")), None)


def owner_reference(owner: Object) -> dict[str, Any]:
    """The reference by which a controller owns what it makes."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def is_ready(pod: Object) -> bool:
    """Whether a pod's Ready condition is true."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

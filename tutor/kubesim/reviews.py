"""Questions about the caller: who am I, what may I do; and tokens for service accounts."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

from tutor.kubesim.cluster import stamp


def answer(kind: str, group: str, user: str, body: Any) -> dict[str, Any]:
    """A review with its status. Learner and verifier may do everything in their own cluster, so that is what is said."""
    spec = (body.get("spec") or {}) if isinstance(body, dict) else {}
    status: dict[str, Any]
    if kind == "SelfSubjectAccessReview":
        status = {"allowed": True, "reason": f"{user} owns this simulated cluster"}
    elif kind == "SelfSubjectRulesReview":
        status = {
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            "incomplete": False,
        }
    else:
        status = {"userInfo": {"username": user, "groups": ["system:masters", "system:authenticated"]}}
    return {
        "kind": kind,
        "apiVersion": f"{group}/v1",
        "metadata": {"creationTimestamp": None},
        "spec": spec,
        "status": status,
    }


def token_request(user: str, namespace: str, name: str, now: datetime) -> dict[str, Any]:
    """A TokenRequest. The token has the right form and opens nothing: simulated service accounts hold no rights."""
    digest = hashlib.sha256(f"{user}/{namespace}/{name}/{now.isoformat()}".encode()).hexdigest()
    return {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": stamp(now)},
        "spec": {"audiences": [], "expirationSeconds": 3600},
        "status": {"token": f"simulated.{digest}", "expirationTimestamp": stamp(now + timedelta(hours=1))},
    }

"""Proves that a cluster enforces policies before anything is taught on it."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from tutor.clusters.api import ApiError, ApiUnreachable, KubeApi
from tutor.clusters.provider import Access
from tutor.content.models import Lab
from tutor.verify.canary import PORT, canaries
from tutor.verify.context import ip_of
from tutor.verify.probe import Exec, Probe, Prober, Result, Seen, kubernetes_exec
from tutor.verify.result import CheckResult, Evidence, Outcome
from tutor.verify.world import CannotCheck, utc_now

PREFLIGHT = "kubetutor-preflight-"
"""Names of the verifier's own namespaces begin like this; watchers leave them alone."""
_LEFT_BEHIND = timedelta(minutes=5)
_TRIES = 5
_PAUSE_S = 0.2
logger = logging.getLogger(__name__)


def preflight(
    lab: Lab, access: Access, *, now: Callable[[], datetime] = utc_now, exec_: Exec | None = None
) -> CheckResult:
    """Prove that this cluster enforces policies, in each direction, before anything is taught on it.

    Two fresh pods in a namespace of the verifier's own: a connection that works must stop working under a deny of egress,
    work again without it, and stop again under a deny of ingress. Not proved means the lab stops; it never means "passed".
    """
    namespace = PREFLIGHT + secrets.token_hex(4)
    with KubeApi(access) as api:
        try:
            return _Proof(api, Prober(exec_ or kubernetes_exec(access)), namespace, now).result()
        except (CannotCheck, ApiError, ApiUnreachable) as e:
            return _unproved(f"Enforcement could not be proved: {getattr(e, 'message', e)}")
        finally:
            _remove(api, namespace, now())


def _unproved(message: str, evidence: tuple[Evidence, ...] = ()) -> CheckResult:
    return CheckResult("preflight", Outcome.COULD_NOT_CHECK, message, evidence=evidence)


class _Proof:
    """One preflight."""

    def __init__(self, api: KubeApi, prober: Prober, namespace: str, now: Callable[[], datetime]) -> None:
        self.api, self.prober, self.namespace, self.now = api, prober, namespace, now
        self.evidence: list[Evidence] = []

    def result(self) -> CheckResult:
        """Both directions, and the control that the far end still listened."""
        meta = {"name": self.namespace}
        self.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": meta}, namespace="", manager="kubetutor")
        _service_account(self.api, self.namespace)
        spaces = [self.namespace]
        with canaries(self.api, spaces) as first, canaries(self.api, spaces) as second:
            a, b = first[self.namespace], second[self.namespace]
            probe, control = Probe("tcp", a, ip_of(b), PORT), Probe("tcp", b, ip_of(b), PORT)
            for direction in ("Egress", "Ingress"):
                before = self._until(probe, Seen.OPEN)
                if before is not Seen.OPEN:
                    text = f"Two fresh pods cannot talk to each other ({before.value}), so no test would mean anything."
                    return _unproved(text, tuple(self.evidence))
                self.api.apply(_deny(self.namespace, direction), namespace=self.namespace, manager="kubetutor")
                after = self._until(probe, Seen.TIMEOUT)
                if after is Seen.OPEN:
                    return _unproved(_not_enforced(direction), tuple(self.evidence))
                if after is not Seen.TIMEOUT or self._until(control, Seen.OPEN) is not Seen.OPEN:
                    text = "Enforcement could not be proved: the probes gave no clear answer."
                    return _unproved(text, tuple(self.evidence))
                self.api.delete(
                    f"/apis/networking.k8s.io/v1/namespaces/{self.namespace}/networkpolicies/{direction.lower()}"
                )
        text = "This cluster enforces NetworkPolicy, in both directions."
        return CheckResult("preflight", Outcome.PASSED, text, evidence=tuple(self.evidence))

    def _until(self, probe: Probe, wanted: Seen) -> Seen:
        """Send until it ends as wanted; enforcement may take a moment."""
        result = Result(Seen.BROKEN, "")
        for number in range(_TRIES):
            if number:
                time.sleep(_PAUSE_S)
            result = self.prober.run([probe])[0]
            if result.seen is wanted:
                break
        own = probe.target == ip_of(probe.pod)
        ends = ("a fresh pod", "itself" if own else "another fresh pod")
        self.evidence.append(
            Evidence(self.now(), "observed", *ends, PORT, "TCP", result.seen.value, wanted.value, own, result.detail)
        )
        return result.seen


def _not_enforced(direction: str) -> str:
    return (
        f"This cluster stores NetworkPolicy but does not enforce it for {direction.lower()}: its network plug-in lets "
        "everything through. Use a plug-in that enforces policies (kind does since 0.24), or the simulated cluster."
    )


def _service_account(api: KubeApi, namespace: str) -> None:
    """A real cluster makes a namespace's default account a moment after the namespace; pods need it."""
    for _ in range(100):
        if api.get(f"/api/v1/namespaces/{namespace}/serviceaccounts/default") is not None:
            return
        time.sleep(0.05)
    raise CannotCheck("a new namespace got no service account")


def _deny(namespace: str, direction: str) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": direction.lower(), "namespace": namespace},
        "spec": {"podSelector": {}, "policyTypes": [direction]},
    }


def _remove(api: KubeApi, namespace: str, now: datetime) -> None:
    """Remove this preflight's namespace, and those that a killed one has left behind."""
    try:
        for item in api.list("/api/v1/namespaces")["items"]:
            meta = item["metadata"]
            old = now - datetime.fromisoformat(meta["creationTimestamp"]) > _LEFT_BEHIND
            if meta["name"] == namespace or (old and meta["name"].startswith(PREFLIGHT)):
                api.delete(f"/api/v1/namespaces/{meta['name']}")
    except (ApiError, ApiUnreachable) as e:
        # Left behind it harms nobody; a later preflight removes it.
        logger.warning("the preflight namespace could not be removed: %s", e)

"""Proves that a cluster enforces policies before anything is taught on it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from tutor.clusters.api import ApiError, ApiUnreachable, KubeApi
from tutor.clusters.provider import Access
from tutor.content.models import Lab
from tutor.verify.canary import PORT, canaries
from tutor.verify.context import ip_of
from tutor.verify.probe import Exec, Probe, Prober, Seen, kubernetes_exec
from tutor.verify.result import CheckResult, Evidence, Outcome
from tutor.verify.world import CannotCheck, utc_now

_PREFLIGHT = "kubetutor-preflight"
logger = logging.getLogger(__name__)


def preflight(
    lab: Lab, access: Access, *, now: Callable[[], datetime] = utc_now, exec_: Exec | None = None
) -> CheckResult:
    """Prove that this cluster enforces policies before anything is taught on it.

    Two fresh pods in a namespace of the verifier's own: a connection that works must stop working once a deny selects the
    far end. Not proved means the lab stops; it never means "passed".
    """
    with KubeApi(access) as api:
        try:
            return _preflight(api, exec_ or kubernetes_exec(access), now)
        except (CannotCheck, ApiError, ApiUnreachable) as e:
            return CheckResult(
                "preflight", Outcome.COULD_NOT_CHECK, f"Enforcement could not be proved: {getattr(e, 'message', e)}"
            )
        finally:
            _remove(api)


def _preflight(api: KubeApi, exec_: Exec, now: Callable[[], datetime]) -> CheckResult:
    api.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _PREFLIGHT}}, namespace="", manager="kubetutor"
    )
    _service_account(api)
    with canaries(api, [_PREFLIGHT]) as first, canaries(api, [_PREFLIGHT]) as second:
        a, b = first[_PREFLIGHT], second[_PREFLIGHT]
        prober = Prober(exec_)
        probe = Probe("tcp", a, ip_of(b), PORT)
        before = _until(prober, probe, Seen.OPEN)
        if before is not Seen.OPEN:
            return CheckResult(
                "preflight",
                Outcome.COULD_NOT_CHECK,
                f"Two fresh pods cannot talk to each other ({before.value}), so no test would mean anything.",
            )
        api.apply(_deny(), namespace=_PREFLIGHT, manager="kubetutor")
        after = _until(prober, probe, Seen.TIMEOUT)
        own = prober.run([Probe("tcp", b, ip_of(b), PORT)])[0].seen
    evidence = tuple(
        Evidence(now(), "observed", "a fresh pod", "another fresh pod", PORT, "TCP", seen.value, expected.value)
        for seen, expected in ((before, Seen.OPEN), (after, Seen.TIMEOUT))
    )
    if after is Seen.TIMEOUT and own is Seen.OPEN:
        return CheckResult("preflight", Outcome.PASSED, "This cluster enforces NetworkPolicy.", evidence=evidence)
    if after is Seen.OPEN:
        text = (
            "This cluster stores NetworkPolicy but does not enforce it: its network plug-in lets everything through. "
            "Use a plug-in that enforces policies (kind does since 0.24), or the simulated cluster."
        )
        return CheckResult("preflight", Outcome.COULD_NOT_CHECK, text, evidence=evidence)
    return CheckResult(
        "preflight",
        Outcome.COULD_NOT_CHECK,
        "Enforcement could not be proved: the probes gave no clear answer.",
        evidence=evidence,
    )


def _until(prober: Prober, probe: Probe, wanted: Seen) -> Seen:
    """Send until it ends as wanted; enforcement may take a moment."""
    seen = Seen.BROKEN
    for _ in range(5):
        seen = prober.run([probe])[0].seen
        if seen is wanted:
            return seen
        time.sleep(0.2)
    return seen


def _service_account(api: KubeApi) -> None:
    """A real cluster makes a namespace's default account a moment after the namespace; pods need it."""
    for _ in range(100):
        if api.get(f"/api/v1/namespaces/{_PREFLIGHT}/serviceaccounts/default") is not None:
            return
        time.sleep(0.05)
    raise CannotCheck("a new namespace got no service account")


def _deny() -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "deny", "namespace": _PREFLIGHT},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    }


def _remove(api: KubeApi) -> None:
    try:
        api.delete(f"/api/v1/namespaces/{_PREFLIGHT}")
    except (ApiError, ApiUnreachable) as e:
        # Left behind it harms nobody; the next preflight uses it again and removes it.
        logger.warning("the preflight namespace could not be removed: %s", e)

"""Attempts to get a verdict that the traffic does not deserve."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.verify.conftest import Cluster
from tests.verify.fakes import (
    CountingExec,
    DyingPod,
    EverythingTimesOut,
    LatePolicy,
    NonEnforcingCluster,
    SilentProber,
)
from tutor.clusters.provider import Access
from tutor.content.models import LabScript
from tutor.verify import CheckResult, Outcome, StageResult, preflight, run_stage, stage
from tutor.verify.preflight import PREFLIGHT
from tutor.verify.probe import kubernetes_exec
from tutor.verify.world import CANARY, utc_now

DENY: dict[str, Any] = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
ANSWERS = {
    "observe": {"observe-unconfirmed": "scraper"},
    "trace": {"trace-symptom": "dns-failure", "trace-stage": "dns"},
    "prove": {"prove-root-cause": "order"},
}


def _of(result: StageResult, check: str) -> CheckResult:
    return next(c for c in result.checks if c.check == check)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pauses between rounds."""
    monkeypatch.setattr(stage, "_PAUSE_S", (0.0,))


# -- faults that are ours -------------------------------------------------------------------------


@pytest.mark.parametrize("prober", [SilentProber(), EverythingTimesOut()])
def test_a_prober_that_sees_nothing_never_counts_as_a_deny(cluster: Cluster, prober: Any, quick: None) -> None:
    result = cluster.check("deny", prober)
    assert result.outcome is Outcome.COULD_NOT_CHECK
    assert {c.outcome for c in result.checks} == {Outcome.COULD_NOT_CHECK}
    assert all("Nothing is held against you" in c.message for c in result.checks)


def test_a_dead_pod_never_counts_as_a_deny(cluster: Cluster, quick: None) -> None:
    cluster.policy("deny", DENY)
    result = cluster.check("deny", DyingPod(kubernetes_exec(cluster.access), "scraper"))
    assert _of(result, "deny-ingress").outcome is Outcome.COULD_NOT_CHECK
    assert "connection reset" in _of(result, "deny-ingress").message
    assert result.outcome is not Outcome.PASSED


def test_a_target_that_does_not_listen_never_counts_as_a_deny(cluster: Cluster, quick: None) -> None:
    cluster.policy("deny", DENY)
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "main", "args": ["every=5"]}]}}}}
    cluster.patch("/apis/apps/v1/namespaces/shop/deployments/db", patch)
    found = _of(cluster.check("deny"), "deny-ingress")
    assert found.outcome is Outcome.COULD_NOT_CHECK
    assert "does not answer itself on port 5432" in found.message


def test_an_api_that_does_not_answer_is_no_verdict(cluster: Cluster) -> None:
    gone = Access("https://127.0.0.1:1", cluster.access.ca_pem, "token")
    result = run_stage(cluster.lab, "deny", gone, answers={})
    assert result.outcome is Outcome.COULD_NOT_CHECK


def test_a_defect_of_ours_is_no_verdict(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_self: object) -> CheckResult:
        raise KeyError("spec")

    monkeypatch.setattr(stage.KINDS["labels"], "decide", broken)
    (found,) = cluster.check("label").checks
    assert found.outcome is Outcome.COULD_NOT_CHECK
    assert "mistake of its own" in found.message


# -- enforcement ---------------------------------------------------------------------------------


def test_preflight_proves_enforcement_in_both_directions_and_leaves_nothing(cluster: Cluster) -> None:
    found = preflight(cluster.lab, cluster.access)
    assert found.outcome is Outcome.PASSED
    assert [e.outcome for e in found.evidence] == ["open", "timeout", "open"] * 2
    assert not [n for n in _namespaces(cluster) if n.startswith("kubetutor-")]


def test_a_plug_in_that_enforces_one_direction_only_is_told(cluster: Cluster) -> None:
    real = kubernetes_exec(cluster.access)
    rounds = iter(range(99))

    def ingress_open(pod: Any, argv: list[str]) -> tuple[int, str]:
        return real(pod, argv) if next(rounds) < 3 else (0, "@0 0 |\n")

    found = preflight(cluster.lab, cluster.access, exec_=ingress_open)
    assert found.outcome is Outcome.COULD_NOT_CHECK
    assert "does not enforce it for ingress" in found.message


def test_what_a_killed_preflight_left_behind_is_removed(cluster: Cluster) -> None:
    meta = {"name": PREFLIGHT + "old"}
    cluster.api.request("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    assert preflight(cluster.lab, cluster.access).outcome is Outcome.PASSED
    assert PREFLIGHT + "old" in _namespaces(cluster), "one that is young may be in use"
    later = utc_now() + timedelta(minutes=6)
    preflight(cluster.lab, cluster.access, now=lambda: later)
    assert PREFLIGHT + "old" not in _namespaces(cluster)


def _namespaces(cluster: Cluster) -> list[str]:
    return [n["metadata"]["name"] for n in cluster.api.list("/api/v1/namespaces")["items"]]


def test_a_cluster_that_enforces_nothing_is_told_with_its_cure(cluster: Cluster) -> None:
    found = preflight(cluster.lab, cluster.access, exec_=NonEnforcingCluster())
    assert found.outcome is Outcome.COULD_NOT_CHECK
    assert "does not enforce" in found.message
    assert "Use a plug-in that enforces policies" in found.message


def test_a_network_that_is_dead_from_the_start_proves_nothing(cluster: Cluster) -> None:
    found = preflight(cluster.lab, cluster.access, exec_=EverythingTimesOut())
    assert found.outcome is Outcome.COULD_NOT_CHECK
    assert "cannot talk to each other" in found.message


# -- rounds --------------------------------------------------------------------------------------


def test_an_early_look_does_not_decide(
    cluster: Cluster, solution: LabScript, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "enforces_at_once", lambda _api: False)
    cluster.up_to(solution, "deny")
    exec_ = LatePolicy(kubernetes_exec(cluster.access), rounds=1)
    result = cluster.check("deny", exec_)
    assert result.outcome is Outcome.PASSED, [c.message for c in result.checks]
    assert max(exec_.asked.values()) == 3, "wrong, right, and right once more"
    assert "3 rounds" in result.checks[0].advice[-1]


def test_a_pass_is_looked_at_twice_where_enforcement_takes_time(
    cluster: Cluster, solution: LabScript, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.up_to(solution, "dns")
    once = CountingExec(kubernetes_exec(cluster.access))
    assert cluster.check("dns", once).outcome is Outcome.PASSED
    assert set(once.rounds.values()) == {1}
    monkeypatch.setattr(stage, "enforces_at_once", lambda _api: False)
    twice = CountingExec(kubernetes_exec(cluster.access))
    assert cluster.check("dns", twice).outcome is Outcome.PASSED
    assert set(twice.rounds.values()) == {2}


def test_what_still_changes_is_not_decided(cluster: Cluster, quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "enforces_at_once", lambda _api: False)
    inner = LatePolicy(kubernetes_exec(cluster.access), rounds=0)
    cluster.policy("deny", DENY)

    def flapping(pod: Any, argv: list[str]) -> tuple[int, str]:
        inner.rounds = 99 if inner.asked.get(pod["metadata"]["uid"], 0) % 2 else 0
        return inner(pod, argv)

    found = _of(cluster.check("deny", flapping), "deny-every-pod")
    assert found.outcome is Outcome.COULD_NOT_CHECK
    assert "still changes" in found.message


# -- canaries ------------------------------------------------------------------------------------


def test_the_verifiers_pods_are_gone_afterwards(cluster: Cluster) -> None:
    cluster.check("deny")
    cluster.check("deny", SilentProber())
    names = [p["metadata"]["name"] for p in cluster.api.list("/api/v1/pods")["items"]]
    assert not [n for n in names if n.startswith(CANARY)]


def test_a_pod_left_behind_by_a_killed_verification_is_removed(cluster: Cluster) -> None:
    meta = {"name": CANARY + "old", "namespace": "shop"}
    spec = {"containers": [{"name": "main", "image": "busybox:1.36", "command": ["sleep", "9999"]}]}
    cluster.api.request(
        "POST", "/api/v1/namespaces/shop/pods", {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
    )
    run_stage(cluster.lab, "label", cluster.access, answers={})
    path = f"/api/v1/namespaces/shop/pods/{CANARY}old"
    assert cluster.api.get(path) is not None, "one that is young may be in use"
    run_stage(cluster.lab, "label", cluster.access, answers={}, now=lambda: utc_now() + timedelta(minutes=4))
    assert cluster.api.get(path) is None


# -- labels --------------------------------------------------------------------------------------


def test_a_label_on_the_running_pods_alone_vanishes(cluster: Cluster) -> None:
    for pod in cluster.api.list("/api/v1/namespaces/shop/pods")["items"]:
        meta = pod["metadata"]
        cluster.patch(
            f"/api/v1/namespaces/shop/pods/{meta['name']}", {"metadata": {"labels": {"tier": meta["labels"]["app"]}}}
        )
    (found,) = cluster.check("label").checks
    assert found.outcome is Outcome.FAILED
    assert "will vanish with the next rollout" in found.message


# -- repairs that look right ---------------------------------------------------------------------


def test_a_rule_that_names_a_pods_address_is_refused(cluster: Cluster, solution: LabScript) -> None:
    cluster.up_to(solution, "dns")
    pods = cluster.api.list("/api/v1/namespaces/kube-system/pods")["items"]
    peers = [{"ipBlock": {"cidr": f"{p['status']['podIP']}/32"}} for p in pods]
    ports = [{"protocol": p, "port": 53} for p in ("UDP", "TCP")]
    cluster.policy(
        "allow-dns", {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": peers, "ports": ports}]}
    )
    found = _of(cluster.check("dns"), "dns-answers")
    assert found.outcome is Outcome.FAILED
    assert "until the name service's pods are replaced" in found.message


def test_one_of_two_name_servers_is_not_enough(cluster: Cluster, solution: LabScript) -> None:
    cluster.up_to(solution, "deny")
    first = cluster.api.list("/api/v1/namespaces/kube-system/pods")["items"][0]["status"]["podIP"]
    rule = {
        "to": [{"ipBlock": {"cidr": f"{first}/32"}}],
        "ports": [{"protocol": p, "port": 53} for p in ("UDP", "TCP")],
    }
    cluster.policy("allow-dns", {"podSelector": {}, "policyTypes": ["Egress"], "egress": [rule]})
    assert _of(cluster.check("dns"), "dns-answers").outcome is Outcome.FAILED


def test_what_no_probe_can_try_is_said_and_decides_nothing(cluster: Cluster, solution: LabScript) -> None:
    cluster.up_to(solution, "flows")
    block = {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}
    cluster.policy(
        "out",
        {
            "podSelector": {"matchLabels": {"tier": "web"}},
            "policyTypes": ["Egress"],
            "egress": [{"to": [{"ipBlock": block}]}],
        },
    )
    found = _of(cluster.check("flows"), "flows-narrow")
    assert found.outcome is Outcome.PASSED
    assert any("outside the cluster" in line and "shop/out" in line for line in found.advice)


@pytest.mark.parametrize(
    ("path", "patch", "says"),
    [
        ("deployments/web", {"spec": {"template": {"spec": {"hostNetwork": True}}}}, "its node's network"),
        ("deployments/web", {"spec": {"template": {"spec": {"dnsPolicy": "Default"}}}}, "resolves names was changed"),
        (
            "deployments/db",
            {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "busybox:1.37"}]}}}},
            "The image of shop/db",
        ),
        ("deployments/db", {"spec": {"replicas": 0}}, "scaled to zero"),
    ],
)
def test_the_application_must_be_what_it_was(cluster: Cluster, path: str, patch: dict[str, Any], says: str) -> None:
    cluster.patch(f"/apis/apps/v1/namespaces/shop/{path}", patch)
    found = _of(cluster.check("flows"), "flows-app-intact")
    assert found.outcome is Outcome.FAILED
    assert says in found.message


def test_a_service_that_leads_elsewhere_is_noticed(cluster: Cluster) -> None:
    cluster.patch("/api/v1/namespaces/shop/services/api", {"spec": {"selector": {"app": "web"}}})
    found = _of(cluster.check("flows"), "flows-app-intact")
    assert found.outcome is Outcome.FAILED
    assert "The selector of the Service shop/api" in found.message


def test_a_restart_of_the_name_service_is_no_change(cluster: Cluster) -> None:
    note = {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}
    cluster.patch(
        "/apis/apps/v1/namespaces/kube-system/deployments/coredns",
        {"spec": {"template": {"metadata": {"annotations": note}}}},
    )
    found = _of(cluster.check("flows"), "flows-dns-intact")
    assert found.outcome is Outcome.PASSED, found.message


def test_a_label_put_on_a_running_name_server_is_noticed(cluster: Cluster) -> None:
    name = cluster.api.list("/api/v1/namespaces/kube-system/pods")["items"][0]["metadata"]["name"]
    cluster.patch(f"/api/v1/namespaces/kube-system/pods/{name}", {"metadata": {"labels": {"let-in": "yes"}}})
    found = _of(cluster.check("flows"), "flows-dns-intact")
    assert found.outcome is Outcome.FAILED
    assert "got the label let-in" in found.message


# -- questions and evidence ----------------------------------------------------------------------


def test_a_question_without_an_answer_is_not_passed(cluster: Cluster) -> None:
    result = cluster.check("trace")
    assert {c.message for c in result.checks} == {"Choose an answer."}
    assert cluster.check("trace", None, **ANSWERS["trace"]).outcome is Outcome.PASSED
    wrong = cluster.check("trace", None, **(ANSWERS["trace"] | {"trace-stage": "labels"}))
    assert _of(wrong, "trace-stage").outcome is Outcome.FAILED


def test_evidence_says_who_decided_and_marks_its_controls(cluster: Cluster, solution: LabScript) -> None:
    cluster.up_to(solution, "flows")
    found = _of(cluster.check("flows"), "flows-narrow")
    assert found.outcome is Outcome.PASSED
    denied = [e for e in found.evidence if not e.control]
    assert {e.outcome for e in denied} == {"timeout"}
    assert all(e.decided_by for e in denied)
    assert {e.outcome for e in found.evidence if e.control} <= {"open", "refused"}
    assert "UDP" in {e.protocol for e in denied}


def test_an_unknown_stage_is_told(cluster: Cluster) -> None:
    from tutor.errors import NotFound

    with pytest.raises(NotFound, match="no stage nothing"):
        cluster.check("nothing")

"""Sessions, console, editor and worker on a simulated cluster that is really served, with the real kubectl."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.labs.fakes import ScriptedVerifier, Shelf, Verdict, evidence, small_lab
from tests.simserver import sim_server
from tutor.clusters.api import KubeApi
from tutor.clusters.provider import Access
from tutor.clusters.registry import providers
from tutor.content.models import Lab
from tutor.labs import views
from tutor.labs.apply import MAX_BYTES
from tutor.labs.service import Labs, LabView
from tutor.labs.worker import Worker
from tutor.settings import Settings
from tutor.store.base import Base, Database

POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: deny
spec:
  podSelector: {}
  policyTypes: [Ingress]
"""


class PolicyVerifier(ScriptedVerifier):
    """Passes a stage when the cluster holds a NetworkPolicy; tells when it was asked and found one."""

    def __init__(self) -> None:
        super().__init__()
        self.found = threading.Event()

    def run_stage(
        self, lab: Lab, stage_id: str, access: Access, *, answers: Mapping[str, str], now: Callable[[], datetime]
    ) -> Any:
        with KubeApi(access) as api:
            there = bool(api.list("/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies")["items"])
        if there and stage_id == "look":
            self.found.set()
        outcome = "passed" if there else "failed"
        check = {"check": "seen", "outcome": outcome, "message": outcome, "evidence": [evidence(outcome)]}
        return Verdict(outcome, checks=(check,))


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with sim_server(tmp_path_factory.mktemp("data")) as found:
        yield found


@pytest.fixture
def labs(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Labs]:
    monkeypatch.setattr(views, "html", lambda text: text)
    database = Database(f"sqlite:///{tmp_path / 'labs.db'}")
    Base.metadata.create_all(database.engine)
    found = Labs(settings, database, Shelf((small_lab(),)), providers(settings), verifier=PolicyVerifier())
    yield found
    found.stop()
    database.close()


@pytest.fixture
def lab(labs: Labs) -> Iterator[LabView]:
    view = labs.open("ann", "small")
    pause = threading.Event()
    while view.state in ("requested", "starting"):
        pause.wait(0.02)
        view = labs.view(view.id, "ann")
    assert view.state == "ready", view.reason
    yield view
    labs.close(view.id, "ann")


def _console(labs: Labs, lab: LabView, line: str) -> tuple[str, int]:
    out = list(labs.console(lab.id, "ann", line))
    return "".join(c["text"] for c in out[:-1]), out[-1]["exit"]


def test_kubectl_speaks_to_the_lab(labs: Labs, lab: LabView) -> None:
    text, code = _console(labs, lab, "kubectl get pods -n shop --no-headers | grep -c Running")
    assert (text, code) == ("1\n", 0)
    text, code = _console(labs, lab, "k get deploy")
    assert "web" in text, text
    assert code == 0


def test_the_labs_manifests_can_be_applied_by_name(labs: Labs, lab: LabView) -> None:
    assert _console(labs, lab, "ls") == ("10-shop.yaml\n", 0)
    text, code = _console(labs, lab, "kubectl apply -f 10-shop.yaml")
    assert code == 0, text
    assert "deployment.apps/web" in text


def test_kubectls_own_errors_and_exit_code_come_through(labs: Labs, lab: LabView) -> None:
    text, code = _console(labs, lab, "kubectl get pod nothing")
    assert 'pods "nothing" not found' in text
    assert code == 1


def test_exec_runs_inside_the_pod(labs: Labs, lab: LabView) -> None:
    text, code = _console(labs, lab, "kubectl exec -it deploy/web -- sh -c 'echo in $HOSTNAME | cat'")
    assert "kubetutor lab shell" in text
    assert "in web-" in text
    assert code == 0


def test_a_command_that_is_left_ends(labs: Labs, lab: LabView) -> None:
    stream = labs.console(lab.id, "ann", "kubectl get pods -w")
    first = next(stream)
    assert "NAME" in first["text"]
    stream.close()  # type: ignore[attr-defined]
    assert _console(labs, lab, "kubectl get ns shop -o name") == ("namespace/shop\n", 0)


def test_the_editor_applies_and_says_what_became_of_it(labs: Labs, lab: LabView) -> None:
    tried = labs.apply(lab.id, "ann", POLICY, True)
    assert (tried.ok, tried.lines) == (True, ("networkpolicy.networking.k8s.io/deny would be applied (dry run)",))
    assert _console(labs, lab, "kubectl get netpol -o name") == ("", 0)
    done = labs.apply(lab.id, "ann", POLICY, False)
    assert (done.ok, done.lines) == (True, ("networkpolicy.networking.k8s.io/deny created",))
    assert _console(labs, lab, "kubectl get netpol -o name") == ("networkpolicy.networking.k8s.io/deny\n", 0)
    text, code = _console(labs, lab, "kubectl delete -f editor.yaml")
    assert code == 0, text


BAD_FIELD = POLICY.replace("  podSelector: {}\n", "  podSelectors: {}\n")
BAD_PORT = POLICY + "  ingress:\n  - ports:\n    - port: 99999\n"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a: [1", 1, "not YAML"),
        ("kind: X\n\tx: 1\n", 2, "not YAML"),
        ("", 0, "no manifest"),
        ("- just\n- a list\n", 1, "A manifest is a mapping"),
        ("kind: Pod\nmetadata: {name: x}\n", 1, "apiVersion is missing"),
        ("apiVersion: v1\nkind: Pod\n", 1, "metadata.name is missing"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  name: b\n", 5, 'The key "name" stands twice'),
        ("apiVersion: v2\nkind: NetworkPolicies\nmetadata: {name: x}\n", 2, 'knows no kind "NetworkPolicies"'),
        (POLICY + "---\n" + BAD_PORT, 8 + 10, "99999"),
        (BAD_FIELD, 6, "podSelectors"),
        ("x" * (5 * MAX_BYTES), 0, "The text has 5.0 MB; the editor takes 1 MB"),
        (
            "---\n".join(["apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"] * 201),
            801,
            "More than 200 manifests",
        ),
        ("a: &a [1]\nb: [" + "*a, " * 200 + "]\n", 2, "More than 100 aliases"),
        ("a: " + "[" * 500 + "]" * 500, 1, "Nested more than 60"),
    ],
)
def test_what_the_editor_finds_wrong_is_told_at_its_line(
    labs: Labs, lab: LabView, text: str, line: int, says: str
) -> None:
    result = labs.apply(lab.id, "ann", text, False)
    assert not result.ok
    assert says in result.problems[0].message
    assert result.problems[0].line == line
    assert _console(labs, lab, "kubectl get netpol -o name") == ("", 0), "nothing was written"


def test_a_namespace_and_what_lives_in_it_in_one_text(labs: Labs, lab: LabView) -> None:
    text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: fresh}\n---\n" + POLICY.replace(
        "deny", "d\n  namespace: fresh"
    )
    result = labs.apply(lab.id, "ann", text, False)
    assert result.ok, result.problems


def test_a_change_is_noticed_and_checked_without_a_click(labs: Labs, lab: LabView) -> None:
    worker = Worker(labs)
    stop = threading.Event()
    worker.watch()
    (watch,) = worker.watching()
    assert watch.wait_listed(20)
    verifier: Any = labs.deps.verifier
    assert labs.apply(lab.id, "ann", POLICY, False).ok
    assert verifier.found.wait(20), "the change was not noticed"
    for _ in range(500):
        view = labs.view(lab.id, "ann")
        if view.stages[0].state == "passed":
            break
        stop.wait(0.02)
    assert (view.stages[0].state, view.stages[0].auto) == ("passed", True)
    watch.stop()


def test_reset_gives_an_empty_cluster_and_the_same_credential(labs: Labs, lab: LabView) -> None:
    before = labs.kubeconfig(lab.id, "ann")
    assert labs.apply(lab.id, "ann", POLICY, False).ok
    labs.reset(lab.id, "ann")
    pause = threading.Event()
    while labs.view(lab.id, "ann").state == "starting":
        pause.wait(0.02)
    assert labs.view(lab.id, "ann").state == "ready"
    assert labs.kubeconfig(lab.id, "ann") == before
    assert _console(labs, lab, "kubectl get netpol -o name") == ("", 0)

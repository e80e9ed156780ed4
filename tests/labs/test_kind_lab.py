"""A session on a real cluster: opened, worked in, reset, closed."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import pytest

from tests.labs.fakes import ScriptedVerifier, Shelf, small_lab
from tests.providers.test_contract import KIND_IMAGE
from tutor.clusters.registry import providers
from tutor.labs import views
from tutor.labs.service import Labs, LabView
from tutor.settings import Settings
from tutor.store.base import Base, Database

POLICY = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: deny}\nspec: {podSelector: {}}\n"


def _settled(labs: Labs, view: LabView) -> LabView:
    pause = threading.Event()
    while view.state in ("requested", "starting"):
        pause.wait(0.2)
        view = labs.view(view.id, "ann")
    return view


@pytest.mark.kind
def test_a_lab_on_a_real_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "html", lambda text: text)
    have = subprocess.run(["docker", "image", "inspect", KIND_IMAGE], capture_output=True, timeout=30, check=False)
    settings = Settings.from_env(
        {}, data_dir=tmp_path, provider="kind", kind_image=KIND_IMAGE if have.returncode == 0 else ""
    )
    database = Database(settings.database)
    Base.metadata.create_all(database.engine)
    labs = Labs(settings, database, Shelf((small_lab(),)), providers(settings), verifier=ScriptedVerifier())
    view = labs.open("ann", "small")
    try:
        view = _settled(labs, view)
        assert view.state == "ready", view.reason
        assert labs.apply(view.id, "ann", POLICY, False).lines == ("networkpolicy.networking.k8s.io/deny created",)
        out = list(labs.console(view.id, "ann", "kubectl get netpol,pods -o name | grep -c /"))
        assert out == [{"stream": "stdout", "text": "2\n"}, {"exit": 0}]
        labs.reset(view.id, "ann")
        view = _settled(labs, labs.view(view.id, "ann"))
        assert view.state == "ready", view.reason
        out = list(labs.console(view.id, "ann", "kubectl get netpol,pods -o name | grep -c /"))
        assert out[0]["text"] == "1\n", "the policy is gone, the workload is back"
    finally:
        labs.sessions.close(view.id, "ann", wait_s=90)
        labs.stop()
        database.close()
    assert not list(providers(settings)["kind"].owned())

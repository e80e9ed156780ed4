"""The same lab on a real cluster: the checks are never right by our own engine alone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.providers.test_contract import KIND_IMAGE
from tests.verify.conftest import SLUG
from tutor.clusters.registry import providers
from tutor.content.library import Library
from tutor.content.models import Lab
from tutor.labs.selftest import SelfTest
from tutor.settings import Settings

SCRIPTS = ("one-policy-each", "udp-without-tcp", "service-port", "udp-53-to-everybody", "dns-changed")


@pytest.mark.kind
def test_a_solution_and_wrong_repairs_on_a_real_cluster(lab: Lab, library: Library, tmp_path: Path) -> None:
    have = subprocess.run(["docker", "image", "inspect", KIND_IMAGE], capture_output=True, timeout=30, check=False)
    settings = Settings.from_env({}, data_dir=tmp_path, kind_image=KIND_IMAGE if have.returncode == 0 else "")
    kind = providers(settings)["kind"]
    told: list[str] = []
    results = SelfTest(lab, kind, fresh=False, tell=told.append).run(*library.lab_scripts(SLUG), SCRIPTS)
    assert [r.message for r in results if not r.ok] == []
    assert len(results) == len(told) == len(SCRIPTS)
    assert not list(kind.owned()), "the cluster is deleted at the end"

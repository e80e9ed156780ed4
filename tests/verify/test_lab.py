"""The shipped lab proves itself: each solution passes each stage, each wrong repair fails at the check it names."""

from __future__ import annotations

import pytest

from tests.verify.conftest import ROOT, SLUG
from tutor.clusters.api import documents
from tutor.clusters.simulated import SimulatedProvider
from tutor.content.library import Library
from tutor.content.models import Lab
from tutor.labs.selftest import SelfTest

SOLUTIONS, WRONG = (
    sorted(p.stem for p in (ROOT / "labs" / SLUG / kind).glob("*.yaml")) for kind in ("solutions", "wrong")
)


@pytest.mark.parametrize("name", [*SOLUTIONS, *WRONG])
def test_script(name: str, lab: Lab, library: Library, provider: SimulatedProvider) -> None:
    solutions, wrong = library.lab_scripts(SLUG)
    told: list[str] = []
    (result,) = SelfTest(lab, provider, fresh=True, tell=told.append).run(solutions, wrong, (name,))
    assert result.ok, result.message
    assert name in told[0]


def test_there_are_enough_of_them() -> None:
    assert len(SOLUTIONS) >= 3
    assert len(WRONG) >= 12


def test_an_unknown_script_is_named(lab: Lab, library: Library, provider: SimulatedProvider) -> None:
    from tutor.errors import InvalidInput

    with pytest.raises(InvalidInput, match="no script nothing"):
        SelfTest(lab, provider, fresh=True, tell=str).run(*library.lab_scripts(SLUG), ("nothing",))


def test_every_namespace_carries_the_workloads_script(lab: Lab) -> None:
    script = (ROOT / "labs" / SLUG / "workload.sh").read_text()
    copies = {
        d["metadata"]["namespace"]: d["data"]["workload.sh"]
        for _, text in lab.manifests
        for d in documents(text)
        if d["kind"] == "ConfigMap"
    }
    assert copies == dict.fromkeys(lab.namespaces, script)

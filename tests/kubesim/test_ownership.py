"""Server-side apply: who owns which field, what a manager that names it no more leaves behind, when two of them clash."""

from __future__ import annotations

from typing import Any

import pytest

from tutor.kubesim import fields, ownership, schema
from tutor.kubesim.registry import BY_PLURAL
from tutor.kubesim.status import ApiError

AT = "2026-01-01T00:00:00Z"
SERVICE = schema.schema_of(BY_PLURAL["services"])
Json = dict[str, Any]


def service(*ports: Json, **spec: Any) -> Json:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": list(ports)} | spec}


def apply(live: Json | None, config: Json, manager: str, *, force: bool = False) -> Json:
    return ownership.apply(live, config, SERVICE, "services", manager, force, AT)


def managers(obj: Json) -> dict[str, list[str]]:
    """manager -> the fields it owns, as conflicts name them."""
    return {
        e["manager"]: sorted(fields.shown(p) for p in fields.decode(e["fieldsV1"]))
        for e in obj["metadata"]["managedFields"]
    }


WEB = {"name": "web", "port": 80, "protocol": "TCP"}
DNS = {"name": "dns", "port": 53, "protocol": "UDP"}


def test_fields_of_list_items_belong_to_their_keys() -> None:
    assert managers(apply(None, service(WEB), "a")) == {
        "a": [
            '.spec.ports[port=80,protocol="TCP"]',
            '.spec.ports[port=80,protocol="TCP"].name',
            '.spec.ports[port=80,protocol="TCP"].port',
            '.spec.ports[port=80,protocol="TCP"].protocol',
        ]
    }


def test_what_a_manager_names_no_more_goes_unless_another_owns_it() -> None:
    live = apply(None, service(WEB, DNS, sessionAffinity="ClientIP"), "a")
    live = apply(live, service(DNS), "b")
    live = apply(live, service(WEB), "a")
    assert live["spec"] == {"ports": [WEB, DNS]}
    live = apply(live, service(), "b")
    assert live["spec"]["ports"] == [WEB]


def test_a_clash_is_refused_and_force_takes_the_field() -> None:
    live = apply(None, service(WEB, sessionAffinity="None"), "a")
    with pytest.raises(ApiError) as told:
        apply(live, service(sessionAffinity="ClientIP"), "b")
    assert told.value.code == 409
    assert told.value.message == 'Apply failed with 1 conflict: conflict with "a": .spec.sessionAffinity'
    assert told.value.details["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "a"', "field": ".spec.sessionAffinity"}
    ]
    live = apply(live, service(sessionAffinity="ClientIP"), "b", force=True)
    assert live["spec"]["sessionAffinity"] == "ClientIP"
    assert ".spec.sessionAffinity" not in managers(live)["a"]


def test_agreeing_managers_share_a_field() -> None:
    live = apply(None, service(sessionAffinity="None"), "a")
    live = apply(live, service(sessionAffinity="None"), "b")
    assert [m for m, owned in managers(live).items() if ".spec.sessionAffinity" in owned] == ["a", "b"]


def test_an_update_takes_what_it_changes() -> None:
    live = apply(None, service(WEB, sessionAffinity="None"), "a")
    after = {**live, "metadata": dict(live["metadata"]), "spec": {**live["spec"], "sessionAffinity": "ClientIP"}}
    ownership.note_update(live, after, SERVICE, "edit", AT)
    assert managers(after)["edit"] == [".spec.sessionAffinity"]
    assert ".spec.sessionAffinity" not in managers(after)["a"]
    with pytest.raises(ApiError, match='conflict with "edit"'):
        apply(after, service(WEB, sessionAffinity="None"), "a")


def test_a_map_that_is_one_value_clashes_as_one() -> None:
    live = apply(None, service(selector={"app": "a"}), "a")
    with pytest.raises(ApiError, match=r"\.spec\.selector"):
        apply(live, service(selector={"app": "a", "more": "b"}), "b")


def test_the_wire_form_is_read_back() -> None:
    paths = fields.collect(service(WEB, DNS, selector={"a": "b"}) | {"status": {"x": 1}}, SERVICE)
    assert fields.decode(fields.encode(paths)) == paths
    assert not any(p[0] == "f:status" for p in paths)


@pytest.mark.parametrize("tree", [None, 7, {"x": {}}, {"k:nonsense": {}}, {"f:a": 3}, {"f:spec": {"k:[1]": {}}}])
def test_a_broken_wire_form_is_left_out(tree: Any) -> None:
    assert fields.decode(tree) <= {("f:a",)}


def test_entries_in_no_form_are_left_out() -> None:
    live = service(WEB) | {"metadata": {"name": "s", "managedFields": [{}, {"manager": "x"}]}}
    assert list(managers(apply(live, service(WEB), "a"))) == ["a"]

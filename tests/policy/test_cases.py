"""Every given case of NetworkPolicy v1: whole matrices and single probes, step by step, and validation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tutor.policy import Cluster, ContainerPort, Endpoint, External, Pod, Protocol, validate

DATA = yaml.safe_load((Path(__file__).parent / "netpol-cases.yaml").read_text())
CASES = {c["id"]: c for c in DATA["cases"]}
VALIDATION = {c["id"]: c for c in DATA["validation"]}


def topology(case: dict[str, Any], step: dict[str, Any]) -> tuple[Cluster, dict[str, Any], list[str]]:
    """The cluster of one step, its topology, and the order of its matrices."""
    given = DATA["topologies"][case["topology"]]
    state = step.get("state") or {}
    spaces = given["namespaces"] | (state.get("add_namespaces") or {})
    labels = {n: (state.get("namespace_labels") or {}).get(n, v.get("labels") or {}) for n, v in spaces.items()}
    pods = []
    for key, p in (given["pods"] | (state.get("add_pods") or {})).items():
        namespace, name = key.split("/")
        ports = (state.get("pod_ports") or {}).get(key, p.get("ports") or [])
        node = p.get("node", "")
        ips = [given["nodes"][node]["ip"]] if node in given["nodes"] else []
        pods.append(
            Pod(
                namespace,
                name,
                (state.get("pod_labels") or {}).get(key, p.get("labels") or {}),
                tuple(p.get("ips") or [p["ip"]]),
                tuple(ContainerPort(c.get("name", ""), c["port"], Protocol(c.get("protocol", "TCP"))) for c in ports),
                node,
                tuple(ips),
                p.get("hostNetwork", False),
            )
        )
    given = given | {"services": (given.get("services") or {}) | (state.get("services") or {})}
    return Cluster.build(labels, pods, step.get("policies") or []), given, given.get("order") or []


def endpoint(cluster: Cluster, given: dict[str, Any], word: str) -> Endpoint:
    if word.startswith("ip:"):
        return External(word[3:])
    if word.startswith("node:"):
        return External(given["nodes"][word[5:]]["ip"], word[5:])
    return cluster.pods[word]


def service_backend(
    cluster: Cluster, given: dict[str, Any], word: str, port: int, protocol: str
) -> tuple[Endpoint, int]:
    """Service translation comes first: the pod behind the ClusterIP, and its own port."""
    service = given["services"][word[4:]]
    entry = next(p for p in service["ports"] if p["port"] == port and p["protocol"] == protocol)
    return cluster.pods[service["backends"][0]], entry["targetPort"]


@pytest.mark.parametrize("case_id", CASES)
def test_connectivity(case_id: str) -> None:
    case = CASES[case_id]
    asked = 0
    for step in case["steps"]:
        cluster, given, order = topology(case, step)
        for matrix in step.get("matrices") or []:
            names = matrix.get("order") or order
            for word in matrix["ports"]:
                protocol, port = word.split("/")
                for row, source in zip(matrix["rows"], names, strict=True):
                    for mark, destination in zip(row, names, strict=True):
                        if mark == "#":
                            continue
                        ends = (cluster.pods[source], cluster.pods[destination])
                        verdict = cluster.decide(*ends, int(port), Protocol(protocol))
                        wanted = {".": True, "X": False, "?": None}[mark]
                        assert verdict.allowed is wanted, f"{source} -> {destination} {word}: {verdict.reason}"
                        asked += 1
        for probe in step.get("probes") or []:
            port, to = probe["port"], probe["to"]
            if to.startswith("svc:"):
                destination_pod, port = service_backend(cluster, given, to, port, probe["protocol"])
            else:
                destination_pod = endpoint(cluster, given, to)
            if probe["allowed"] is None:
                continue  # undefined by the specification
            source_end = endpoint(cluster, given, probe["from"])
            verdict = cluster.decide(source_end, destination_pod, port, Protocol(probe["protocol"]))
            assert verdict.allowed is probe["allowed"], f"{probe}: {verdict.reason}"
            asked += 1
    assert asked or all(p["allowed"] is None for s in case["steps"] for p in s.get("probes") or [])


@pytest.mark.parametrize("case_id", VALIDATION)
def test_validation(case_id: str) -> None:
    case = VALIDATION[case_id]
    errors = validate(case["manifest"])
    assert bool(errors) is not case["valid"], errors
    if not case["valid"]:
        assert [e.path for e in errors] == [case["field"]]

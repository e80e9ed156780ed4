"""The data plane and the names: what a packet meets on its way."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from tests.kubesim.workload.shop import DENY, DNS_UDP, build, pod, port, service, sh, slice_, view
from tutor.kubesim import dns, images
from tutor.kubesim.dataplane import Connection, Outcome, connect
from tutor.kubesim.view import View


def reach(state: View, ip: str, number: int, protocol: str = "TCP", name: str = "tools") -> Connection:
    made = state.get("pods", "shop", name)
    assert made is not None
    return connect(state, made, ip, number, protocol)


def rule(*ports: dict[str, Any], to: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """An egress policy for all of the shop with one rule."""
    body: dict[str, Any] = {"ports": list(ports)} | ({"to": to} if to else {})
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [body]}
    return {"metadata": {"name": "rule", "namespace": "shop"}, "spec": spec}


@pytest.mark.parametrize(
    ("ip", "number", "outcome"),
    [
        ("10.96.125.27", 80, Outcome.OPEN),
        ("10.96.125.27", 9000, Outcome.TIMEOUT),
        ("10.96.18.147", 9001, Outcome.REFUSED),
        ("10.96.248.127", 80, Outcome.REFUSED),
        ("10.244.0.6", 9000, Outcome.OPEN),
        ("10.244.0.6", 80, Outcome.REFUSED),
        ("10.244.9.9", 80, Outcome.TIMEOUT),
        ("192.0.2.1", 443, Outcome.TIMEOUT),
        ("172.18.0.2", 81, Outcome.REFUSED),
        ("127.0.0.1", 80, Outcome.REFUSED),
        ("10.244.0.4", 80, Outcome.REFUSED),
    ],
)
def test_where_connections_end_without_policy(ip: str, number: int, outcome: Outcome) -> None:
    assert reach(view(), ip, number).outcome is outcome


@pytest.mark.parametrize(
    ("policy", "outcome"),
    [
        (rule({"port": 9000}), Outcome.OPEN),
        (rule({"port": 80}), Outcome.TIMEOUT),
        (rule({"port": 9000, "protocol": "UDP"}), Outcome.TIMEOUT),
        (rule({"port": 9000}, to=[{"podSelector": {"matchLabels": {"app": "api"}}}]), Outcome.OPEN),
        (rule({"port": 9000}, to=[{"podSelector": {"matchLabels": {"app": "db"}}}]), Outcome.TIMEOUT),
        (rule({"port": 9000}, to=[{"ipBlock": {"cidr": "10.96.0.0/16"}}]), Outcome.TIMEOUT),
    ],
)
def test_policy_judges_the_pods_port_behind_the_service(policy: dict[str, Any], outcome: Outcome) -> None:
    assert reach(build([policy]), "10.96.125.27", 80).outcome is outcome


def test_a_denied_closed_port_is_silent() -> None:
    assert reach(view("denied"), "10.244.0.6", 81).outcome is Outcome.TIMEOUT


def test_a_pod_reaches_itself_under_any_policy() -> None:
    assert reach(view("denied"), "10.244.0.6", 9000, name="api").outcome is Outcome.OPEN


def test_the_backend_of_a_service_is_always_the_same_in_one_state() -> None:
    state = view()
    ends = {reach(state, "10.96.0.10", 53, "UDP").destination["metadata"]["name"] for _ in range(5)}  # type: ignore[index]
    assert len(ends) == 1


def test_policies_are_compiled_once_for_each_state() -> None:
    state = view()
    reach(state, "10.244.0.6", 9000)
    compiled = state.cache["policy"]
    reach(state, "10.244.0.7", 5432)
    assert state.cache["policy"] is compiled


# -- names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "values"),
    [
        ("api.shop.svc.cluster.local", dns.A, ("10.96.125.27",)),
        ("API.shop.svc.cluster.local.", dns.A, ("10.96.125.27",)),
        ("api.shop.svc.cluster.local", dns.AAAA, ()),
        ("apih.shop.svc.cluster.local", dns.A, ("10.244.0.6",)),
        ("10-244-0-6.apih.shop.svc.cluster.local", dns.A, ("10.244.0.6",)),
        ("10-244-0-7.shop.pod.cluster.local", dns.A, ("10.244.0.7",)),
        (
            "_dns._udp.kube-dns.kube-system.svc.cluster.local",
            dns.SRV,
            ("0 100 53 kube-dns.kube-system.svc.cluster.local",),
        ),
        ("7.0.244.10.in-addr.arpa", dns.PTR, ("10-244-0-7.db.shop.svc.cluster.local",)),
        ("shop.svc.cluster.local", dns.A, ()),
        ("api.nowhere.svc.cluster.local", dns.A, None),
        ("api.shop", dns.A, None),
        ("example.com", dns.A, None),
        ("x-y.shop.pod.cluster.local", dns.A, None),
        ("9.9.9.9.in-addr.arpa", dns.PTR, None),
    ],
)
def test_the_zone(name: str, kind: int, values: tuple[str, ...] | None) -> None:
    assert dns.records(view(), name, kind) == values


@pytest.mark.parametrize(
    ("setup", "result"),
    [("open", dns.Result.FOUND), ("denied", dns.Result.TIMEOUT), ("no-dns-pods", dns.Result.REFUSED)],
)
def test_a_lookup_is_traffic(setup: str, result: dns.Result) -> None:
    state = view(setup)
    made = state.get("pods", "shop", "web")
    assert made is not None
    assert dns.resolve(state, made, "api").result is result


def test_udp_alone_answers_udp_only() -> None:
    state = view("udp-only")
    made = state.get("pods", "shop", "web")
    assert made is not None
    name = "api.shop.svc.cluster.local"
    assert dns.ask(state, made, name).result is dns.Result.FOUND
    assert dns.ask(state, made, name, protocol="TCP").result is dns.Result.TIMEOUT


def test_a_rule_for_port_53_does_not_serve_a_name_server_that_listens_elsewhere() -> None:
    ports = [port(5353, "dns", "UDP")]
    moved = service("shop", "mydns", "10.96.7.7", [port(53, "dns", "UDP")])
    base = build([DENY, DNS_UDP])
    objects = {
        **base.objects,
        "services": {**base.objects["services"], ("shop", "mydns"): moved},
        "endpointslices": {
            **base.objects["endpointslices"],
            ("shop", "mydns-1"): slice_("shop", "mydns", ports, "10.244.0.2"),
        },
    }
    assert reach(View(objects, 2, base.at), "10.96.7.7", 53, "UDP").outcome is Outcome.TIMEOUT


def query(name: str, kind: int = dns.A) -> bytes:
    labels = b"".join(bytes([len(p)]) + p.encode() for p in name.split("."))
    return struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)


def test_a_raw_answer_names_the_address() -> None:
    answer = dns.answer_message(view(), query("api.shop.svc.cluster.local"))
    ident, flags, questions, answers, authority, _more = struct.unpack_from("!HHHHHH", answer)
    assert (ident, flags, questions, answers, authority) == (7, 0x8500, 1, 1, 0)
    assert answer[-4:] == bytes([10, 96, 125, 27])


def test_a_raw_answer_for_no_such_name_carries_the_zones_authority() -> None:
    answer = dns.answer_message(view(), query("nope.shop.svc.cluster.local"))
    assert struct.unpack_from("!HHHHHH", answer)[1:5] == (0x8503, 1, 0, 1)


@pytest.mark.parametrize(
    "raw", [b"", b"short", b"\0" * 12, query("api")[:-3], query("a" * 63)[:20] + b"\xc0\x0c\0\1\0\1"]
)
def test_a_malformed_query_is_answered_or_ignored_but_never_fails(raw: bytes) -> None:
    answer = dns.answer_message(view(), raw)
    assert answer == b"" or answer[2] & 0x80


# -- images ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("container", "listens"),
    [
        ({"image": "busybox", "args": ["httpd", "-f", "-p", "8080"]}, [8080]),
        ({"image": "busybox:1.37", "command": ["sh", "-c", "nc -lk -p 9000 & sleep infinity"]}, [9000]),
        ({"image": "docker.io/library/busybox:1.36", "command": ["sleep", "infinity"]}, []),
        ({"image": "nginx:1.29"}, [80]),
        ({"image": "registry.k8s.io/pause:3.10"}, []),
        ({"image": "registry.k8s.io/e2e-test-images/agnhost:2.53", "args": ["netexec", "--http-port=8085"]}, [8085]),
        ({"image": "quay.io/some/thing:1"}, []),
        (
            {
                "image": "busybox",
                "command": ["sh", "/kubetutor/workload.sh"],
                "args": ["listen=8080/TCP:w", "listen=1/TCP"],
            },
            [8080, 1],
        ),
    ],
)
def test_what_a_container_listens_on(container: dict[str, Any], listens: list[int]) -> None:
    assert [x.port for x in images.process(container).listeners if x.protocol == "TCP"] == listens


@pytest.mark.parametrize(
    "args", [["listen=x"], ["listen="], ["call="], ["every=0"], ["every=soon"], ["listen=99999999"], ["else"]]
)
def test_nonsense_for_the_workload_script_makes_no_error(args: list[str]) -> None:
    made = images.process({"image": "busybox", "command": ["sh", "/kubetutor/workload.sh"], "args": args})
    assert made.scripted
    assert made.every >= 1
    assert made.listeners == ()


def test_udp_scan_cannot_tell_silence_from_success() -> None:
    assert sh(view("denied"), "nc -zu -w 1 10.244.0.2 53").code == 0
    assert sh(view(), "nc -zu -w 1 10.244.0.6 53").code == 1


def test_one_pod_more_is_seen() -> None:
    extra = pod("shop", "more", "10.244.0.40", ["listen=80/TCP:more"])
    assert sh(build(more=[extra]), "wget -q -O- http://10.244.0.40/").out == "more\n"

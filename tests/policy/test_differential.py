"""The engine against the oracle, on worlds neither was written for."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.policy import oracle
from tutor.policy import Cluster, ContainerPort, External, Pod, Protocol, validate

KEYS, VALUES, SPACES = ["app"], ["a", "b", ""], ["n1", "n2"]
PORTS, PROTOCOLS, PORT_NAMES = [80, 81], ["TCP", "UDP"], ["web"]
FLOWS = [(80, "TCP"), (81, "TCP"), (80, "UDP"), (80, "SCTP")]
IPS = ["10.0.0.1", "10.0.0.2", "10.0.1.1", "fd00:0:0:0:0:0:0:1", "fd00:0:0:1:0:0:0:1"]
BLOCKS = ["0.0.0.0/0", "10.0.0.7/24", "10.0.0.1/32", "fd00:0:0:0:0:0:0:0/32", "fd00:0:0:1:0:0:0:5/64"]

labels = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES))
some = st.lists(st.sampled_from(VALUES), min_size=1, max_size=2)
expression = st.builds(
    lambda key, op, values: {"key": key, "operator": op} | ({"values": values} if op.endswith("In") else {}),
    st.sampled_from(KEYS),
    st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]),
    some,
)
selector = st.one_of(
    st.builds(lambda e: {"matchExpressions": [e]}, expression),
    st.fixed_dictionaries({}, optional={"matchLabels": labels, "matchExpressions": st.lists(expression, max_size=1)}),
)


@st.composite
def block(draw: st.DrawFn) -> dict[str, Any]:
    cidr = draw(st.sampled_from(BLOCKS))
    length = int(cidr.split("/")[1])
    inner = [b for b in BLOCKS if int(b.split("/")[1]) > length and oracle.inside(b.split("/")[0], cidr)]
    found: dict[str, Any] = {"cidr": cidr}
    if inner and draw(st.booleans()):
        found["except"] = draw(st.lists(st.sampled_from(inner), min_size=1, max_size=2))
    return found


peer = st.one_of(
    st.fixed_dictionaries({"podSelector": selector}, optional={"namespaceSelector": selector}),
    st.fixed_dictionaries({"namespaceSelector": selector}),
    st.fixed_dictionaries({"ipBlock": block()}),
)
numbered = st.builds(
    lambda port, more: {"port": port} | ({"endPort": port + more} if more is not None else {}),
    st.sampled_from(PORTS),
    st.sampled_from([None, None, 0, 1, 400]),
)
port_entry = st.builds(
    lambda where, protocol: where | ({"protocol": protocol} if protocol else {}),
    st.one_of(numbered, st.just({}), st.sampled_from([{"port": n} for n in PORT_NAMES])),
    st.sampled_from([None, *PROTOCOLS]),
)


def rule(side: str) -> st.SearchStrategy[dict[str, Any]]:
    """Mostly one peer and any port, so that one peer decides often."""
    peers, ports = st.lists(peer, min_size=1, max_size=2), st.lists(port_entry, max_size=2)
    return st.one_of(
        st.fixed_dictionaries({side: st.lists(peer, min_size=1, max_size=1)}),
        st.fixed_dictionaries({"ports": st.lists(port_entry, min_size=1, max_size=1)}),
        st.fixed_dictionaries({}, optional={side: peers, "ports": ports}),
    )


def section(side: str) -> st.SearchStrategy[Any]:
    return st.one_of(st.lists(rule(side), min_size=1, max_size=1), st.lists(rule(side), max_size=2), st.none())


spec = st.one_of(
    st.fixed_dictionaries({"policyTypes": st.just(["Ingress"]), "ingress": section("from")}),
    st.fixed_dictionaries({"policyTypes": st.just(["Egress"]), "egress": section("to")}),
    st.fixed_dictionaries(
        {},
        optional={
            "podSelector": selector,
            "policyTypes": st.sampled_from([[], ["Ingress"], ["Egress"], ["Ingress", "Egress"]]),
            "ingress": section("from"),
            "egress": section("to"),
        },
    ),
)
policies = st.lists(
    st.builds(lambda ns, s: {"metadata": {"name": "p", "namespace": ns}, "spec": s}, st.sampled_from(SPACES), spec),
    min_size=1,
    max_size=3,
)
pod = st.fixed_dictionaries(
    {
        "namespace": st.sampled_from(SPACES),
        "labels": st.one_of(st.just({}), labels),
        "ips": st.lists(st.sampled_from(IPS), min_size=1, max_size=2),
        "ports": st.lists(
            st.tuples(st.sampled_from(PORT_NAMES), st.sampled_from(PORTS), st.sampled_from(PROTOCOLS)), max_size=2
        ),
    }
)
outside = st.fixed_dictionaries({"ips": st.lists(st.sampled_from(IPS), min_size=1, max_size=1)})
ends_of_world = st.tuples(pod, pod, pod, outside)
worlds = st.fixed_dictionaries(
    {"namespaces": st.fixed_dictionaries(dict.fromkeys(SPACES, labels)), "policies": policies}
)


def as_endpoint(end: dict[str, Any], name: str) -> Pod | External:
    if "namespace" not in end:
        return External(end["ips"][0])
    ports = tuple(ContainerPort(n, p, Protocol(t)) for n, p, t in end["ports"])
    return Pod(end["namespace"], name, end["labels"], tuple(end["ips"]), ports)


@settings(max_examples=400, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds, ends_of_world, st.booleans())
def test_the_engine_agrees_with_the_oracle(
    world: dict[str, Any], ends: tuple[dict[str, Any], ...], known: bool
) -> None:
    assert [e for p in world["policies"] for e in validate(p)] == []
    made = [(end, as_endpoint(end, f"e{i}")) for i, end in enumerate(ends)]
    pods = [e for _, e in made if isinstance(e, Pod)] if known else []
    cluster = Cluster.build(world["namespaces"], pods, world["policies"])
    for source, a in made:
        for destination, b in made:
            for port, protocol in FLOWS:
                wanted = oracle.allows(source, destination, port, protocol, world)
                verdict = cluster.decide(a, b, port, Protocol(protocol))
                assert verdict.allowed is wanted, verdict.reason
                check_explanation(verdict)


def check_explanation(verdict: Any) -> None:
    """What every verdict's explanation keeps to, whatever the world."""
    for side in (verdict.egress, verdict.ingress):
        assert side.isolated is bool(side.selected_by)
        assert (side.allowed_by is not None) <= (side.allowed is True)
        if side.allowed is False:
            assert side.near_misses
            assert {m.policy for m in side.near_misses if m.code != "one-side"} == set(side.selected_by)
            assert all(m.why and m.code for m in side.near_misses)
            assert [m.distance for m in side.near_misses if m.code != "one-side"] == sorted(
                m.distance for m in side.near_misses if m.code != "one-side"
            )
        else:
            assert side.near_misses == ()
    assert verdict.reason.endswith(".")

"""What a probe's end means. The outputs are those of busybox 1.35 in a pod of a real cluster."""

from __future__ import annotations

import pytest

from tests.verify.fakes import DyingPod, EverythingTimesOut, SilentProber, pod, says
from tutor.verify.probe import Probe, Prober, Seen, judge, script
from tutor.verify.world import CannotCheck

ANSWER = "00 30 12 34 81 80 00 01 00 01 00 00 00 00 03 61 70 69"
NXDOMAIN = "00 30 12 34 81 83 00 01 00 00 00 00 00 00 03 61 70 69"


@pytest.mark.parametrize(
    ("kind", "code", "output", "seen"),
    [
        ("tcp", 0, "", Seen.OPEN),
        ("tcp", 143, "|Terminated|", Seen.TIMEOUT),
        ("tcp", 124, "", Seen.TIMEOUT),
        ("tcp", 1, "nc: 10.0.0.1 (10.0.0.1:9): Connection refused|", Seen.REFUSED),
        ("tcp", 1, "nc: can't connect to remote host (10.0.0.1): Connection refused|", Seen.REFUSED),
        ("tcp", 1, "|", Seen.REFUSED),
        ("tcp", 1, "nc: can't connect to remote host (10.0.0.1): Connection timed out|", Seen.TIMEOUT),
        ("tcp", 127, "sh: nc: not found|", Seen.BROKEN),
        ("tcp", 126, "", Seen.BROKEN),
        ("http", 0, "web|", Seen.OPEN),
        ("http", 1, "wget: bad address 'nosuch.shop:80'|", Seen.NO_NAME),
        ("http", 1, "wget: can't connect to remote host (10.0.0.1): Connection refused|", Seen.REFUSED),
        ("http", 1, "wget: server returned error: HTTP/1.1 500|", Seen.BROKEN),
        ("udp", 143, "nslookup: read: Connection refused|Terminated|", Seen.REFUSED),
        ("udp", 143, "Terminated|", Seen.TIMEOUT),
        ("udp", 1, "Server:\t10.0.0.1|** server can't find kubetutor.invalid: NXDOMAIN|", Seen.OPEN),
        ("dns-udp", 0, "Server:\t10.96.0.10|Name:\tapi.shop|Address: 10.96.1.1|", Seen.OPEN),
        ("dns-udp", 1, "** server can't find x: NXDOMAIN|", Seen.NO_NAME),
        ("dns-udp", 143, "", Seen.TIMEOUT),
        ("dns-udp", 143, "nslookup: read: Connection refused|Terminated|", Seen.REFUSED),
        ("dns-udp", 0, "Server:\t10.96.0.10||", Seen.BROKEN),
        ("dns-tcp", 0, ANSWER, Seen.OPEN),
        ("dns-tcp", 0, NXDOMAIN, Seen.NO_NAME),
        ("dns-tcp", 0, "", Seen.TIMEOUT),
        ("dns-tcp", 0, "nc: can't connect to remote host (10.0.0.1): Connection refused|", Seen.REFUSED),
        ("dns-tcp", 0, ANSWER.replace("12 34", "99 99"), Seen.BROKEN),
    ],
)
def test_judge(kind: str, code: int, output: str, seen: Seen) -> None:
    assert judge(Probe(kind, pod("web"), "10.0.0.1", 53, "api.shop"), code, output).seen is seen  # type: ignore[arg-type]


def test_only_an_answer_counts_as_open() -> None:
    for prober in (SilentProber(), says("Segmentation fault\n"), says("@7 0 |\n"), says("@x 0 |\n")):
        (result,) = Prober(prober).run([Probe("tcp", pod("web"), "10.0.0.1", 80)])
        assert result.seen is Seen.BROKEN


def test_a_dying_pod_spoils_its_own_probes_only() -> None:
    probes = [Probe("tcp", pod(n), "10.0.0.1", 80) for n in ("web-1", "api-1")]
    results = Prober(DyingPod(EverythingTimesOut(), "web")).run(probes)
    assert [r.seen for r in results] == [Seen.BROKEN, Seen.TIMEOUT]
    assert "connection reset" in results[0].detail


def test_results_come_back_in_the_order_asked() -> None:
    probes = [Probe("tcp", pod(n), f"10.0.0.{i}", 80) for i, n in enumerate("abab")]
    text = {"uid-a": "@1 0 |\n@0 143 |\n", "uid-b": "@0 0 |\n@1 1 |\n"}
    results = Prober(lambda p, _: (0, text[p["metadata"]["uid"]])).run(probes)
    assert [r.seen for r in results] == [Seen.TIMEOUT, Seen.OPEN, Seen.OPEN, Seen.REFUSED]


def test_a_datagram_goes_to_the_port_asked_for() -> None:
    assert Probe("udp", pod("web"), "10.0.0.1", 53).command().endswith("kubetutor.invalid 10.0.0.1")
    assert Probe("udp", pod("web"), "10.0.0.1", 5353).command().endswith("kubetutor.invalid 10.0.0.1:5353")


def test_the_probes_of_one_pod_run_side_by_side() -> None:
    text = script([Probe("tcp", pod("web"), "10.0.0.1", p) for p in (80, 81)])
    assert text.count("} &\n") == 2
    assert text.endswith("wait")


def test_a_file_that_cannot_be_read_is_no_verdict() -> None:
    with pytest.raises(CannotCheck, match="cannot be read"):
        Prober(lambda *_: (1, "")).read(pod("web"), "/etc/resolv.conf")
    with pytest.raises(CannotCheck, match="connection reset"):
        Prober(DyingCat()).read(pod("web"), "/etc/resolv.conf")


class DyingCat:
    """Breaks off whatever is run."""

    def __call__(self, *_: object) -> tuple[int, str]:
        raise ConnectionResetError("connection reset by peer")

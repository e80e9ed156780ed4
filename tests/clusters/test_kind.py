"""The kind provider against a kind that is played: names, errors with cures, and what it must never delete."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tutor.clusters.kind import KindProvider
from tutor.clusters.process import CommandMissing, CommandTimeout, Completed
from tutor.clusters.provider import ClusterSpec, ClusterState, Handle, Role
from tutor.errors import NotFound, ProvisionError, Unavailable

INSTALLATION = "abcdef0123"


class PlayedKind:
    """Keeps clusters as names and writes kubeconfigs, as kind does."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.calls: list[list[str]] = []
        self.fails: dict[str, str] = {}
        self.raises: dict[str, Exception] = {}

    def __call__(self, argv: Sequence[str], **_: Any) -> Completed:
        self.calls.append(list(argv))
        verb = argv[1]
        if verb in self.raises:
            raise self.raises[verb]
        if verb in self.fails:
            return Completed(1, "", self.fails[verb])
        name = argv[argv.index("--name") + 1] if "--name" in argv else ""
        if verb == "get":
            return Completed(0, "\n".join(self.names) + "\n", "")
        if verb == "create":
            self.names.append(name)
        if verb in ("create", "export"):
            self._write(Path(argv[argv.index("--kubeconfig") + 1]))
        if verb == "delete" and name in self.names:
            self.names.remove(name)
        return Completed(0, "", "")

    def _write(self, path: Path) -> None:
        def b64(text: str) -> str:
            return base64.b64encode(text.encode()).decode()

        cluster = {"server": "https://127.0.0.1:1", "certificate-authority-data": b64("ca")}
        user = {"client-certificate-data": b64("cert"), "client-key-data": b64("key")}
        path.write_text(yaml.safe_dump({"clusters": [{"cluster": cluster}], "users": [{"user": user}]}))


@pytest.fixture
def kind() -> PlayedKind:
    return PlayedKind()


@pytest.fixture
def make(tmp_path: Path, kind: PlayedKind) -> Callable[..., KindProvider]:
    return lambda **more: KindProvider(tmp_path / "kind", INSTALLATION, runner=kind, **more)


def test_create_names_image_and_private_kubeconfig(
    make: Callable[..., KindProvider], kind: PlayedKind, tmp_path: Path
) -> None:
    handle = make(image="node:v1").create(ClusterSpec("0a1b2c"))
    created = next(c for c in kind.calls if c[1] == "create")
    config = tmp_path / "kind" / "kubetutor-abcdef-0a1b2c.kubeconfig"
    assert created == [
        *("kind", "create", "cluster", "--name", "kubetutor-abcdef-0a1b2c"),
        *("--kubeconfig", str(config), "--wait", "120s", "--image", "node:v1"),
    ]
    assert config.stat().st_mode & 0o777 == 0o600
    assert handle.data == {"name": "kubetutor-abcdef-0a1b2c"}
    access = make().access(handle, Role.LEARNER)
    assert (access.server, access.client_key_pem) == ("https://127.0.0.1:1", "key")
    assert "key" not in repr(access)


def test_a_lost_kubeconfig_is_fetched_again(make: Callable[..., KindProvider], tmp_path: Path) -> None:
    handle = make().create(ClusterSpec("0a"))
    (tmp_path / "kind" / "kubetutor-abcdef-0a.kubeconfig").unlink()
    assert make().access(handle, Role.VERIFIER).ca_pem == "ca"


def test_a_half_made_cluster_is_made_anew(make: Callable[..., KindProvider], kind: PlayedKind) -> None:
    kind.names = ["kubetutor-abcdef-0a"]
    make().create(ClusterSpec("0a"))
    assert [c[1] for c in kind.calls if c[1] in ("delete", "create")] == ["delete", "create"]


def test_only_our_own_are_owned_and_deleted(make: Callable[..., KindProvider], kind: PlayedKind) -> None:
    kind.names = ["kind", "kubetutor-ffffff-0a", "kubetutor-abcdef-0a"]
    provider = make()
    assert [h.lab_id for h in provider.owned()] == ["0a"]
    with pytest.raises(Unavailable, match="left alone"):
        provider.delete(Handle("kind", "x", {"name": "kind"}))
    provider.delete(Handle("kind", "0a"))
    assert kind.names == ["kind", "kubetutor-ffffff-0a"]


def test_a_cluster_that_is_gone(make: Callable[..., KindProvider]) -> None:
    gone = Handle("kind", "0a")
    assert make().state(gone) is ClusterState.ABSENT
    with pytest.raises(NotFound):
        make().access(gone, Role.LEARNER)


@pytest.mark.parametrize(
    ("stderr", "says", "permanent"),
    [
        ("ERROR: ... Cannot connect to the Docker daemon at unix:///x", "engine is not running", False),
        (
            "permission denied while trying to connect to the Docker daemon socket",
            "may not use the container engine",
            True,
        ),
        ('ERROR: failed to create cluster: failed to pull image "kindest/node:v9"', "node image cannot be had", True),
        ("write /x: no space left on device", "disk is full", False),
        ("ERROR: something quite new", "something quite new", False),
    ],
)
def test_errors_of_kind_are_told_with_their_cure(
    make: Callable[..., KindProvider], kind: PlayedKind, stderr: str, says: str, permanent: bool
) -> None:
    kind.fails["create"] = stderr
    with pytest.raises(ProvisionError, match=says) as e:
        make().create(ClusterSpec("0a"))
    assert e.value.cure
    assert e.value.log == stderr
    assert e.value.permanent is permanent
    assert kind.calls[-1][1] == "delete", "what was begun is removed"


def test_kind_is_missing(make: Callable[..., KindProvider], kind: PlayedKind) -> None:
    kind.raises["get"] = CommandMissing("The command kind cannot be run here.", cure="Install kind.")
    found = make().available()
    assert (found.ok, found.reason, found.cure) == (False, "The kind command is not installed.", "Install kind.")
    with pytest.raises(ProvisionError) as e:
        make().create(ClusterSpec("0a"))
    assert e.value.permanent
    assert make().state(Handle("kind", "0a")) is ClusterState.FAILED


def test_kind_takes_too_long(make: Callable[..., KindProvider], kind: PlayedKind) -> None:
    kind.raises["create"] = CommandTimeout("kind took longer", output="Preparing nodes")
    with pytest.raises(ProvisionError, match="too long") as e:
        make().create(ClusterSpec("0a"))
    assert e.value.log == "Preparing nodes"

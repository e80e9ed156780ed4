"""Real clusters, one for each lab, made by the ``kind`` command in containers."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from tutor.clusters.api import KubeApi
from tutor.clusters.process import CommandMissing, CommandTimeout, Completed, run
from tutor.clusters.provider import Access, Availability, ClusterSpec, ClusterState, Handle, Role
from tutor.errors import KubetutorError, NotFound, ProvisionError, Unavailable

Runner = Callable[..., Completed]
_CREATE_S = 300.0
_WAIT_S = 120
_ASK_S = 30.0
_DELETE_S = 120.0
_LOG_TAIL = 4000

_CAUSES: Sequence[tuple[str, str, str, bool]] = (
    # a piece of the command's output, what it means, its cure, whether trying again is useless
    (
        r"cannot connect to the docker daemon|is the docker daemon running|failed to connect to the docker api",
        "The container engine is not running.",
        "Start Docker (or Podman), then open the lab again.",
        False,
    ),
    (
        r"permission denied.*docker(\.sock|_api)|permission denied while trying to connect",
        "This user may not use the container engine.",
        "Add the user to the docker group and log in again.",
        True,
    ),
    (
        r"failed to pull image|manifest unknown|pull access denied|no such image|not found: manifest",
        "The node image cannot be had.",
        "Set KUBETUTOR_KIND_IMAGE to a node image that this machine has or can pull.",
        True,
    ),
    (r"no space left on device", "The disk is full.", "Free some space, then open the lab again.", False),
    (
        r"could not find a log line that matches|too many open files|inotify",
        "The node did not start: the machine is short of file watches.",
        "Raise fs.inotify.max_user_instances to 512, then open the lab again.",
        False,
    ),
    (
        r"executable file not found|unable to detect provider|docker.*not found",
        "There is no container engine on this machine.",
        "Install Docker or Podman.",
        True,
    ),
)


class KindProvider:
    """Clusters of the ``kind`` command.

    Names are ``kubetutor-<installation>-<lab id>``; the installation id keeps two Kubetutors on one machine apart, so that
    neither deletes what the other made.

    :param directory: private files (kubeconfigs), made with mode 0700.
    :param installation: id of this installation, hex.
    """

    name = "kind"

    def __init__(
        self, directory: Path, installation: str, *, command: str = "kind", image: str = "", runner: Runner = run
    ) -> None:
        self._directory = directory
        self._prefix = f"kubetutor-{installation[:6]}-"
        self._command = command
        self._image = image
        self._run = runner

    def available(self) -> Availability:
        """Whether kind and a container engine answer here; never raises."""
        try:
            done = self._run([self._command, "get", "clusters"], timeout=_ASK_S)
        except CommandMissing as e:
            return Availability(False, "The kind command is not installed.", e.cure)
        except KubetutorError as e:
            return Availability(False, e.message, e.cure)
        if done.code != 0:
            error = _explain(done.stderr, "The kind command fails.")
            return Availability(False, error.message, error.cure)
        return Availability(True)

    def create(self, spec: ClusterSpec) -> Handle:
        """Make a one-node cluster (about 15 s with the image at hand); one that is there and answers is taken as it is."""
        name = self._prefix + spec.lab_id
        handle = Handle(self.name, spec.lab_id, {"name": name})
        if name in self._names():
            if self._answers(handle):
                return handle
            self._delete(name)  # a half-made one, left by a crash
        config = self._kubeconfig(name)
        argv = [
            self._command,
            "create",
            "cluster",
            "--name",
            name,
            "--kubeconfig",
            str(config),
            "--wait",
            f"{_WAIT_S}s",
        ]
        if self._image:
            argv += ["--image", self._image]
        try:
            done = self._run(argv, timeout=_CREATE_S)
        except CommandMissing as e:
            raise ProvisionError("The kind command is not installed.", cure=e.cure, permanent=True) from e
        except CommandTimeout as e:
            self._delete(name)
            raise ProvisionError(
                "kind took too long to make the cluster.",
                cure="Look at the machine's load, then try again.",
                log=e.output,
            ) from e
        if done.code != 0:
            self._delete(name)
            raise _explain(done.stderr, "kind could not make the cluster.")
        config.chmod(0o600)
        return handle

    def state(self, handle: Handle) -> ClusterState:
        """What there is now; never raises."""
        try:
            if self._name(handle) not in self._names():
                return ClusterState.ABSENT
        except Unavailable:
            return ClusterState.FAILED
        return ClusterState.READY if self._answers(handle) else ClusterState.CREATING

    def access(self, handle: Handle, role: Role) -> Access:
        """The cluster's administrator, for both roles: a kind cluster is the learner's own.

        :raises NotFound: the cluster is gone.
        """
        name = self._name(handle)
        config = self._kubeconfig(name)
        if not config.exists():
            if name not in self._names():
                raise NotFound("This lab's cluster is gone.", cure="Open the lab again.")
            done = self._run(
                [self._command, "export", "kubeconfig", "--name", name, "--kubeconfig", str(config)], timeout=_ASK_S
            )
            if done.code != 0:
                raise _explain(done.stderr, "kind gives no access to the cluster.")
            config.chmod(0o600)
        return _read(config)

    def delete(self, handle: Handle) -> None:
        """Delete the cluster and its kubeconfig. A name without our prefix is refused."""
        self._delete(self._name(handle))

    def owned(self) -> Iterable[Handle]:
        """Our clusters, by their names."""
        return [
            Handle(self.name, n.removeprefix(self._prefix), {"name": n})
            for n in self._names()
            if n.startswith(self._prefix)
        ]

    def _name(self, handle: Handle) -> str:
        return str(handle.data.get("name") or self._prefix + handle.lab_id)

    def _kubeconfig(self, name: str) -> Path:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self._directory / f"{name}.kubeconfig"

    def _names(self) -> list[str]:
        try:
            done = self._run([self._command, "get", "clusters"], timeout=_ASK_S)
        except CommandMissing as e:
            raise ProvisionError("The kind command is not installed.", cure=e.cure, permanent=True) from e
        if done.code != 0:
            raise _explain(done.stderr, "The kind command fails.")
        return done.stdout.split()

    def _answers(self, handle: Handle) -> bool:
        try:
            with KubeApi(self.access(handle, Role.VERIFIER), timeout=5) as api:
                nodes = api.list("/api/v1/nodes").get("items", [])
        except KubetutorError:
            return False
        return any(
            c["type"] == "Ready" and c["status"] == "True" for n in nodes for c in n["status"].get("conditions", [])
        )

    def _delete(self, name: str) -> None:
        if not name.startswith(self._prefix):
            raise Unavailable(f"The cluster {name} was not made by this Kubetutor, so it is left alone.")
        config = self._kubeconfig(name)
        done = self._run(
            [self._command, "delete", "cluster", "--name", name, "--kubeconfig", str(config)], timeout=_DELETE_S
        )
        if done.code != 0:
            raise _explain(done.stderr, "kind could not delete the cluster.")
        for path in (config, config.with_name(config.name + ".lock")):
            path.unlink(missing_ok=True)


def _explain(stderr: str, otherwise: str) -> ProvisionError:
    for pattern, message, cure, permanent in _CAUSES:
        if re.search(pattern, stderr, re.IGNORECASE):
            return ProvisionError(message, cure=cure, permanent=permanent, log=stderr[-_LOG_TAIL:])
    last = next((line for line in stderr.splitlines() if line.startswith("ERROR")), "").removeprefix("ERROR:").strip()
    return ProvisionError(
        f"{otherwise} {last[:300]}".strip(), cure="Run kubetutor doctor, then try again.", log=stderr[-_LOG_TAIL:]
    )


def _read(path: Path) -> Access:
    def pem(encoded: Any) -> str:
        return base64.b64decode(encoded).decode()

    try:
        config = yaml.safe_load(path.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        return Access(
            server=cluster["server"],
            ca_pem=pem(cluster["certificate-authority-data"]),
            client_cert_pem=pem(user["client-certificate-data"]),
            client_key_pem=pem(user["client-key-data"]),
        )
    except (OSError, KeyError, IndexError, TypeError, ValueError, yaml.YAMLError) as e:
        raise NotFound("This lab's kubeconfig cannot be read.", cure="Reset the lab.") from e

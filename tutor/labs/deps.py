"""What the lab services are made of. ``app`` puts the real parts together, tests put in their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tutor.clusters.provider import Access, Handle, Provider, Role
from tutor.content.models import Lab
from tutor.errors import NotFound, Unavailable
from tutor.labs.logs import collect
from tutor.settings import Settings
from tutor.store.base import Database
from tutor.store.labs import SessionRecord

if TYPE_CHECKING:
    from tutor.verify import CheckResult, StageResult


class LabSource(Protocol):
    """Where lab content comes from: ``tutor.content.library.Library``."""

    def lab(self, slug: str) -> Lab:
        """:raises NotFound: no such lab."""
        ...

    def labs(self) -> Iterable[Lab]:
        """Every lab that can be used."""
        ...


class Verifier(Protocol):
    """What decides checks: the functions of ``tutor.verify``."""

    def run_stage(
        self, lab: Lab, stage_id: str, access: Access, *, answers: Mapping[str, str], now: Callable[[], datetime]
    ) -> StageResult:
        """Verify one stage by traffic."""
        ...

    def preflight(self, lab: Lab, access: Access) -> CheckResult:
        """Whether this cluster enforces policies at all."""
        ...


class RealVerifier:
    """``tutor.verify``, imported when first needed (its Kubernetes client takes half a second)."""

    def run_stage(
        self, lab: Lab, stage_id: str, access: Access, *, answers: Mapping[str, str], now: Callable[[], datetime]
    ) -> StageResult:
        """See :func:`tutor.verify.run_stage`."""
        from tutor import verify

        return verify.run_stage(lab, stage_id, access, answers=answers, now=now)

    def preflight(self, lab: Lab, access: Access) -> CheckResult:
        """See :func:`tutor.verify.preflight`."""
        from tutor import verify

        return verify.preflight(lab, access)


def utc_now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


def always(_learner: str, _lab: Lab) -> bool:
    """Every lab is open to everybody."""
    return True


@dataclass(frozen=True)
class Deps:
    """The parts, and the few things every service does with them.

    :param is_unlocked: whether a learner may open a lab (its lesson is passed).
    """

    settings: Settings
    database: Database
    library: LabSource
    providers: Mapping[str, Provider]
    verifier: Verifier = field(default_factory=RealVerifier)
    is_unlocked: Callable[[str, Lab], bool] = always
    now: Callable[[], datetime] = utc_now
    collect_logs: Callable[[Access, Lab], list[dict[str, Any]]] = collect

    def provider(self, name: str) -> Provider:
        """A provider by name.

        :raises NotFound: there is no such kind of cluster here.
        """
        found = self.providers.get(name)
        if found is None:
            raise NotFound(
                f'There is no kind of cluster called "{name}" here.',
                cure="There are: " + ", ".join(self.providers) + ".",
            )
        return found

    def handle(self, session: SessionRecord) -> Handle:
        """The handle of a session's cluster, also where a crash lost it: providers find a cluster by the lab's id."""
        return Handle(session.provider, session.id, dict(session.handle or {}))

    def access(self, session: SessionRecord, role: Role) -> Access:
        """A credential for a session's cluster.

        :raises NotFound: the cluster is gone. :raises Unavailable: it does not answer.
        """
        return self.provider(session.provider).access(self.handle(session), role)

    def directory(self, lab_id: str) -> Path:
        """A lab's private directory: ``work`` is the console's, ``home`` holds its kubeconfig.

        :raises Unavailable: it cannot be made.
        """
        path = self.settings.data_dir / "labs" / lab_id
        try:
            for part in ("work", "home"):
                (path / part).mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as e:
            raise Unavailable(
                f"The lab's directory cannot be made: {e.strerror}.", cure="Free some space, or set KUBETUTOR_DATA_DIR."
            ) from e
        return path


def json_of(result: Any) -> dict[str, Any]:
    """A result of ``tutor.verify`` as JSON."""
    found: dict[str, Any] = result.to_json()
    return found

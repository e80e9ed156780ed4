"""The lab services that pages and command line call. Everything returned is a plain frozen value."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tutor.clusters.provider import Access, Availability, Provider, Role
from tutor.content.models import Lab
from tutor.labs.attempts import Attempts, find_stage
from tutor.labs.deps import Deps, LabSource, RealVerifier, Verifier, always, utc_now
from tutor.labs.logs import collect
from tutor.labs.sessions import Sessions
from tutor.labs.views import (
    CheckView,
    ChoiceView,
    EvidenceView,
    LabView,
    ProviderChoice,
    StageView,
    html,
    lab_view,
    stage_view,
)
from tutor.settings import Settings
from tutor.store import labs as store
from tutor.store.base import Database
from tutor.store.labs import SessionRecord

if TYPE_CHECKING:
    from tutor.labs.apply import ApplyResult

__all__ = ["CheckView", "ChoiceView", "EvidenceView", "LabView", "Labs", "ProviderChoice", "StageView"]

_ABOUT = {
    "simulated": (
        "Simulated cluster",
        "Ready at once, needs nothing on this machine. kubectl is real; pods and packets are simulated.",
    ),
    "kind": (
        "Real cluster (kind)",
        "A real Kubernetes in containers on this machine: about 20 seconds to start, 500 MB of memory.",
    ),
}
_ASK_AGAIN_S = 30.0


class Labs:
    """Labs of learners.

    :param library: where lab content comes from.
    :param providers: the kinds of clusters, by name.
    :param is_unlocked: whether a learner may open a lab; everybody when omitted.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        library: LabSource,
        providers: Mapping[str, Provider],
        *,
        verifier: Verifier | None = None,
        is_unlocked: Callable[[str, Lab], bool] = always,
        now: Callable[[], datetime] = utc_now,
        collect_logs: Callable[[Access, Lab], list[dict[str, Any]]] = collect,
    ) -> None:
        self.deps = Deps(
            settings, database, library, providers, verifier or RealVerifier(), is_unlocked, now, collect_logs
        )
        self.sessions = Sessions(self.deps)
        self.attempts = Attempts(self.deps, self.sessions)
        self._available: dict[str, tuple[float, Availability]] = {}

    def stop(self) -> None:
        """Wait for work under way in this process."""
        self.sessions.stop()

    def warm(self) -> None:
        """Prepare for the first learner; meant for a thread of the process that serves pages. Never raises."""
        self.sessions.warm()

    # -- looking ---------------------------------------------------------------------------------

    def view(self, lab_id: str, learner_id: str) -> LabView:
        """A lab as it stands.

        :raises NotFound: there is no such lab, or it is another learner's.
        """
        return self._view(self.sessions.owned(lab_id, learner_id))

    def current(self, learner_id: str, slug: str) -> LabView | None:
        """The learner's open lab of this slug (also a failed one, or one being closed), None when there is none.

        :raises NotFound: there is no lab of this slug.
        """
        with self.deps.database.transaction() as tx:
            found = store.find_open(tx, learner_id, slug) or store.find_closing(tx, learner_id, slug)
        return self._view(found) if found else None

    def list(self, learner_id: str) -> tuple[LabView, ...]:
        """Every lab this learner ever opened, newest first; those whose content is gone are left out."""
        known = {lab.slug for lab in self._labs()}
        with self.deps.database.transaction() as tx:
            rows = store.of_learner(tx, learner_id)
        return tuple(self._view(r) for r in rows if r.slug in known)

    def earned(self, learner_id: str, slug: str) -> Mapping[str, datetime]:
        """When this learner first earned each stage, in any session of the lab."""
        with self.deps.database.transaction() as tx:
            return store.earned(tx, learner_id, slug)

    def unlocked(self, learner_id: str, slug: str) -> bool:
        """Whether this learner may open the lab."""
        return self.deps.is_unlocked(learner_id, self.deps.library.lab(slug))

    def choices(self, slug: str) -> tuple[ProviderChoice, ...]:
        """The kinds of clusters this lab runs on, with whether each can run here."""
        lab = self.deps.library.lab(slug)
        names = [n for n in lab.providers if n in self.deps.providers]
        default = self.deps.settings.provider if self.deps.settings.provider in names else next(iter(names), "")
        return tuple(self._choice(n, n == default) for n in names)

    def _choice(self, name: str, default: bool) -> ProviderChoice:
        title, about = _ABOUT.get(name, (name, ""))
        asked, found = self._available.get(name, (0.0, None))
        if found is None or not found.ok or time.monotonic() - asked > _ASK_AGAIN_S:
            found = self.deps.providers[name].available()
            self._available[name] = (time.monotonic(), found)
        return ProviderChoice(name, title, about, default, found.ok, found.reason, found.cure)

    # -- acting ----------------------------------------------------------------------------------

    def open(self, learner_id: str, slug: str, provider: str | None = None) -> LabView:
        """Open a lab; the open one of this learner and slug is returned when there is one. It gets ready in the background.

        :raises NotFound, Refused, InvalidInput: no such lab; still locked; not on this kind of cluster.
        """
        return self._view(self.sessions.open(learner_id, slug, provider))

    def touch(self, lab_id: str) -> None:
        """Somebody looks at this lab: it is watched for changes."""
        with self.deps.database.transaction() as tx:
            store.beat(tx, lab_id, self.deps.now())

    def check(self, lab_id: str, learner_id: str, stage_id: str) -> StageView:
        """Verify a stage now.

        :raises Conflict: the lab is not ready, the stage not open, or the lab ended while the check ran.
        """
        session = self.sessions.ready(lab_id, learner_id)
        self.attempts.check_stage(session, stage_id)
        return self._stage(session, stage_id)

    def answer(self, lab_id: str, learner_id: str, check_id: str, choice_id: str) -> StageView:
        """Answer a question of the lab; gives the stage it belongs to.

        :raises NotFound, InvalidInput, Conflict: no such question; no such choice; not open yet.
        """
        session = self.sessions.ready(lab_id, learner_id)
        stage = self.attempts.answer(session, check_id, choice_id)
        return self._stage(session, stage.id)

    def hint(self, lab_id: str, learner_id: str, stage_id: str, tier: int) -> str:
        """Open a hint, 1 (nudge) to 3 (answer), and give it as HTML. That it was opened is recorded."""
        return html(self.attempts.hint(self.sessions.owned(lab_id, learner_id), stage_id, tier))

    def extend(self, lab_id: str, learner_id: str) -> LabView:
        """More time.

        :raises Conflict: not ready. :raises Refused: it has the longest time already.
        """
        return self._view(self.sessions.extend(lab_id, learner_id))

    def reset(self, lab_id: str, learner_id: str) -> LabView:
        """A fresh cluster; credit stays. :raises Conflict: the lab is at no point where it can be reset."""
        return self._view(self.sessions.reset(lab_id, learner_id))

    def close(self, lab_id: str, learner_id: str) -> LabView:
        """End the lab and delete its cluster; again is fine."""
        return self._view(self.sessions.close(lab_id, learner_id))

    # -- the cluster -----------------------------------------------------------------------------

    def kubeconfig(self, lab_id: str, learner_id: str) -> str:
        """The learner's credential as a kubeconfig file. :raises Conflict: the lab is not ready."""
        session = self.sessions.ready(lab_id, learner_id)
        lab = self.deps.library.lab(session.slug)
        access = self.deps.access(session, Role.LEARNER)
        return access.kubeconfig(namespace=lab.namespaces[0], context=f"kubetutor-{lab.slug}")

    def apply(self, lab_id: str, learner_id: str, yaml_text: str, dry_run: bool) -> ApplyResult:
        """Apply the editor's manifests, or have the server try them. Problems name the editor's line.

        :raises Conflict: the lab is not ready.
        """
        from tutor.labs import apply as editor

        session = self.sessions.ready(lab_id, learner_id)
        lab = self.deps.library.lab(session.slug)
        access = self.deps.access(session, Role.LEARNER)
        if len(yaml_text) <= editor.MAX_BYTES:  # so that the console can use it: kubectl apply -f editor.yaml
            (self.deps.directory(session.id) / "work" / "editor.yaml").write_text(yaml_text)
        return editor.apply(access, yaml_text, namespace=lab.namespaces[0], dry_run=dry_run)

    def console(self, lab_id: str, learner_id: str, line: str) -> Iterator[dict[str, Any]]:
        """Run one console line: ``{"stream", "text"}`` values as output comes, at last ``{"exit": code}``.

        Closing the iterator ends the command.

        :raises Conflict: the lab is not ready (at once, before anything is run).
        """
        from tutor.labs.console import Console

        session = self.sessions.ready(lab_id, learner_id)
        directory = self.deps.directory(session.id)
        return Console(self.deps.settings.kubectl_command).run(directory, self.kubeconfig(lab_id, learner_id), line)

    def report(self, lab_id: str, learner_id: str) -> str:
        """The root-cause report as Markdown, made from what was recorded."""
        from tutor.labs.report import report

        session = self.sessions.owned(lab_id, learner_id)
        with self.deps.database.transaction() as tx:
            results, credits_ = store.results_of(tx, session.id), store.credits_of(tx, session.id)
        return report(self.deps.library.lab(session.slug), session, results, credits_)

    # -- inside ----------------------------------------------------------------------------------

    def _view(self, session: SessionRecord) -> LabView:
        lab = self.deps.library.lab(session.slug)
        return lab_view(lab, self.attempts.standing(session), self.deps.now())

    def _stage(self, session: SessionRecord, stage_id: str) -> StageView:
        lab = self.deps.library.lab(session.slug)
        return stage_view(lab, find_stage(lab, stage_id), self.attempts.standing(session))

    def _labs(self) -> tuple[Lab, ...]:
        return tuple(self.deps.library.labs())

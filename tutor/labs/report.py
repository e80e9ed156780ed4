"""The root-cause report as Markdown: log evidence, health, and the user's test, before and after.

Made from what was recorded and from nothing else, so the same records always give the same report.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tutor.content.models import Lab, Stage
from tutor.labs.views import PASSED, EvidenceView, evidence_view
from tutor.store.labs import CreditRecord, ResultRecord, SessionRecord

_MAX_LOG_LINES = 40
_FRESH = "kubetutor-canary-"
_HEALTH = ("workloads", "cluster-dns", "labels")
"""Kinds of checks that look at the state of workloads and of the name service."""
Flow = tuple[str, str]
"""From, to: as a reader knows them, not as pods of the day were called."""


@dataclass(frozen=True)
class _Moment:
    """Verifications that earned stages in one state of the lab: one column of the report. Later ones win."""

    results: Sequence[ResultRecord]
    names: Mapping[str, str] = field(default_factory=dict)

    def flows(self, *, control: bool) -> dict[Flow, EvidenceView]:
        """What was tried, by who called whom."""
        found: dict[Flow, EvidenceView] = {}
        for check in self.checks():
            for raw in check.get("evidence", ()):
                e = evidence_view(raw)
                if e.kind == "observed" and e.port and e.control is control:
                    found[(self._who(e.source), f"{self._who(e.destination)}:{e.port}/{e.protocol}")] = e
        return found

    def checks(self) -> list[dict[str, Any]]:
        """The recorded checks."""
        return [c for r in self.results for c in r.result.get("checks", [])]

    def log_lines(self) -> list[str]:
        """What the workloads logged then."""
        newest = self.results[-1].result.get("logs", ()) if self.results else ()
        lines = [f"{self._who(log['pod'])}: {line}" for log in newest for line in log["lines"] if "outcome=" in line]
        return list(dict.fromkeys(lines))[-_MAX_LOG_LINES:]

    def _who(self, name: str) -> str:
        if name in self.names:
            return self.names[name]
        if _FRESH in name:
            return name.partition("/")[0] + "/fresh pod"
        owner = re.fullmatch(r"(.+)-[a-z0-9]{6,10}-[a-z0-9]{5}", name)
        return owner[1] if owner else name


def report(
    lab: Lab, session: SessionRecord, results: Sequence[ResultRecord], credits_: Mapping[str, CreditRecord]
) -> str:
    """The report of one session.

    :param results: every verification, oldest first.
    """
    earning = {c.result: c.stage for c in credits_.values()}
    names = _names(lab, results)
    # A lab may also make its first look momentary; the last momentary stage is the breakage.
    breakage = next((s.id for s in reversed(lab.stages) if s.momentary), "")
    columns = _columns([r for r in results if r.id in earning], breakage)
    moments = [_Moment(column, names) for column in columns]
    parts = [
        _head(lab, session, credits_),
        _cause(lab, moments[1]),
        _logs(moments),
        _health(lab, moments),
        _user_test(moments),
        _closed(moments),
        _timeline(lab, results, credits_),
    ]
    return "\n\n".join(p for p in parts if p) + "\n"


def _columns(earned: Sequence[ResultRecord], breakage: str) -> list[list[ResultRecord]]:
    """First, broken, repaired. A stage of questions alone that follows the breakage still shows the broken state."""
    columns: list[list[ResultRecord]] = [[], [], []]
    at = 0
    for r in earned:
        sent = any(c.get("evidence") for c in r.result.get("checks", []))
        if r.stage == breakage:
            at = 1
        elif at == 1 and sent:
            at = 2
        columns[at].append(r)
    return columns


def _names(lab: Lab, results: Sequence[ResultRecord]) -> dict[str, str]:
    """Pod names and addresses, as they were when stages were earned, to the actors behind them."""
    actors = {a.id: f"{a.namespace}/{a.deployment}" for a in lab.actors}
    names: dict[str, str] = {}
    for r in results:
        for log in r.result.get("logs", ()):
            for key in (log.get("pod"), log.get("ip")):
                if key and log["actor"] in actors:
                    names[key] = actors[log["actor"]]
    for r in results:
        for raw in (e for c in r.result.get("checks", []) for e in c.get("evidence", ())):
            # A fresh pod's control is its own listener, whose address nothing else tells.
            if raw.get("control") and _FRESH in str(raw.get("source")) and raw.get("outcome") == "open":
                names.setdefault(str(raw["destination"]), str(raw["source"]).partition("/")[0] + "/fresh pod")
    return names


def _head(lab: Lab, session: SessionRecord, credits_: Mapping[str, CreditRecord]) -> str:
    done = sum(s.id in credits_ for s in lab.stages)
    whole = done == len(lab.stages)
    state = (
        "All stages are verified."
        if whole
        else f"{done} of {len(lab.stages)} stages are verified; this report is not complete."
    )
    return (
        f"# Root-cause report: {lab.title}\n\n"
        f"Lab session `{session.id}` on a {session.provider} cluster, opened {_at(session.created)}. {state}\n\n"
        "Every outcome below comes from traffic that was sent inside the cluster. *First* is the state before anything was "
        "enforced, *broken* the outage when it was verified, *repaired* the stages verified after it."
    )


def _cause(lab: Lab, broken: _Moment) -> str:
    titles = {c.id: c.title for s in lab.stages for c in s.checks}
    lines: list[str] = []
    for c in broken.checks():
        lines.append(f"- **{_text(titles.get(str(c['check']), str(c['check'])))}:** {_text(str(c.get('message', '')))}")
        lines += [f"  - {_text(str(d))}" for d in c.get("diagnosis") or ()]
    return "## What broke, and why\n\n" + (
        "\n".join(lines) if lines else "The outage was not verified in this session."
    )


def _logs(moments: Sequence[_Moment]) -> str:
    """What the workloads themselves logged when each state was verified."""

    def block(title: str, moment: _Moment) -> str:
        lines = moment.log_lines()
        body = "```text\n" + "\n".join(line.replace("```", "'''") for line in lines) + "\n```"
        return f"{title}:\n\n" + (body if lines else "No log line was recorded.")

    blocks = [block(t, m) for t, m in zip(("First", "Broken", "Repaired"), moments, strict=True)]
    return "## Log evidence\n\n" + "\n\n".join(blocks)


def _health(lab: Lab, moments: Sequence[_Moment]) -> str:
    """State of workloads and name service, and the controls: that senders could send and listeners listened all along."""
    kinds = {c.id: (c.kind, c.title) for s in lab.stages for c in s.checks}
    first, broken, repaired = (m.flows(control=True) for m in moments)
    lines = [
        f"- {_text(kinds[str(c['check'])][1])}: {_text(str(c.get('message', '')))}"
        for c in moments[2].checks()
        if str(c["check"]) in kinds and kinds[str(c["check"])][0] in _HEALTH
    ]
    rows = [
        [*flow, _outcome(first.get(flow)), _outcome(broken.get(flow)), _outcome(repaired.get(flow))]
        for flow in sorted({**first, **broken, **repaired})
    ]
    table = _table(["Control from", "to", "First", "Broken", "Repaired"], rows) if rows else ""
    body = "\n\n".join(p for p in ("\n".join(dict.fromkeys(lines)), table) if p)
    return "## Health\n\n" + (body or "No health evidence was recorded.")


def _user_test(moments: Sequence[_Moment]) -> str:
    first, broken, repaired = (m.flows(control=False) for m in moments)
    wanted = [f for f, e in repaired.items() if e.expected == "open" or e.expected == e.outcome != "timeout"]
    rows = [
        [
            *flow,
            _outcome(first.get(flow)),
            _outcome(broken.get(flow)),
            _outcome(repaired[flow]),
            repaired[flow].decided_by,
        ]
        for flow in sorted(wanted)
    ]
    table = _table(["From", "To", "First", "Broken", "Repaired", "Decided by"], rows)
    return "## The user's test, before and after\n\n" + (table if rows else "The repair was not verified yet.")


def _closed(moments: Sequence[_Moment]) -> str:
    repaired = moments[2].flows(control=False)
    rows = [[*f, e.outcome, e.decided_by] for f, e in sorted(repaired.items()) if e.expected == "timeout"]
    return "## What stays closed\n\n" + _table(["From", "To", "Outcome", "Decided by"], rows) if rows else ""


def _outcome(evidence: EvidenceView | None) -> str:
    return f"{evidence.outcome} ({evidence.at:%H:%M:%S})" if evidence else "–"


def _timeline(lab: Lab, results: Sequence[ResultRecord], credits_: Mapping[str, CreditRecord]) -> str:
    def row(stage: Stage) -> list[str]:
        tried = [r for r in results if r.stage == stage.id]
        credit = credits_.get(stage.id)
        passed = sum(r.outcome == PASSED for r in tried)
        return [stage.title, str(len(tried)), str(passed), _at(credit.at) if credit else "not yet"]

    rows = [row(s) for s in lab.stages]
    return "## Stages\n\n" + _table(["Stage", "Checked", "Passed", "First passed at"], rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(_text(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _text(text: str) -> str:
    """One line that breaks no table and starts no markup."""
    flat = " ".join(str(text).split())
    return flat.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "\\`")


def _at(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")

"""The root-cause report as Markdown: log evidence, health, and the user's test, before and after.

Made from what was recorded and from nothing else, so the same records always give the same report.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tutor.content.models import Lab, Stage
from tutor.labs.views import COULD_NOT_CHECK, PASSED, EvidenceView, evidence_view
from tutor.store.labs import CreditRecord, ResultRecord, SessionRecord

_MAX_LOG_LINES = 40
_HEALTH = ("workloads", "cluster-dns")
"""Kinds of checks that look at the state of workloads and of the name service."""


@dataclass(frozen=True)
class _Found:
    """Evidence with where it came from."""

    stage: str
    check: str
    kind: str
    evidence: EvidenceView

    @property
    def flow(self) -> tuple[str, str, int, str]:
        """What was tried, whatever came of it."""
        e = self.evidence
        return e.source, e.destination, e.port, e.protocol


def report(
    lab: Lab, session: SessionRecord, results: Sequence[ResultRecord], credits_: Mapping[str, CreditRecord]
) -> str:
    """The report of one session.

    :param results: every verification, oldest first.
    """
    kinds = {c.id: c.kind for s in lab.stages for c in s.checks}
    momentary = {s.id for s in lab.stages if s.momentary}
    earning = {c.result for c in credits_.values() if c.stage in momentary}
    broken = [f for r in results if r.id in earning for f in _evidence(r, kinds)]
    newest = {r.stage: r for r in results if r.stage not in momentary and r.outcome != COULD_NOT_CHECK}
    last = [f for s in lab.stages if s.id in newest for f in _evidence(newest[s.id], kinds)]
    parts = [
        _head(lab, session, credits_),
        _cause(lab, results, earning),
        _logs([r for r in results if r.id in earning], _last_earned(results, credits_, momentary)),
        _health(broken, last),
        _user_test(broken, last),
        _decided(last),
        _timeline(lab, results, credits_),
    ]
    return "\n\n".join(p for p in parts if p) + "\n"


def _last_earned(
    results: Sequence[ResultRecord], credits_: Mapping[str, CreditRecord], momentary: set[str]
) -> list[ResultRecord]:
    """The result that earned the newest stage which is no momentary one: its logs show the repaired state."""
    ids = {c.result for c in credits_.values() if c.stage not in momentary}
    return [r for r in results if r.id in ids][-1:]


def _evidence(result: ResultRecord, kinds: Mapping[str, str]) -> list[_Found]:
    return [
        _Found(result.stage, c["check"], kinds.get(c["check"], ""), evidence_view(e))
        for c in result.result.get("checks", [])
        for e in c.get("evidence", ())
    ]


def _head(lab: Lab, session: SessionRecord, credits_: Mapping[str, CreditRecord]) -> str:
    done = sum(s.id in credits_ for s in lab.stages)
    state = (
        "All stages are verified."
        if done == len(lab.stages)
        else f"{done} of {len(lab.stages)} stages are verified; this report is not complete."
    )
    return (
        f"# Root-cause report: {lab.title}\n\n"
        f"Lab session `{session.id}` on a {session.provider} cluster, opened {_at(session.created)}. {state}\n\n"
        "Rows marked *observed* come from traffic that was really sent; *computed* ones explain it and decide nothing."
    )


def _cause(lab: Lab, results: Sequence[ResultRecord], earning: Iterable[int]) -> str:
    wanted = set(earning)
    titles = {s.id: s.title for s in lab.stages}
    lines: list[str] = []
    for r in results:
        if r.id not in wanted:
            continue
        for c in r.result.get("checks", []):
            lines.append(f"- {titles.get(r.stage, r.stage)}: {_text(c.get('message', ''))}")
            lines += [f"  - {_text(d)}" for d in c.get("diagnosis", ())]
    return "## What broke, and why\n\n" + (
        "\n".join(lines) if lines else "The outage was not verified in this session."
    )


def _logs(broken: Sequence[ResultRecord], last: Sequence[ResultRecord]) -> str:
    """What the workloads themselves logged when the breakage, and when the repair, was verified."""

    def lines(results: Sequence[ResultRecord]) -> list[str]:
        found = [
            f"{log['pod']}: {line}"
            for r in results
            for log in r.result.get("logs", ())
            for line in log["lines"]
            if "outcome=" in line
        ]
        return list(dict.fromkeys(found))[-_MAX_LOG_LINES:]

    return "## Log evidence\n\n" + _before_after(lines(broken), lines(last), "No log line was recorded.")


def _before_after(before: Sequence[str], after: Sequence[str], none: str) -> str:
    def block(lines: Sequence[str]) -> str:
        return "```text\n" + "\n".join(line.replace("```", "'''") for line in lines) + "\n```" if lines else none

    return f"Before the repair:\n\n{block(before)}\n\nAfter the repair:\n\n{block(after)}"


def _health(broken: Sequence[_Found], last: Sequence[_Found]) -> str:
    def rows(found: Sequence[_Found], when: str) -> list[list[str]]:
        return [
            [
                when,
                f.evidence.source or f.evidence.destination,
                f.evidence.expected,
                f.evidence.outcome,
                _at(f.evidence.at),
            ]
            for f in found
            if f.kind in _HEALTH or f.evidence.control
        ]

    body = rows(broken, "before") + rows(last, "after")
    return "## Health\n\n" + (
        _table(["When", "What", "Expected", "Found", "At"], body) if body else "No health evidence was recorded."
    )


def _user_test(broken: Sequence[_Found], last: Sequence[_Found]) -> str:
    before = {f.flow: f.evidence for f in broken if f.evidence.kind == "observed" and f.evidence.port}
    after = {f.flow: f.evidence for f in last if f.evidence.kind == "observed" and f.evidence.port}
    rows = []
    for flow in sorted({*before, *after}):
        old, new = before.get(flow), after.get(flow)
        source, destination, port, protocol = flow
        rows.append(
            [
                source,
                f"{destination}:{port}/{protocol}",
                f"{old.outcome} ({_at(old.at)})" if old else "not tried",
                f"{new.outcome} ({_at(new.at)})" if new else "not tried",
                new.expected if new else "",
            ]
        )
    table = _table(["From", "To", "Before", "After", "Expected after"], rows) if rows else "No test was recorded."
    return "## The user's test, before and after\n\n" + table


def _decided(last: Sequence[_Found]) -> str:
    rows = sorted(
        {
            (
                f.evidence.decided_by,
                f.evidence.source,
                f"{f.evidence.destination}:{f.evidence.port}/{f.evidence.protocol}",
                f.evidence.outcome,
            )
            for f in last
            if f.evidence.decided_by
        }
    )
    return (
        "## Which rule decided\n\n" + _table(["Rule", "From", "To", "Outcome"], [list(r) for r in rows]) if rows else ""
    )


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

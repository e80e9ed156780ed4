"""Content small enough to break one line at a time: a lesson, its quiz and its lab, all sound."""

from __future__ import annotations

from pathlib import Path

LESSON = """\
---
title: Doors
summary: How doors work.
level: test
quiz: doors
lab: hinge
objectives:
  - id: open-door
    text: Open a door.
sources:
  - title: Labels
    url: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
    publisher: Kubernetes
---

A [door](term:door) is a wall that moves.

## The key {#key}

See [the way](#way).

```yaml
# ## no heading, no {{ path }}, no [link](#nowhere)
key: value
```

{{ question: which-key }}

### Kinds of key {#kinds}

!!! note "By heart"
    | key | door |
    |-----|------|
    | a   | b    |

## The `way` {#way}

{{ path }}
"""

GLOSSARY = """\
- id: door
  term: door
  core: true
  definition: A `wall` that moves; see [key](term:key).
- id: key
  term: key
  definition: What opens a door.
  see: [door]
"""

PATH = """\
title: Through a door
stages:
  - {id: knock, title: Knock, does: Somebody knocks., evidence: A sound.}
  - {id: enter, title: Enter, does: Somebody enters., evidence: A guest.}
runs:
  - id: healthy
    title: An open door
    summary: The guest enters.
    client_sees: The room.
    steps:
      - {stage: knock, status: passed, happens: A knock.}
      - {stage: enter, status: passed, happens: A guest.}
"""

MANIFEST = """\
apiVersion: v1
kind: Namespace
metadata: {name: house}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: door, namespace: house}
"""

LAB = """\
title: The hinge
summary: Mend a door.
lesson: doors
minutes: 10
providers: [simulated, kind]
namespaces: [house]
actors:
  - {id: door, namespace: house, deployment: door, about: A door.}
stages:
  - id: look
    title: Look
    brief: Look at **it**.
    hints: {nudge: Look., way: Look there., answer: "`look`"}
    checks:
      - id: seen
        kind: question
        title: What do you see?
        objectives: [open-door]
        choices:
          - {id: hinge, text: A hinge., correct: true, explanation: Yes.}
          - {id: lock, text: A lock., explanation: No.}
  - id: mend
    title: Mend
    brief: Mend it.
    hints: {nudge: Mend., way: Mend so., answer: "`mend`"}
    checks:
      - {id: moves, kind: flows, title: It moves}
"""

SOLUTION = """\
title: Oil
steps:
  - stage: look
    answers: {seen: hinge}
  - stage: mend
    apply:
      - |
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: oil}
    delete: [house/ConfigMap/rust]
"""

WRONG = """\
title: A new door
starts_from: oil
fails_at: moves
says: does not move
steps:
  - stage: mend
    patch:
      - target: house/Deployment/door
        patch: {spec: {replicas: 0}}
"""


def quiz(items: dict[str, str], variants: str = "abc", ratio: float = 0.7) -> str:
    """A quiz file: item -> placement; each variant's options are ``right-<v>``, ``wrong-<v>`` and ``other-<v>``."""
    out = ["title: Doors", f"pass_ratio: {ratio}", "items:"]
    for item, placement in items.items():
        out += [f"  - id: {item}", f"    placement: {placement}", "    objectives: [open-door]", "    variants:"]
        for v in variants:
            out += [f"      - id: {v}", f"        prompt: Prompt {v} of {item}?", "        options:"]
            for kind in ("right", "wrong", "other"):
                correct = ", correct: true" if kind == "right" else ""
                out.append(f"          - {{id: {kind}-{v}, text: {kind} {v}{correct}, explanation: Because {kind}.}}")
    return "\n".join(out) + "\n"


QUIZ = quiz({"which-key": "inline", "closing": "wrap-up"})


def write(root: Path, **changed: str) -> Path:
    """The small content below ``root``; ``changed`` replaces a file's text (lesson, glossary, path, quiz, lab, ...)."""
    files = {
        "lesson": ("lessons/doors/lesson.md", LESSON),
        "glossary": ("lessons/doors/glossary.yaml", GLOSSARY),
        "path": ("lessons/doors/path.yaml", PATH),
        "quiz": ("quizzes/doors.yaml", QUIZ),
        "lab": ("labs/hinge/lab.yaml", LAB),
        "brief": ("labs/hinge/brief.md", "Mend the *door*.\n"),
        "manifest": ("labs/hinge/manifests/00-house.yaml", MANIFEST),
        "solution": ("labs/hinge/solutions/oil.yaml", SOLUTION),
        "wrong": ("labs/hinge/wrong/new-door.yaml", WRONG),
    }
    assert set(changed) <= set(files)
    for name, (path, text) in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(changed.get(name, text), encoding="utf-8")
    return root

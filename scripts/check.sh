#!/bin/sh
# Every check that is not a test: formatting rules, types, layers, content.
set -eu
cd "$(dirname "$0")/.."
step() { printf '== %s\n' "$1"; }
step "ruff (style and common mistakes)"
.venv/bin/ruff check tutor tests
.venv/bin/ruff format --check tutor tests
step "mypy (types, strict)"
.venv/bin/mypy
step "import-linter (layers point one way)"
.venv/bin/lint-imports
step "content (lessons, quizzes, labs)"
.venv/bin/kubetutor content lint

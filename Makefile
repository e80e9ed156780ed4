# The two commands a newcomer needs: `make run` and `make test`. `make help` lists the rest.
.DEFAULT_GOAL := help
PY := .venv/bin/python

.PHONY: help setup run test test-fast test-kind bench lock pictures clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make .venv from requirements.lock (instant when nothing changed)
	@sh scripts/setup.sh

run: setup ## start everything at http://127.0.0.1:8000
	@.venv/bin/kubetutor serve

test: setup ## run every check and every test this machine can run
	@sh scripts/check.sh
	@$(PY) -m pytest -n 2 --dist loadgroup -m "not kind"
	@echo "Left out: the tests on real clusters. They need kind and a container engine: make test-kind"

test-fast: setup ## the tests that need neither a browser nor a container engine
	@$(PY) -m pytest -n 2 --dist loadgroup -m "not kind and not browser and not postgres"

test-kind: setup ## the tests on real kind clusters (needs kind and a container engine)
	@$(PY) -m pytest -m kind

bench: setup ## print speed as ratios against named rivals measured in the same run
	@$(PY) -m tests.bench

lock: setup ## make requirements.lock again from pyproject.toml (needs uv on PATH)
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \
		--extra dev --extra postgres pyproject.toml -o requirements.lock

pictures: setup ## take the README's pictures again from the running app (needs Chromium)
	@TEST_KUBETUTOR_PICTURES=docs/pictures $(PY) -m pytest -m browser tests/journeys

clean: ## remove what the commands above made
	@rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache test-results

# Everything a developer, CI or somebody curious needs. A fresh machine needs Python 3.11 or newer with
# venv, make and a package index (PIP_INDEX_URL and PIP_CERT are honoured by pip itself). Each target
# sets up what it needs, once: stamp files under .venv/ remember. No path is made absolute, so a clone
# whose path has a space in it works.

PYTHON ?= python3
WORKERS ?= 2

RUN_STAMP := .venv/.stamp-run
DEV_STAMP := .venv/.stamp-dev
BENCH_STAMP := .venv/.stamp-bench
BIN := .venv/bin

# `python -m`: a script's first line breaks where the path has a space in it.
PIP := $(BIN)/python -m pip --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest

.PHONY: help setup demo up test check bench breaks chaos crashes fuzz conformance lock clean

help:
	@echo "make demo         the main job on real content, from nothing, and a summary table"
	@echo "make test         every test"
	@echo "make check        the gates: style, types, layers, sizes, coverage, docs"
	@echo "make up           this registry and the job service, embedded servers included"
	@echo "make bench        against skopeo, crane, regsync and other registries where installed"
	@echo "make breaks       breaks every promise once and wants its tests to notice"
	@echo "make chaos        everything breaks under load; the table goes to docs/chaos.md"
	@echo "make crashes      10,000 pushes while the API is killed again and again: nothing may be lost"
	@echo "make fuzz         every operation of the API with hundreds of examples"
	@echo "make conformance  the OCI conformance program against this registry (needs Go)"
	@echo "make setup        .venv/bin/transship, and nothing else"
	@echo "make lock         requirements/*.txt anew from pyproject.toml and dev.in"

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Transship needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv

$(RUN_STAMP): $(BIN)/python requirements/run.txt pyproject.toml
	$(PIP) install --quiet --require-hashes -r requirements/run.txt
	$(PIP) install --quiet --require-hashes -r requirements/build.txt
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	touch $@

$(DEV_STAMP): $(RUN_STAMP) requirements/dev.txt
	$(PIP) install --quiet --require-hashes -r requirements/dev.txt
	touch $@

$(BENCH_STAMP): $(DEV_STAMP) requirements/bench.txt
	$(PIP) install --quiet --require-hashes -r requirements/bench.txt
	touch $@

setup: $(RUN_STAMP)

demo: setup
	$(BIN)/python -m jobservice.cli.main demo

up: setup
	$(BIN)/python -m jobservice.cli.main up

test: $(DEV_STAMP)
	$(PYTEST) -n $(WORKERS)

# The benchmark is checked too, with what it compares.
check: $(BENCH_STAMP)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python -c 'from importlinter.cli import lint_imports_command as lint; lint()'
	$(PYTEST) -q --no-header -n $(WORKERS) tests/architecture
	$(BIN)/python -m tests.architecture.pure_coverage

bench: $(BENCH_STAMP)
	$(BIN)/python -m bench
	$(BIN)/python -m bench.jobs
	$(BIN)/python -m bench.lists
	$(BIN)/python -m bench.registry
	$(BIN)/python -m bench.registry_million
	$(BIN)/python -m bench.collection
	$(BIN)/python -m bench.collection_peers
	$(BIN)/python -m bench.retention
	$(BIN)/python -m bench.previews

breaks: $(DEV_STAMP)
	$(BIN)/python -m tests.breaks

chaos: $(DEV_STAMP)
	$(BIN)/python -m tests.chaos --page
	$(BIN)/python -m tests.chaos.collecting --minutes 10

crashes: $(DEV_STAMP)
	$(BIN)/python -m tests.chaos.crashes

fuzz: $(DEV_STAMP)
	FUZZ_EXAMPLES=500 $(PYTEST) -n 1 tests/fuzz

conformance: $(DEV_STAMP)
	$(BIN)/python -m tests.conformance --page

# Pins that exist stay unless a range forces them; delete a file to take everything anew.
LOCK := .cache/lock/bin/python -m piptools compile --quiet --allow-unsafe --generate-hashes --no-strip-extras \
	--no-emit-find-links --no-emit-index-url --no-emit-trusted-host
lock:
	$(PYTHON) -m venv .cache/lock
	.cache/lock/bin/python -m pip --disable-pip-version-check install --quiet pip-tools
	$(LOCK) --output-file=requirements/run.txt pyproject.toml
	$(LOCK) --output-file=requirements/build.txt requirements/build.in
	$(LOCK) --output-file=requirements/dev.txt requirements/dev.in
	$(LOCK) --output-file=requirements/bench.txt requirements/bench.in

clean:
	rm -rf .venv .cache build dist *.egg-info

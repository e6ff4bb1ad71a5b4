# Everything runs in .venv of this checkout. Each environment is made once: a stamp file that depends on what it was made from.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell .ci/python)
SOURCES := pyproject.toml .ci/constraints.txt
INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-input --constraint .ci/constraints.txt --editable

.PHONY: help demo lab test check format bench soak pictures fuzz chaos mutants lowest scripts binder clean

help:  ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

demo: $(VENV)/.demo  ## the main job on real flights: live progress, a table, demo.html
	@$(BIN)/flower demo

lab: $(VENV)/.lab  ## JupyterLab with the notebooks, on this machine only
	@$(BIN)/flower lab notebooks

test: $(VENV)/.dev  ## all tests, those in a headless browser included; what CI runs
	@.ci/chromium
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check -q .
	@$(BIN)/python -m mypy
	@$(BIN)/python -m pytest -q -m browser  # by themselves: a page that waits for a kernel has a deadline
	@$(BIN)/python -m pytest -q --numprocesses auto -m "not browser and not fresh"

check: $(VENV)/.dev  ## lint, types and unit tests, in less than two minutes
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check -q .
	@$(BIN)/python -m mypy
	@$(BIN)/python -m pytest -q --numprocesses auto -m "not slow and not browser"

format: $(VENV)/.dev  ## write what `ruff format` and its safe fixes make of the code
	@$(BIN)/python -m ruff format .
	@$(BIN)/python -m ruff check --fix .

BENCH := --cache .cache/benchmarks --json .cache/benchmarks/figures.json --html .cache/benchmarks/figures.html

bench: $(VENV)/.dev  ## measurements beside other systems (WORKS="w1 w3", ROWS=1000000); an hour for all
	@$(BIN)/python tests/benchmarks $(WORKS) $(if $(ROWS),--rows $(ROWS)) $(BENCH)

soak: $(VENV)/.dev  ## W1 at full speed, then a rolling chart, half an hour each (MINUTES=30): whether memory stays flat
	@$(BIN)/python -m flower.bench.soak --cache .cache/benchmarks $(if $(MINUTES),--minutes $(MINUTES))
	@.ci/chromium
	@$(BIN)/python tests/benchmarks/rolling.py $(if $(MINUTES),--minutes $(MINUTES))

pictures: $(VENV)/.dev  ## the documentation's pictures, light and dark, in notebooks/pictures
	@.ci/chromium
	@$(BIN)/python tests/browser/pictures.py notebooks/pictures

fuzz: $(VENV)/.dev  ## the property tests with new random examples, many of them
	@$(BIN)/python -m pytest -q --numprocesses auto -m hypothesis --hypothesis-profile=fuzz tests

chaos: $(VENV)/.dev  ## runs die at new random instants, processes killed and disks that fail, many times (SEED=1)
	@$(BIN)/python -m pytest -q -m chaos --hypothesis-profile=chaos --seeds 20 --first-seed $(or $(SEED),$(shell date +%s)) tests/recovery

mutants: $(VENV)/.dev  ## break each rule of the model once, and see whether the tests notice
	@$(BIN)/python tests/mutants

lowest:  ## unit tests with the lowest versions that pyproject.toml allows
	@$(PYTHON) -m venv --clear $(VENV)-lowest
	@$(VENV)-lowest/bin/python -m pip install -qq --disable-pip-version-check --no-input --constraint .ci/lowest.txt --editable '.[dev]'
	@$(VENV)-lowest/bin/python -m pytest -q --numprocesses auto -o addopts=--import-mode=importlib -m "not slow and not browser" tests

scripts: $(VENV)/.dev  ## run what the notebooks export in fresh environments, with a cluster and without; a minute or two
	@$(BIN)/python -m pytest -q -m fresh tests/notebooks

binder: $(VENV)/.dev  ## build what Binder builds, in a fresh environment, and look whether it opens; some minutes
	@$(BIN)/python .ci/binder-check

clean:  ## remove environments, caches and generated files
	rm -rf $(VENV) $(VENV)-lowest .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist demo.html
	find flower tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Flower needs Python 3.11 or newer on the path; or say: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(SOURCES) | $(BIN)/python
	@echo "Making the environment in $(VENV): about a minute, once ..."
	@$(INSTALL) '.[charts]'
	@touch $@

$(VENV)/.lab: $(SOURCES) | $(BIN)/python
	@echo "Making the environment with JupyterLab in $(VENV): a few minutes, once ..."
	@$(INSTALL) '.[dask,notebook]'
	@touch $(VENV)/.demo $@

$(VENV)/.dev: $(SOURCES) | $(BIN)/python
	@echo "Making the environment with the test tools in $(VENV): a few minutes, once ..."
	@$(INSTALL) '.[dev]'
	@touch $(VENV)/.demo $(VENV)/.lab $@

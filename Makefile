# Needs python3 >= 3.11 with venv, and make. Nothing is installed outside .venv.
#
# requirements/user.txt and dev.txt hold every package with its exact version and hashes; they are
# made by `make lock` from pyproject.toml. A stamp in .venv says which of them is installed; it is
# older than a lock file that changed, and then the next command installs again.

PYTHON ?= python3
DEMO ?= topologies/cross-account-cross-region.netsim.yaml
PYTEST_ARGS ?= -n 2
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCKED := --require-hashes --only-binary :all:
# The newest pip-tools that was tried; it lives in a folder of its own while `make lock` runs.
PIP_TOOLS := pip-tools==7.6.2

# Colour codes and a user's PYTHONPATH have no business in what is installed or tested.
unexport PYTHONPATH PYTHONHOME

.PHONY: help demo test test-long check bench bench-compare lint format lock clean
.DEFAULT_GOAL := help

help: ## Say what each target does
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

demo: $(VENV)/user.stamp ## Run the example network; results go to out/demo
	$(BIN)/netsim run $(DEMO) --out out/demo

test: $(VENV)/dev.stamp ## Run the tests
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-long: $(VENV)/dev.stamp ## Run the tests with many more random networks, tables and crashes; takes hours
	NETSIM_LONG=1 $(BIN)/python -m pytest $(PYTEST_ARGS)

check: lint test ## All that a change must pass: lint, then test

bench: $(VENV)/bench.stamp ## Measure netsim beside others; results go to benchmarks/ (BENCH_ARGS=--quick: a look)
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

bench-compare: $(VENV)/bench.stamp ## Measure again and hold the ratios against benchmarks/results.json
	$(BIN)/python -m benchmarks --compare $(BENCH_ARGS)

lint: $(VENV)/dev.stamp ## ruff format, ruff check, mypy --strict, lint-imports
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy --strict
	$(BIN)/lint-imports --no-cache --no-logo

format: $(VENV)/dev.stamp ## Format the code and mend what ruff can
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

lock: ## Lock the newest versions that pyproject.toml allows (python 3.11: the oldest that is supported)
	@$(PYTHON) -c 'import sys; sys.exit("make lock: wants python 3.11, try PYTHON=python3.11" if sys.version_info[:2] != (3, 11) else 0)'
	$(PYTHON) -m venv --clear build/lock
	build/lock/bin/python -m pip --disable-pip-version-check --quiet install $(PIP_TOOLS)
	$(call compile) --output-file requirements/user.txt pyproject.toml
	$(call compile) --extra dev --constraint requirements/user.txt --output-file requirements/dev.txt pyproject.toml
	$(call compile) --extra bench --constraint requirements/dev.txt --output-file requirements/bench.txt pyproject.toml
	rm -rf build/lock

# No option of the machine that made the lock (an index, a folder of wheels) ends up in the file.
compile = CUSTOM_COMPILE_COMMAND="make lock" build/lock/bin/pip-compile --quiet --upgrade --generate-hashes \
	--allow-unsafe --strip-extras --no-emit-options --no-emit-index-url --no-emit-find-links \
	--no-emit-trusted-host --build-deps-for editable

clean: ## Remove .venv and everything that was made
	rm -rf $(VENV) build dist out .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ------------------------------------------------------------------------------------------ set-up

$(BIN)/python:
	@$(PYTHON) -c '' 2>/dev/null || { \
	  echo "netsim: '$(PYTHON)' does not start; install python 3.11 or later, or say which: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "netsim: needs python 3.11 or later, $$($(PYTHON) -c 'import platform; print("$(PYTHON) is " + platform.python_version())'); say which: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "netsim: $(PYTHON) has no venv module; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "netsim: setting up $(VENV) with $$($(PYTHON) --version); once, about a minute" >&2
	@$(PYTHON) -m venv --clear $(VENV)

$(VENV)/user.stamp: requirements/user.txt pyproject.toml | $(BIN)/python
	@$(PIP) install $(LOCKED) --requirement requirements/user.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

# Everything in user.txt is in dev.txt too, with the same version.
$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/user.stamp
	@$(PIP) install $(LOCKED) --requirement requirements/dev.txt
	@touch $@

# What netsim is measured against. Not every peer has a wheel for every python; the results name those absent.
$(VENV)/bench.stamp: requirements/bench.txt $(VENV)/user.stamp
	@$(PIP) install --require-hashes --prefer-binary --requirement requirements/bench.txt \
	  || echo "netsim: not every peer can be installed here; the results name those absent" >&2
	@touch $@

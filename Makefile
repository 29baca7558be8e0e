# Each target is one command on a fresh machine with Python 3.11+, a C compiler, make and git.
# `make demo` needs the fewest packages; the others add the developer's tools to the same .venv.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

PLUGINS := $(filter-out plugins/_template,$(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml)))
PROJECTS := pyproject.toml roar_core/pyproject.toml $(PLUGINS:%=%/pyproject.toml)
NATIVE := $(wildcard plugins/*/native/* plugins/*/hatch_build.py plugins/*/web/* plugins/*/web/src/* roar_core/src/roar_core/include/*.h)
C_SOURCES := $(wildcard plugins/*/native/*.[ch] benchmarks/workloads/*.[ch]\
  roar_core/src/roar_core/include/*.h)

# A process for each processor. worksteal deals neighbouring tests to one process, so that most of
# what a module's tests share is started once; whoever is idle takes from the end of another's.
PARALLEL := -n auto --dist worksteal

export ROAR_NO_TELEMETRY := 1

.PHONY: help demo test test-all lint format bench docs clean
.DELETE_ON_ERROR:

help:
	@echo "make demo    record a real pipeline with roar, and look at it"
	@echo "make test    every test, on all processors; or as ARGS say: make test ARGS='-k judge'"
	@echo "make test-all the same with every experiment tracker, client of S3, library of Ray and PyTorch (3 GB, 10 minutes more)"
	@echo "make lint    ruff, mypy --strict, the import contract, clang-format"
	@echo "make format  let ruff and clang-format rewrite what lint would refuse"
	@echo "make bench   the measurements of docs/benchmarks.md, afresh (about 15 minutes)"
	@echo "make docs    check that docs/ agrees with the code"
	@echo "make clean   remove what these targets made, .venv included"

demo: $(VENV)/.demo
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/digits/demo.sh build/demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest $(or $(ARGS),$(PARALLEL))

test-all: $(VENV)/.dev
	ROAR_TEST_ALL_TRACKERS=1 ROAR_TEST_ALL_CLIENTS=1 ROAR_TEST_ALL_OSMO=1 \
		ROAR_TEST_ALL_RAY=1 ROAR_TEST_ALL_TORCH=1 $(BIN)/python -m pytest $(or $(ARGS),$(PARALLEL))

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py
	$(if $(C_SOURCES),$(BIN)/clang-format --dry-run -Werror $(C_SOURCES))

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(if $(C_SOURCES),$(BIN)/clang-format -i $(C_SOURCES))

bench: $(VENV)/.dev benchmarks/.cache/stock/.installed
	$(BIN)/python benchmarks/run.py --stock benchmarks/.cache/stock/bin/roar \
		--json build/benchmarks.json --markdown docs/benchmarks.md $(ARGS)

docs: $(VENV)/.dev
	$(BIN)/python -m pytest -q tests -k "docs or readme or documents"

clean:
	rm -rf $(VENV) build dist benchmarks/.cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find roar_core plugins tests benchmarks examples -depth \
		\( -name __pycache__ -o -name _native -o -name _built \) -exec rm -rf {} +

# --- what the targets above stand on ------------------------------------------------------------

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or newer found; install one\
	 (apt install python3 python3-venv) or name it: make PYTHON=/path/to/python" >&2; exit 1; }
	@command -v $(CC) >/dev/null || { echo "make: no C compiler '$(CC)' found; install one\
	 (apt install gcc libc6-dev, or dnf install gcc) or name it: make CC=/path/to/cc" >&2; exit 1; }
	@command -v git >/dev/null || { echo "make: git not found; apt install git" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "make: $(PYTHON) cannot make virtual\
	 environments; apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(PROJECTS) $(NATIVE) examples/digits/requirements.txt | $(BIN)/python
	$(PIP) install -q -e ./roar_core $(PLUGINS:%=-e ./%) -e . -r examples/digits/requirements.txt
	@touch $@

$(VENV)/.dev: $(PROJECTS) $(NATIVE) requirements-dev.txt | $(BIN)/python
	$(PIP) install -q -r requirements-dev.txt
	@touch $@

# The client people use today, in an environment of its own: what the benchmarks compare with.
benchmarks/.cache/stock/.installed: | $(BIN)/python
	$(BIN)/python -m venv benchmarks/.cache/stock
	benchmarks/.cache/stock/bin/python -m pip install -q --disable-pip-version-check roar-cli==0.4.7
	@touch $@

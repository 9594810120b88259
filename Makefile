# Each target does all the set-up it needs, in a virtual environment of its own, and nothing outside this folder.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
NO_PACKAGES := echo "make setup: pip could not install the packages, see above. Without network they can come from a \
folder of wheels: make setup PIP_NO_INDEX=1 PIP_FIND_LINKS=FOLDER" >&2; exit 1
CORES ?= $(shell nproc 2>/dev/null || echo 2)
REAL ?= ../shared/real

.PHONY: help setup demo test cluster lint real clean-demo

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

setup: $(VENV)/ready ## the virtual environment with all packages, pinned

# torch first and alone: its CPU build satisfies every later requirement, and no CUDA packages are pulled in.
$(VENV)/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) "$$(grep -o 'torch==[0-9.]*' pyproject.toml)" || { $(NO_PACKAGES); }
	$(PIP) --editable ".[test]" || { $(NO_PACKAGES); }
	@touch $@

demo: setup ## all nine tables on a small generated world, offline, in minutes
	$(BIN)/python scripts/make_world.py --seed 0 --scale small --output results/demo/world
	$(BIN)/snakemake all audits --configfile config/demo.yaml --cores $(CORES) --show-failed-logs --rerun-incomplete
	@echo; echo "Nine tables in results/demo/tables/. Begin with results/demo/report.html."

test: setup ## the whole test suite, but for the tests on a SLURM
	$(BIN)/python -m pytest --durations=15 -m "not cluster"

cluster: setup ## the demo and its disasters on a SLURM of this machine's own; needs root
	$(BIN)/python -m pytest --durations=15 tests/cluster

lint: setup ## style of everything, and Snakemake's own advice
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PATH="$(abspath $(BIN)):$$PATH" snakefmt --check Snakefile workflow/Snakefile rules # it calls shfmt, which stands beside it
	$(BIN)/snakemake --lint

real: setup ## a small run on real data; skipped, saying so, without the folder
	@if [ -d "$(REAL)" ]; then \
	  $(BIN)/snakemake all audits --configfile tests/real/config.yaml --config "downloads={mirror: $(REAL)}" \
	    --cores $(CORES) --show-failed-logs --rerun-incomplete; \
	else echo "make real: skipped, there is no folder $(REAL). Say where it is: make real REAL=..."; fi

clean-demo: ## forget the demo's results
	rm -rf results/demo

# Two commands on a fresh machine: make demo, make test. Each sets up what it needs in .venv.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
OUT    ?= demo
SHARED ?= ../shared

.PHONY: help demo test lint docs bench samples libraries clean

help:
	@echo "make demo      measure the sample images and say where the report lies"
	@echo "make test      lint, types, import contracts and tests"
	@echo "make docs      build the documentation, strictly and offline: docs/_build/index.html"
	@echo "make bench     figures: speed, memory, segmentation on the bench (SHARED=$(SHARED))"
	@echo "make samples   draw sample_images anew and say what moved in expected.csv"

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "calcimeasure needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "cannot make $(VENV): on Debian, apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

demo: $(READY)
	$(BIN)/calcimeasure demo -o $(OUT)

# Libraries that window tests need; installed on Debian as root, otherwise named.
libraries:
	@bash .ci/libraries

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(READY) libraries lint
	$(BIN)/python -m pytest -n 2 --dist loadgroup

docs: $(READY)
	$(BIN)/sphinx-build -q -W -b html docs docs/_build
	@echo docs/_build/index.html

bench: $(READY)
	$(BIN)/python -m benchmarks --shared $(SHARED)

samples: $(READY)
	$(BIN)/python benchmarks/renew_sample_images.py

clean:
	rm -rf $(VENV) demo docs/_build .pytest_cache .mypy_cache .ruff_cache

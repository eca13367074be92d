# Everything a person or CI does with the tree. It needs Python 3.11 or newer, pip and make; the rest goes into .venv.
#
#   make test ARGS="-k streams"     arguments for pytest
#   make run PYTHON=python3.12      another Python than the first that is found
#   make lock UPGRADE=1             newer versions of what is pinned

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run test test-deep test-litellm check docs bench bench-quick guard format lock clean install-app install-dev

# What a developer's shell sets for other projects must not reach this one's environment.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
STORE := .sideband/stdlib.db

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 20

run: install-app ## index Python's standard library with live progress, search it, ask it
	@mkdir -p .sideband
	$(BIN)/sideband index --stdlib --store $(STORE)
	$(BIN)/sideband search "how do I read a CSV file into dictionaries" -k 3 --store $(STORE)
	$(BIN)/sideband ask "how do I parse a date from a string" --store $(STORE)
	@printf '%s\n' '' 'Try next, from this directory:' \
	  '  $(BIN)/sideband ui --store $(STORE)' \
	  '  $(BIN)/sideband search "run tasks at the same time" --store $(STORE)' \
	  '  $(BIN)/sideband ask "what does os.path.join do" --store $(STORE)' \
	  '  $(BIN)/sideband index README.md docs --store .sideband/docs.db' \
	  '  $(BIN)/sideband search "who sees which run" --store .sideband/docs.db' \
	  '  $(BIN)/sideband info --store $(STORE)' \
	  '  $(BIN)/sideband --help'

test: install-dev ## run the test suite, then what runs on an event loop once more on uvloop
	$(PYTEST) --ignore=tests/docs $(ARGS)
	$(if $(ARGS),,$(PYTEST) --ignore=tests/docs --loop uvloop)

test-deep: install-dev ## run the long tests, with many more generated examples
	HYPOTHESIS_PROFILE=deep $(PYTEST) --ignore=tests/docs -m "deep or not deep" --timeout 1800 $(ARGS)

test-litellm: ## run LiteLLM's tests in an environment of its own
	@scripts/test_litellm.sh $(ARGS)

check: install-dev ## lint, types, layers, documents' code, tracked text, the built package, the hot paths' costs
	$(BIN)/python scripts/check.py $(ARGS)

docs: install-dev ## run every code block of README.md and docs/
	$(PYTEST) -p no:randomly tests/docs $(ARGS)

bench: ## measure this project and its peers side by side, and write the results into the documents
	@scripts/bench.sh $(ARGS)

bench-quick: ## see whether all benchmarks run
	@scripts/bench.sh --quick $(ARGS)

guard: install-dev ## count the instructions of the hot paths, and compare them with their bounds
	$(BIN)/python -m benchmarks.guard $(ARGS)

format: install-dev ## format the code and mend what ruff can mend
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

lock: ## pin again what pyproject.toml asks for, with hashes
	@scripts/lock.sh $(if $(UPGRADE),--upgrade)

clean: ## remove everything that make and the tools have made
	rm -rf .venv .sideband build dist .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

install-app:
	@scripts/python.sh scripts/install.py app

install-dev:
	@scripts/python.sh scripts/install.py dev

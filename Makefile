# Needs make and Python 3.11 or newer; everything else is fetched into .venv, pinned and hash-checked.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run serve test chaos check lint fix bench bench-engine bench-drain lock clean

PYTHON ?=
TEST_WORKERS ?= 2
ARGS ?=
CHAOS_ROUNDS ?= 10
CHAOS_SEED ?=

BIN := .venv/bin
OLDEST := import sys; sys.exit(sys.version_info < (3, 11))
PIP := $(BIN)/python -m pip install --quiet --no-input --require-hashes
CLIENTS_PIP := $(BIN)/python -m pip --python .venv/clients/bin/python install --quiet --no-input --require-hashes
COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links

# Tests and checks see only what they are meant to: a developer's own settings and provider keys stay outside.
ONLY := env -i PATH="$$PATH" HOME="$$HOME" LANG="$${LANG:-C.UTF-8}" $${TMPDIR:+TMPDIR="$$TMPDIR"} $${CI:+CI="$$CI"}
SERVERS := $${TEST_DATABASE_URL:+TEST_DATABASE_URL="$$TEST_DATABASE_URL"} \
	$${DATABASE_URL:+DATABASE_URL="$$DATABASE_URL"} $${REDIS_URL:+REDIS_URL="$$REDIS_URL"} \
	$${NATS_URL:+NATS_URL="$$NATS_URL"}

export PIP_DISABLE_PIP_VERSION_CHECK := 1

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: .venv/.dev .venv/.clients ## make .venv with everything to run, test and check

run: .venv/.runtime ## start the gateway with a demo tenant, key and provider; PORT=8000
	@exec $(BIN)/python manage.py serve --demo $(ARGS)

serve: .venv/.runtime ## start the gateway as it is configured
	@exec $(BIN)/python manage.py serve $(ARGS)

test: .venv/.dev .venv/.clients ## run all tests; ARGS="tests/gateway -k hold" for some, TEST_WORKERS=0 for one process
	@exec $(ONLY) $(SERVERS) $(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

chaos: .venv/.dev ## kill, hang and stop everything for minutes; CHAOS_ROUNDS=10, CHAOS_SEED=1 to see the same again
	@exec $(ONLY) $(SERVERS) CHAOS_ROUNDS=$(CHAOS_ROUNDS) CHAOS_SEED=$(CHAOS_SEED) \
		$(BIN)/python -m pytest -s tests/chaos $(ARGS)

check: lint ## lint, types, and migrations that match the models
	@home=$$(mktemp -d) && trap 'rm -rf "$$home"' EXIT && \
		$(ONLY) GATEWAY_HOME="$$home" $(BIN)/mypy && \
		$(ONLY) GATEWAY_HOME="$$home" $(BIN)/python manage.py makemigrations --check --dry-run

lint: .venv/.dev ## format, rules of style, walls between packages
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(ONLY) $(BIN)/lint-imports --no-logo

fix: .venv/.dev ## format, and mend what can be mended by itself
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

bench: .venv/.runtime ## the gateway beside a bare pass-through; ARGS=--quick for a first look
	@exec $(BIN)/python -m bench.run $(ARGS)

bench-engine: .venv/.runtime ## what a call costs in the engine alone, without a network
	@exec $(BIN)/python -m bench.engine $(ARGS)

bench-drain: .venv/.runtime ## ledger lines a second from Redis to PostgreSQL; both must be there
	@exec $(BIN)/python -m bench.drain $(ARGS)

lock: .venv/.dev ## pin the packages of requirements*.in anew; ARGS=--upgrade for the newest
	CUSTOM_COMPILE_COMMAND="make lock" $(COMPILE) $(ARGS) --output-file=requirements.txt requirements.in
	CUSTOM_COMPILE_COMMAND="make lock" $(COMPILE) $(ARGS) --output-file=requirements-dev.txt requirements-dev.in
	CUSTOM_COMPILE_COMMAND="make lock" $(COMPILE) $(ARGS) --output-file=requirements-clients.txt requirements-clients.in

clean: ## remove .venv and caches; var/ holds the books and stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: each is made when its packages are in, so an interrupted installation is begun again.
.venv/.clients: requirements-clients.txt | .venv/.runtime
	@echo "Installing the clients that tests call the gateway with ..."
	@$(BIN)/python -m venv --clear --without-pip .venv/clients
	@$(CLIENTS_PIP) -r requirements-clients.txt
	@touch $@

.venv/.dev: requirements-dev.txt .venv/.runtime
	@echo "Installing what tests and checks need ..."
	@$(PIP) -r requirements-dev.txt
	@touch $@

.venv/.runtime: requirements.txt | .venv/bin/python
	@echo "Installing packages, a minute or two the first time ..."
	@$(PIP) -r requirements.txt
	@touch $@

.venv/bin/python:
	@for python in $(or $(PYTHON),python3.11 python3.12 python3.13 python3 python); do \
		"$$python" -c '$(OLDEST)' 2>/dev/null || continue; \
		echo "Making .venv with $$("$$python" --version) ..."; \
		"$$python" -m venv --clear .venv && exit; \
		rm -rf .venv; echo "$$python cannot make a virtual environment: install its venv module." >&2; exit 1; \
	done; \
	echo "The gateway needs Python 3.11 or newer; $(or $(PYTHON),none of python3.11 python3.12 python3.13 python3 python) is." >&2; \
	echo "Install it, or name it: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; \
	exit 1

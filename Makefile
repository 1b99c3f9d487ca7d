# `make run` on a fresh machine serves the gateway; `make test` runs every test. Both set up what is missing.
# Settings come from the environment (see .env.example): make run PORT=9000

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run setup test lint bench

DATA := $(or $(ARKROUTE_DATA),var)

# The newest that really runs: a version manager's shim can be there and still fail.
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$python && break; done)
VENV := .venv
MANAGE := $(VENV)/bin/python manage.py
# What pip says, one line for each package.
PIP_INSTALL = $(VENV)/bin/python -m pip --disable-pip-version-check install --progress-bar off -r $(1) \
	| sed -un 's/^Collecting \([^ ]*\).*/    \1/p'

help:
	@echo 'make run    serve on http://127.0.0.1:$${PORT:-8000}, with a demo user and key'
	@echo 'make setup  the virtual environment, the packages and the engine model, nothing more'
	@echo 'make test   every test          make lint   ruff, mypy, migrations'
	@echo 'make bench  the benchmark, with ratios'

run: setup
	@if [ ! -f '$(DATA)/.env' ]; then \
		echo '→ settings   written to $(DATA)/.env'; \
		(umask 077 && printf 'DEBUG=on\nSECRET_KEY=%s\n' \
			"$$($(VENV)/bin/python -c 'import secrets; print(secrets.token_urlsafe(50))')" > '$(DATA)/.env'); \
	fi
	@ARKROUTE_PARENT_PID=$$PPID exec $(MANAGE) start_demo

setup: $(VENV)/.packages
	@mkdir -p '$(DATA)'
	@test -f '$(DATA)/models/SmolLM2-135M-Instruct.Q4_1.gguf' || $(MANAGE) fetch_engine_model || true

test: $(VENV)/.packages-dev
	@echo '→ tests on SQLite'
	@env -u ARKROUTE_DATA $(VENV)/bin/python -m pytest -n 2
	@echo '→ tests of the database on Postgres'
	@env -u ARKROUTE_DATA ARKROUTE_TEST_DATABASE=postgres $(VENV)/bin/python -m pytest -n 2 -m database

lint: $(VENV)/.packages-dev
	@echo '→ ruff'
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@echo '→ mypy'
	@$(VENV)/bin/python -m mypy .
	@echo '→ migrations'
	@SECRET_KEY=lint-only DEBUG=on $(MANAGE) makemigrations --check --dry-run

bench: $(VENV)/.packages-dev
	@$(VENV)/bin/python -m bench.run

$(VENV)/bin/python:
	@test -n '$(PYTHON)' || { echo '✗ Python 3.11, 3.12 or 3.13 is needed; name it with make PYTHON=/path/to/python3'; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
		echo '✗ $(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv.'; \
		echo '  Or name another: make PYTHON=/path/to/python3'; exit 1; }
	@echo '→ virtual environment ($(PYTHON))'
	@$(PYTHON) -m venv --clear $(VENV)

# Installed again only when the list of packages has changed.
$(VENV)/.packages: requirements.txt | $(VENV)/bin/python
	@echo '→ packages (a minute or two the first time)'
	@$(call PIP_INSTALL,requirements.txt)
	@touch $@

$(VENV)/.packages-dev: requirements-dev.txt requirements.txt | $(VENV)/bin/python
	@echo '→ packages, with those for tests (a minute or two the first time)'
	@$(call PIP_INSTALL,requirements-dev.txt)
	@touch $@ $(VENV)/.packages

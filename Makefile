# `make run` on a fresh machine serves the gateway; `make test` runs every test. Both set up what is missing.
# Settings come from the environment (see .env.example): make run PORT=9000

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run setup test lint bench bench-sessions bench-videos css vendor screenshots

DATA := $(or $(ARKROUTE_DATA),var)

# The newest that really runs: a version manager's shim can be there and still fail.
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$python && break; done)
VENV := .venv
MANAGE := $(VENV)/bin/python manage.py
# What pip says, one line for each package.
PIP_INSTALL = $(VENV)/bin/python -m pip --disable-pip-version-check install --progress-bar off -r $(1) \
	| sed -un 's/^Collecting \([^ ]*\).*/    \1/p'

# Speech, unless the environment or the settings' file says otherwise.
LOCAL_AUDIO ?= $(shell sed -n 's/^LOCAL_AUDIO=//p' '$(DATA)/.env' 2>/dev/null)
SPEECH := $(if $(filter 0 off Off OFF false False no,$(LOCAL_AUDIO)),,yes)
# What stands for each model of the engine in the folder $(1)/models.
MODELS = $(addprefix $(1)/models/,SmolLM2-135M-Instruct.Q4_1.gguf all-MiniLM-L6-v2.F32.gguf $(if $(2),whisper-base))

help:
	@echo 'make run    serve on http://127.0.0.1:$${PORT:-8000}, with a demo user and key'
	@echo 'make setup  the virtual environment, the packages and the models of the engine, nothing more'
	@echo 'make test   every test          make lint   ruff, mypy, migrations'
	@echo 'make bench  the benchmark, with ratios          make bench-sessions  what a session saves'
	@echo '                                                make bench-videos    10,000 videos under way'
	@echo 'make css, make vendor  what Node builds         make screenshots     the pictures of the README'

run: setup
	@if [ ! -f '$(DATA)/.env' ]; then \
		echo '→ settings   written to $(DATA)/.env'; \
		(umask 077 && printf 'DEBUG=on\nSECRET_KEY=%s\n' \
			"$$($(VENV)/bin/python -c 'import secrets; print(secrets.token_urlsafe(50))')" > '$(DATA)/.env'); \
	fi
	@ARKROUTE_PARENT_PID=$$PPID exec $(MANAGE) start_demo

setup: $(VENV)/.packages $(if $(SPEECH),$(VENV)/.packages-local)
	@mkdir -p '$(DATA)'
	@ls $(call MODELS,'$(DATA)',$(SPEECH)) >/dev/null 2>&1 || $(MANAGE) fetch_engine_models || true

# Byte code is kept: each process that runs tests would compile all of them again.
PYTEST := env -u ARKROUTE_DATA -u PYTHONDONTWRITEBYTECODE $(VENV)/bin/python -m pytest

# Where this may install packages: as root, or with sudo that asks nothing.
AS_ROOT = $(shell [ "$$(id -u)" = 0 ] || echo 'sudo -n')
CHROMIUM = $(AS_ROOT) apt-get -qq update && $(AS_ROOT) env DEBIAN_FRONTEND=noninteractive \
	apt-get -qq install --no-install-recommends chromium fonts-liberation >/dev/null

# The tests use the real models: those in var/models, wherever the data of `make run` lies.
test: $(VENV)/.packages-dev sdk/.venv/.packages
	@command -v chromium >/dev/null || { echo '→ chromium, for the tests in a browser' && $(CHROMIUM); } || { \
		echo '✗ The tests in a browser need Chromium. On Debian and Ubuntu: apt-get install chromium'; exit 1; }
	@ls $(call MODELS,var,yes) >/dev/null 2>&1 || \
		ARKROUTE_DATA=var LOCAL_CHAT_GGUF= LOCAL_AUDIO=on $(MANAGE) fetch_engine_models
	@echo '→ tests on SQLite'
	@$(PYTEST) -n 3 --dist worksteal
	@echo '→ tests of the database on Postgres'
	@ARKROUTE_TEST_DATABASE=postgres $(PYTEST) -n 2 -m database $$(grep -rl --include='test_*.py' mark.database tests | sort)
	@echo '→ tests of the SDK'
	@cd sdk && .venv/bin/python -m pytest -q

lint: $(VENV)/.packages-dev sdk/.venv/.packages
	@echo '→ ruff'
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@echo '→ mypy'
	@$(VENV)/bin/python -m mypy .
	@cd sdk && .venv/bin/mypy
	@echo '→ migrations'
	@SECRET_KEY=lint-only DEBUG=on $(MANAGE) makemigrations --check --dry-run

bench: $(VENV)/.packages-dev
	@$(VENV)/bin/python -m bench.run

bench-sessions: setup $(VENV)/.packages-dev
	@$(VENV)/bin/python -m bench.sessions

bench-videos: $(VENV)/.packages-dev
	@$(VENV)/bin/python -m bench.videos

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

$(VENV)/.packages-local: requirements-local.txt requirements.txt $(VENV)/.packages | $(VENV)/bin/python
	@echo '→ packages for speech (some 260 MB on disk; LOCAL_AUDIO=0 leaves them out)'
	@$(call PIP_INSTALL,requirements-local.txt)
	@touch $@

$(VENV)/.packages-dev: requirements-dev.txt requirements-local.txt requirements.txt | $(VENV)/bin/python
	@echo '→ packages, with those for tests (a minute or two the first time)'
	@$(call PIP_INSTALL,requirements-dev.txt)
	@touch $@ $(VENV)/.packages $(VENV)/.packages-local

# A place of its own: its name for imports is this project's, too.
sdk/.venv/.packages: sdk/pyproject.toml | $(VENV)/bin/python
	@echo '→ packages for the SDK and its tests'
	@$(VENV)/bin/python -m venv --clear sdk/.venv
	@sdk/.venv/bin/python -m pip --disable-pip-version-check install -q --progress-bar off -e './sdk[dev]'
	@touch $@

# At development time alone (Node): what they write is committed.
css: frontend/node_modules/.package-lock.json
	@cd frontend && npx tailwindcss -i css/app.css -o ../static/app/app.css --minify

vendor: frontend/node_modules/.package-lock.json
	@node frontend/vendor.mjs

screenshots: $(VENV)/.packages-dev
	@$(VENV)/bin/python -m tests.browser.screenshots

frontend/node_modules/.package-lock.json: frontend/package-lock.json
	@cd frontend && npm ci --ignore-scripts --no-audit --no-fund

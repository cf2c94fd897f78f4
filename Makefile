# What a contributor types. Every target makes .venv by itself; nothing has to be activated.

PYTHON ?= python3
SECONDS ?=
MINUTES ?=
ARGS ?=
PEERS ?=
SCALE ?=
JSON ?=

.PHONY: help demo test torture fuzz interop check bench docs clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s%s\n", $$1, $$2 }' Makefile

demo: .venv/.complete ## a chat server, people who talk and a live dashboard (SECONDS=10 ends it)
	@.venv/bin/rtflow demo $(if $(SECONDS),--seconds $(SECONDS))

test: .venv/.complete ## every test, with real parts (ARGS="-k unread" goes to pytest)
	@PYTHONASYNCIODEBUG=1 .venv/bin/python -m pytest -n auto --maxprocesses 4 $(ARGS)

fuzz: .venv/.fuzz ## what attackers may send, found by atheris where it runs (SECONDS=60 each)
	@.venv/bin/python -m tests.fuzz $(if $(SECONDS),--seconds $(SECONDS)) $(ARGS)

torture: .venv/.complete ## everything that is to break it, with figures (MINUTES=10 unless told)
	@.venv/bin/python -m tests.torture $(or $(MINUTES),10) $(ARGS)

interop: .venv/.complete ## the official JavaScript client against our server, beside ours (ARGS too)
	@.venv/bin/python -m tests.interop.node
	@.venv/bin/python -m pytest -n 6 tests/interop $(ARGS)

check: .venv/.complete ## format, lint, types, imports: changes nothing
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/pyright
	.venv/bin/lint-imports

bench: .venv/$(if $(PEERS),.bench,.complete) ## speed, as ratios to a bare websocket loop (PEERS=1, SCALE=1, JSON=file)
	@.venv/bin/python -m benchmarks $(if $(PEERS),--peers) $(if $(SCALE),--scale) \
		$(if $(JSON),--json $(JSON)) $(ARGS)

docs: .venv/.complete ## write what the reference says of the code, from the code
	@.venv/bin/python -m docs.generator

clean: ## remove .venv (PYTHON=python3.12 picks the Python of the next one) and what tools left
	rm -rf .venv build dist htmlcov .coverage .coverage.* .hypothesis .*_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp stands only after a whole install: a missing one means a new .venv, an old one an update.
.venv/.complete: pyproject.toml
	$(if $(PROBLEM),$(error $(PROBLEM); to use another: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12))
	@test -e $@ || { echo "Making .venv (once; takes a minute)"; "$(PYTHON)" -m venv --clear .venv; }
	@rm -f $@
	@.venv/bin/python -m pip install -qq --disable-pip-version-check --editable ".[dev]"
	@touch $@

# Atheris has no wheels for some Pythons and systems: then nothing is fuzzed.
.venv/.fuzz: .venv/.complete
	-@.venv/bin/python -m pip install -qq --disable-pip-version-check --only-binary atheris \
		--editable ".[fuzz]"
	@touch $@

# The peers of `make bench PEERS=1`; a server of NATS comes with them.
.venv/.bench: .venv/.complete
	@.venv/bin/python -m pip install -qq --disable-pip-version-check --editable ".[bench]"
	@touch $@

# What keeps $(PYTHON) from making a .venv, in one line. Python 2 must be able to run the probe, too.
PROBLEM = $(if $(wildcard .venv/.complete),,$(shell \
  said=$$("$(PYTHON)" -c '$(PROBE)' 2>&1) || echo "$$said" | tail -n 1))
PROBE = import sys; sys.version_info < (3, 11) and \
  sys.exit("rtflow needs Python 3.11 or newer, $(PYTHON) is %s" % sys.version.split()[0]); \
  from importlib.util import find_spec as has; has("venv") and has("ensurepip") or \
  sys.exit("$(PYTHON) has no venv module (Debian, Ubuntu: apt install python3-venv)")

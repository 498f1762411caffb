# Every target sets up what it needs first; what is set up is not set up again.
PYTHON ?= python3
PY := .venv/bin/python
READY := .venv/.ready
CODE := services protocol commons clients/python/headgate tests examples

.DEFAULT_GOAL := help
.PHONY: help setup demo test bench up lint fmt proto sql docs lock clean

help:  ## this page
	@echo "Headgate: a governed gateway in front of Apache Flink and Apache SeaTunnel"
	@echo
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */  make \1\t/' | expand -t 16
	@echo
	@echo "  ARGS=…         arguments for 'make up', such as ARGS=--stop-engines,"
	@echo "                 or for 'make bench', such as ARGS='polls submits --runs 3'"
	@echo "  PYTEST_ARGS=…  arguments for 'make test', such as PYTEST_ARGS='tests/unit -k wire'"

setup: $(READY)  ## make the virtual environment .venv

$(READY): requirements.lock pyproject.toml clients/python/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Headgate needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@rm -f $@
	@test -x $(PY) || { echo "Making .venv …"; rm -rf .venv; $(PYTHON) -m venv .venv; }
	@echo "Installing what requirements.lock names …"
	@{ $(PY) -m pip install -q uv && .venv/bin/uv pip sync --system-certs -q --python $(PY) requirements.lock; } \
	  || $(PY) -m pip install -q --require-hashes -r requirements.lock
	@$(PY) -m pip install -q --no-deps --no-build-isolation -e . -e clients/python
	@touch $@

demo: $(READY)  ## run examples/orders.sql on a real Flink, then stop everything
	@$(PY) -P examples/demo.py

up: $(READY)  ## the service in the foreground; state under HEADGATE_HOME (~/.headgate)
	@exec $(PY) -P -m services $(ARGS)

test: lint  ## lint, then all tests
	@$(PY) -m pytest $(PYTEST_ARGS)

bench: $(READY)  ## measure, each figure against something beside it; QUICK=1 only shows that it works
	@$(PY) -m tests.bench $(if $(QUICK),--quick) $(ARGS)

lint: $(READY)  ## ruff, mypy, import contracts
	@.venv/bin/ruff check $(CODE)
	@.venv/bin/ruff format --check $(CODE)
	@.venv/bin/mypy
	@.venv/bin/lint-imports

fmt: $(READY)  ## format the code
	@.venv/bin/ruff check --fix -q $(CODE); .venv/bin/ruff format -q $(CODE)

proto: $(READY)  ## generate the gRPC code anew
	@$(PY) -P protocol/generate.py

sql: $(READY)  ## write sql/ anew from the tables
	@$(PY) -P -m services.schema

docs: $(READY)  ## write docs/rest.md anew from the routes
	@$(PY) -P -m services.entrance.reference

lock: $(READY)  ## compile requirements.lock anew
	@.venv/bin/uv pip compile -q --system-certs --universal --python-version 3.11 --generate-hashes --no-header \
	  --extra dev pyproject.toml clients/python/pyproject.toml -o requirements.lock

clean:  ## remove .venv
	@rm -rf .venv

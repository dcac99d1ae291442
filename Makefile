# make demo    set up .venv and run the example pipeline on a year of New York's flights
# make test    set up what tests need, lint, and run the tests
# make coverage   the same, and measure which lines they run: it takes half as long again
# make lint    ruff, mypy, import-linter
# make bench   set up .venv-bench with the peers, measure side by side, write benchmarks/results/
# make bench-aws   the same on the fake AWS
# make bench-dataframe   queries on TPC-H's tables, which are made first, once (ARGS="--data DIR" says where)
# make docs    build the site of documents into site/, with every link checked
# make lock    resolve requirements/*.txt anew from pyproject.toml
# make clean   remove the environments and everything that was built

ifndef PYTHON
PYTHON := $(shell for python in python3.13 python3.12 python3.11 python3 python; do \
	$$python -c 'import sys, venv, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
endif
VENV := .venv
BENCH := .venv-bench
# One more than there are processors, since tests of whole runs wait a third of their time.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
COVERAGE ?= 95
# Hashes make the lock the only thing that is trusted, wherever packages are fetched from.
INSTALL := install --quiet --disable-pip-version-check --require-hashes --requirement
INSTALL_SELF := install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
# Extras stay in the lock: pip looks at a package with an extra apart from the one without, and would find the newest of it.
LOCK := $(VENV)/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links --no-strip-extras $(ARGS)

.PHONY: demo test coverage lint docs bench bench-aws bench-dataframe lock clean

demo: $(VENV)/.demo
	$(VENV)/bin/python examples/flights.py

# Thousands of programs are started, which would each compile cloudburst anew where Python may not keep what it has compiled.
test coverage: export PYTHONDONTWRITEBYTECODE :=
test coverage: lint
	$(VENV)/bin/python -m pytest -n $(WORKERS) --dist worksteal -m "not heavy and not exhaustive" $(MEASURED) $(ARGS)

coverage: MEASURED := --cov --cov-fail-under=$(COVERAGE)

lint: $(VENV)/.test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-logo

# The theme's own word on what it will run on is for those who write themes.
docs: $(VENV)/.test
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/python -m mkdocs build --strict $(ARGS)

bench: $(BENCH)/.bench
	$(BENCH)/bin/python -m benchmarks $(ARGS)

bench-aws: $(BENCH)/.bench
	$(BENCH)/bin/python -m benchmarks --aws $(ARGS)

bench-dataframe: $(BENCH)/.bench
	$(BENCH)/bin/python -m benchmarks --dataframe $(ARGS)

lock: $(VENV)/.test
	$(LOCK) --extra demo --extra image --extra polars --extra testing --group build --group docs --group test --group lint --output-file requirements/test.txt
	$(LOCK) --extra demo --group build --constraint requirements/test.txt --output-file requirements/demo.txt
	$(LOCK) --extra testing --group build --group bench --output-file requirements/bench.txt
	$(LOCK) --extra aws --constraint requirements/test.txt --output-file docker/requirements.txt
	$(LOCK:pyproject.toml=--group build) --constraint requirements/test.txt --output-file docker/build.txt

clean:
	rm -rf $(VENV) $(BENCH) dist build site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage* htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment has no pip of its own until the lock is in: PYTHON's installs into it, so that python3-venv is not needed.
%/pyvenv.cfg:
	@test -n "$(PYTHON)" || { echo "cloudburst needs Python 3.11 or newer with pip; name it: make PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv --without-pip $*

$(VENV)/.demo: requirements/demo.txt pyproject.toml | $(VENV)/pyvenv.cfg
	$(PYTHON) -m pip --python $(VENV)/bin/python $(INSTALL) requirements/demo.txt
	$(PYTHON) -m pip --python $(VENV)/bin/python $(INSTALL_SELF)
	@touch $@

$(VENV)/.test: requirements/test.txt $(VENV)/.demo
	$(PYTHON) -m pip --python $(VENV)/bin/python $(INSTALL) requirements/test.txt
	@touch $@

$(BENCH)/.bench: requirements/bench.txt pyproject.toml | $(BENCH)/pyvenv.cfg
	$(PYTHON) -m pip --python $(BENCH)/bin/python $(INSTALL) requirements/bench.txt
	$(PYTHON) -m pip --python $(BENCH)/bin/python $(INSTALL_SELF)
	@touch $@

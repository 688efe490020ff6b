# Everything is done in a virtual environment of its own, made on first use.
VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin
WORKERS = $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)  # many tests wait for other processes

.PHONY: demo test check docs bench fuzz clean

demo: $(VENV)/.installed  ## watch a real process's memory change, in four acts
	@$(BIN)/vmdiff demo

test: $(VENV)/.installed-test  ## run every test; ARGS="--cov" measures branch coverage, too
	@$(BIN)/python -m pytest -n $(strip $(WORKERS)) --dist loadgroup $(ARGS)

check: $(VENV)/.installed-check  ## format, lint, types, import layers, our own rules, and the wheel tried on its own
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/check_layout.py
	$(BIN)/python tests/try_wheel.py

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage* .import_linter_cache

$(VENV)/.installed: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-test: pyproject.toml  # not compiled: the tests import little of it
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --editable '.[test]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-check: $(VENV)/.installed-test
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[check]'
	@touch $@

docs: $(VENV)/.installed-test  ## build the documentation site into build/site; a dead link is an error
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

bench: $(VENV)/.installed-test  ## measure whole commands against their peers; one table
	@$(BIN)/python benchmarks/run.py $(ARGS)

fuzz: $(VENV)/.installed-test  ## inputs that nobody would write, guided by coverage; ARGS="--seconds 600 document"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check atheris
	@$(BIN)/python -m fuzz.run $(ARGS)

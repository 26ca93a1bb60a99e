PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup demo test test-all lint docs bench clean

setup: $(STAMP)  ## make .venv with the tested versions

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e ".[dev]"
	touch $@

demo: setup  ## both jobs on embedded synthetic data: learn, transfer, classify; super-resolve, measure
	$(BIN)/micrographia train experiment=drl/demo_source
	$(BIN)/micrographia transfer experiment=drl/demo
	$(BIN)/micrographia superresolve experiment=rls/demo

test: setup  ## the suite, without the slow tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -q

test-all: setup  ## the whole suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -q -m ""

lint: setup  ## formatter, linter, type checker
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: setup  ## execute every block of code in README and docs, and build the site into site/
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q tests/end_to_end/test_documents.py
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m "" tests/api/test_notebook.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: setup  ## the benchmarks that take minutes; encoder_start.py and prior_weights.py train and search for hours
	for script in $(filter-out %/encoder_start.py %/prior_weights.py,$(wildcard benchmarks/*.py)); do \
		$(BIN)/python $$script || exit 1; done

clean:  ## remove the environment and caches; runs stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist src/*.egg-info

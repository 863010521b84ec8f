# make quickstart: set up, then train a small network on real images. make test: set up, then run the tests.
# make bench: set up, then measure everything in about an hour; leaves benchmarks/RESULTS.md.
# Set-up happens once; all can be repeated at any time.

PYTHON := $(shell for p in python3 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo $$p && break; done)
BIN := .venv/bin
INSTALLED := .venv/installed

.PHONY: quickstart test bench lint format clean

quickstart: $(INSTALLED)
	@echo "==> Training a small network on scikit-learn's handwritten digits (no download)"
	@$(BIN)/python train.py experiments=quickstart
	@echo
	@echo "==> Next:"
	@echo "    open the pictures in the run folder's plots/"
	@echo "    $(BIN)/python train.py model=cnn aug=basic          CIFAR-10 (downloads 163 MiB once)"
	@echo "    $(BIN)/python train.py -m experiments=quickstart seed=0,1,2"
	@echo "    $(BIN)/python train.py --help                       everything that can be chosen"

# Two at a time: much of a test's time is a process that starts. Threads that wait must not spin on the other's core.
PYTEST := OMP_WAIT_POLICY=passive $(BIN)/python -m pytest --numprocesses=2 --dist=worksteal

test: $(INSTALLED)
	@echo "==> Tests, PyTorch in their processes"
	@$(PYTEST)
	@echo "==> Tests, Keras in their processes"
	@CIFAR_TEST_BACKEND=keras $(PYTEST) tests/test_experiment.py tests/test_trained.py tests/backends

bench: $(INSTALLED)
	@$(BIN)/python benchmarks/suite.py

lint: $(INSTALLED)
	@echo "==> Lint"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache --no-logo

format: $(INSTALLED)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

$(INSTALLED): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed, and none was found." >&2; exit 1; }
	@echo "==> Setting up .venv with $(PYTHON) (some minutes, about 9 GB: PyTorch and TensorFlow are large)"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache

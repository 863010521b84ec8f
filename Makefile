# make quickstart: install what training in PyTorch Lightning needs, then train a small network on real images.
# make test: install everything, then run the tests.
# make bench: install everything, then measure it in about an hour; leaves benchmarks/RESULTS.md.
# Installation happens once; all targets can be repeated at any time.

PYTHON := $(shell for p in python3 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo $$p && break; done)
BIN := .venv/bin
INSTALLED := .venv/installed
ALL_INSTALLED := .venv/installed-all

.PHONY: quickstart test bench docs lint format clean

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

test: $(ALL_INSTALLED)
	@echo "==> Tests, PyTorch in their processes"
	@$(PYTEST)
	@echo "==> Tests, Keras in their processes"
	@CIFAR_TEST_BACKEND=keras $(PYTEST) tests/test_experiment.py tests/test_trained.py tests/test_export.py tests/backends

bench: $(ALL_INSTALLED)
	@$(BIN)/python benchmarks/suite.py

docs: $(ALL_INSTALLED)
	@echo "==> Documentation, into site/"
	@NO_MKDOCS_2_WARNING=1 DISABLE_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --quiet # their notices are for other projects

lint: $(ALL_INSTALLED)
	@echo "==> Lint"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache --no-logo

format: $(ALL_INSTALLED)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# $(call install,EXTRAS): with uv if it is there. Without an NVIDIA GPU, uv takes the CPU builds of PyTorch; where their
# index cannot be reached, the ordinary ones.
PIP_OPTIONS := --quiet -c constraints.txt
define install
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed, and none was found." >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@if command -v uv >/dev/null 2>&1; then \
		uv pip install --python $(BIN)/python --torch-backend=auto $(PIP_OPTIONS) -e ".[$(1)]" \
		|| { echo "==> Again, with the ordinary builds of PyTorch"; \
		     uv pip install --python $(BIN)/python $(PIP_OPTIONS) -e ".[$(1)]"; }; \
	else \
		echo "    (pip; uv would be faster, and without an NVIDIA GPU it takes the much smaller CPU builds of PyTorch)"; \
		$(BIN)/python -m pip install --disable-pip-version-check $(PIP_OPTIONS) -e ".[$(1)]"; \
	fi
	@touch $@
endef

$(INSTALLED): pyproject.toml constraints.txt
	@echo "==> Installing what training in PyTorch Lightning needs into .venv (some minutes)"
	$(call install,lightning)

$(ALL_INSTALLED): pyproject.toml constraints.txt
	@echo "==> Installing everything, with TensorFlow, JAX and the tools of development, into .venv (some minutes)"
	$(call install,dev)
	@touch $(INSTALLED)

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache

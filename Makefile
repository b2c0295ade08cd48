# `make demo`: install, train the three apps, show what RL changed, serve on http://localhost:7860
# `make test`: install and run the whole suite        `make check`: format, lint, types, import rules
# `make coverage`: the suite again, slower, and which lines it never ran
# `make mutants`: breaks the code in a thousand small ways, and tells which of them no test notices

PYTHON ?= python3.11
PORT ?= 7860
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test coverage mutants check format figures lock clean

demo: $(INSTALLED)
	$(BIN)/steer demo --port $(PORT)

test: $(INSTALLED)
	sh tests/install_browser.sh
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

coverage: $(INSTALLED)
	$(BIN)/pytest --cov --cov-report=term:skip-covered

mutants: $(INSTALLED)
	$(BIN)/python -m tests.mutants

check: $(INSTALLED)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(INSTALLED)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Without an NVIDIA driver, PyTorch's own index of CPU builds spares several gigabytes of CUDA libraries.
TORCH_INDEX := $(if $(shell command -v nvidia-smi),,--retries 0 --extra-index-url https://download.pytorch.org/whl/cpu)

# A torch that the environment has already (a CUDA build of the user's own) stays.
$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)
	$(BIN)/python -c 'import torch' 2>/dev/null || $(BIN)/python -m pip install --quiet $(TORCH_INDEX) torch==2.13.0
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

# The committed figures of the three apps, and the page that shows them.
figures: $(INSTALLED)
	$(BIN)/steer train all
	$(BIN)/steer evaluate all --json benchmarks/results/evaluate.json
	$(BIN)/python -m benchmarks.page

lock: $(INSTALLED)
	$(BIN)/python -m pip freeze --exclude-editable --exclude torch | grep -v '^nvidia\|^triton\|^pip=\|^setuptools=' > constraints.txt

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .coverage

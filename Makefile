# `make demo`: install, train the three apps, show what RL changed, serve on http://localhost:7860
# `make test`: install what tests need too, run all   `make check`: format, lint, types, import rules
# `make coverage`: the suite again, slower, and which lines it never ran
# `make schemas`: what editors complete a steer.yaml by
# `make mutants`: breaks the code in a thousand small ways, and tells which of them no test notices

# Commands start many processes: each would compile anew all that it imports.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3.11
PORT ?= 7860
VENV := .venv
BIN := $(VENV)/bin
# Stamps of what is installed: what the demo needs, and on top of it what tests and checks need.
PRODUCT := $(VENV)/.product
DEV := $(VENV)/.dev

.PHONY: demo test coverage schemas mutants check format figures lock clean

demo: $(PRODUCT)
	$(BIN)/steer demo --port $(PORT)

test: $(DEV)
	sh tests/install_browser.sh
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

coverage: $(DEV)
	$(BIN)/pytest --cov --cov-report=term:skip-covered

schemas: $(DEV)
	$(BIN)/python -m tests.schemas

mutants: $(DEV)
	$(BIN)/python -m tests.mutants

check: $(DEV)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEV)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Without an NVIDIA driver, PyTorch's own index of CPU builds spares several gigabytes of CUDA libraries.
TORCH_INDEX := $(if $(shell command -v nvidia-smi),,--retries 0 --extra-index-url https://download.pytorch.org/whl/cpu)

# uv takes a fraction of pip's time. It knows neither pip's configuration nor the packages of the system that an
# environment may share, a torch among them: there, and where uv is not to be had, pip installs.
UV = $(or $(shell command -v uv),$(BIN)/uv)
PIP := $(BIN)/python -m pip
define install
	! grep -qs 'system-site-packages = true' $(VENV)/pyvenv.cfg \
	&& $(UV) pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '$(1)' \
	|| { echo 'pip installs it, which takes some minutes'; \
	$(PIP) install --quiet --constraint constraints.txt --editable '$(1)'; }
endef

# A torch that the environment has already (a CUDA build of the user's own) stays.
$(PRODUCT): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)
	$(BIN)/python -c 'import torch' 2>/dev/null \
	|| $(PIP) install --quiet $(TORCH_INDEX) --constraint constraints.txt torch==2.13.0
	command -v $(UV) >/dev/null || $(PIP) install --quiet uv || true
	$(call install,.)
	touch $@

$(DEV): $(PRODUCT)
	$(call install,.[dev])
	touch $@

# The committed figures of the three apps, and the page that shows them.
figures: $(DEV)
	$(BIN)/steer train all
	$(BIN)/steer evaluate all --json benchmarks/results/evaluate.json
	$(BIN)/python -m benchmarks.page

# Pins what pyproject.toml asks for; a pin that still fits stays. Which torch, and which CUDA, is the machine's affair.
lock: $(PRODUCT)
	$(UV) pip compile --quiet --no-header --no-annotate --python-version 3.11 --extra dev \
	    --output-file constraints.txt pyproject.toml
	grep -v '^torch=\|^triton=\|^nvidia-\|^cuda-\|^pip=\|^setuptools=' constraints.txt > $(VENV)/constraints.txt
	mv $(VENV)/constraints.txt constraints.txt

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .coverage

# Everything here works on a fresh checkout: each target sets up what it needs, once.
# `make help` lists the targets. The environment is .venv in this folder.

PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name))))
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BROKER := $(VENV)/.broker
SOURCES := edge gate_controller recognition sync hardware_sim tests benchmarks docs
LOCK_VENV := build/lock

.DEFAULT_GOAL := help
.PHONY: help demo stories test check pytest fuzz model bench train train-set-up train-reader train-detector \
	train-aligner street docs lock clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */  make \1\t/' | expand -t 16

demo: $(READY) ## show a site with an entry and an exit lane at work
	@$(BIN)/slagboom demo

stories: $(READY) ## the story of each of the five systems, told as it happens
	@$(BIN)/slagboom sim --systems

test: check pytest ## everything that must hold: lint, types, import contracts, tests, the built wheel

check: $(READY) ## lint, formatting, types and import contracts
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports

pytest: $(READY) $(BROKER) ## the tests alone; ARGS="tests/sync -k outbox" picks some
	$(BIN)/python -m pytest $(or $(ARGS),--numprocesses 3 --dist loadfile --no-loadscope-reorder)

fuzz: $(READY) $(BROKER) ## the property tests with new examples, ten times as many; what fails prints how to repeat it
	HYPOTHESIS_PROFILE=fuzz $(BIN)/python -m pytest -m hypothesis $(ARGS)

model: $(READY) ## 20,000 new steps of portal, edges and desk against their oracle, with statistics
	HYPOTHESIS_PROFILE=model $(BIN)/python -m pytest tests/model/test_machine.py $(ARGS)

bench: $(READY) $(BROKER) ## the benchmarks, ending on one table of limits
	@$(BIN)/python -m benchmarks

TRAINED := build/train
TRAIN_PYTHON := $(TRAINED)/venv/bin/python
PERCENT ?= 100
percent_of = $$(($(1) * $(PERCENT) / 100))
in_whole_numbers = $(TRAIN_PYTHON) -m recognition.training.quantize $(1) $(TRAINED)/$(1)_float.onnx \
	$(TRAINED)/models/$(1).onnx --street $(STREET)

# In an environment of its own, since torch is larger than all the rest; PIP_ARGS may name an index with builds for
# processors alone. The three trainings need nothing of each other: -j2 makes two at once, the longest first.
# Nothing shipped is changed: the models lie in build/train/models.
train: train-reader train-detector train-aligner ## train the models anew: STREET=folder with street.csv, PERCENT=100
	@cp $(TRAINED)/ocr_float.yaml $(TRAINED)/models/ocr.yaml
	@cd $(TRAINED)/models && sha256sum *.onnx *.yaml > SHA256SUMS && cat SHA256SUMS

train-set-up: street
	@$(MAKE) --no-print-directory $(READY)
	@test -x $(TRAIN_PYTHON) || $(BIN)/python -m venv $(TRAINED)/venv
	@echo "Installing what training needs into $(TRAINED)/venv: torch alone has gigabytes ..."
	@$(TRAIN_PYTHON) -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -e '.[train]'
	@mkdir -p $(TRAINED)/models

train-reader: train-set-up
	$(TRAIN_PYTHON) -m recognition.training.train_ocr --street $(STREET) --out $(TRAINED)/ocr \
		--steps $(call percent_of,16000)
	$(TRAIN_PYTHON) -m recognition.training.export_ocr $(TRAINED)/ocr/last.pt --out $(TRAINED)/ocr_float.onnx
	$(call in_whole_numbers,ocr)

train-detector: train-set-up
	$(TRAIN_PYTHON) -m recognition.training.train_detector $(STREET)/street.csv --folder $(TRAINED)/detector \
		--steps $(call percent_of,7000) --export $(TRAINED)/detector_float.onnx
	$(call in_whole_numbers,detector)

train-aligner: train-set-up
	$(TRAIN_PYTHON) -m recognition.training.train_aligner $(STREET)/street.csv --folder $(TRAINED)/aligner \
		--steps $(call percent_of,8000) --export $(TRAINED)/aligner_float.onnx
	$(call in_whole_numbers,aligner)

street:
	@test -f "$(STREET)/street.csv" || \
		{ echo "No street.csv in '$(STREET)': name the folder that holds it, make train STREET=... (docs/training.md)" >&2; \
		exit 1; }

docs: $(READY) ## write the generated pages and pictures of docs/ anew
	@$(BIN)/python docs/generate.py

# Set-up. $(READY) is newer than what it was made from, so nothing is installed twice.

$(READY): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing the pinned packages into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "No Python found: slagboom needs Python 3.11 or newer." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is too old: slagboom needs Python 3.11 or newer. Name another: make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		$(call apt_install,python$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv)
	@$(PYTHON) -m venv $(VENV)

# The tests speak to a real broker; it is a system program, the only one they need.
$(BROKER): | $(BIN)/python
	@PATH="$$PATH:/usr/sbin"; command -v mosquitto >/dev/null || $(call apt_install,mosquitto)
	@touch $@

# $(call apt_install,PACKAGE): as root or through sudo; one clear message if neither works.
define apt_install
{ package=$(1); \
  echo "Installing the system package $$package ..."; \
  sudo=""; test "$$(id -u)" = 0 || sudo=sudo; \
  { command -v apt-get && { test -z "$$sudo" || command -v sudo; }; } >/dev/null && \
  $$sudo apt-get update -qq && \
  $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$$package" >/dev/null || \
  { echo "The system package $$package is missing and could not be installed from here." >&2; \
    echo "Install it as root (Debian: apt-get install $$package), then run make again." >&2; exit 1; }; }
endef

# Pins stay as they are unless a requirement no longer allows them; `make lock UPGRADE=--upgrade` takes the newest.
# Every published file of a version is listed, so the same pins serve x86_64 and aarch64.
lock: $(BIN)/python ## write constraints.txt anew from pyproject.toml
	@test -x $(LOCK_VENV)/bin/uv || { $(BIN)/python -m venv $(LOCK_VENV) && $(LOCK_VENV)/bin/pip install --quiet uv; }
	@$(LOCK_VENV)/bin/uv pip compile --quiet --system-certs pyproject.toml --extra demo --extra dev \
		--python-version 3.11 --python-platform x86_64-manylinux_2_28 --generate-hashes --no-annotate \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(UPGRADE) -o constraints.txt

clean: ## remove the environment, caches and everything built
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find $(SOURCES) -name __pycache__ -prune -exec rm -rf {} +

# Everything that a person does with this checkout. `make help` lists it.
#
#     make demo               the main job from end to end
#     VENV=/tmp/x make env    the same with the environment elsewhere; PYTHON=python3.12 picks the Python
VENV ?= .venv
TRAIN_VENV ?= .venv-train
RELEASE_VENV ?= .venv-release
BIN := $(VENV)/bin
ENV := $(VENV)/.made
TESTS ?= tests
PROJECTS := edge/pyproject.toml models/pyproject.toml server/pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help
help:  ## list what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */\1\t/' | awk -F '\t' '{printf "  make %-16s %s\n", $$1, $$2}'

$(ENV): requirements.txt $(PROJECTS) tools/environment.sh tools/annoy_flags.sh
	tools/environment.sh $(VENV)
	@touch $@

.PHONY: env
env: $(ENV)  ## make .venv with what the demo, the server and the tests need

.PHONY: demo
demo: $(ENV)  ## the main job from end to end: server, catalogue, bundle, device, 24 photos, a change
	$(BIN)/python -m tools.demo

.PHONY: test
test: lint  ## every check and the whole test suite, with branch coverage
	$(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report=term:skip-covered --durations=10 $(TESTS)

.PHONY: lint
lint: $(ENV)  ## formatting, style, types, directions of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	PYTHONPATH=export/src $(BIN)/lint-imports

.PHONY: proto
proto: $(ENV)  ## remake the generated protobuf code from proto/
	$(BIN)/python tools/generate_proto.py

.PHONY: clean
clean:  ## remove what was made here, the environments excepted
	rm -rf build dist .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

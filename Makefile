# Everything that a person does with this checkout. `make help` lists it.
#
#     make demo               the main job from end to end
#     VENV=/tmp/x make env    the environment elsewhere; PYTHON=python3.12 picks the Python
VENV ?= .venv
TRAIN_VENV ?= .venv-train
RELEASE_VENV ?= .venv-release
TESTS ?= tests
export VENV

BIN := $(VENV)/bin
ENV := $(VENV)/.made
PACKAGES := ./edge ./models ./server
RECIPE := tools/environment.sh tools/annoy_flags.sh requirements.txt $(wildcard */pyproject.toml)
DEMO := build/demo
RUN ?= all
MATERIALS = $(if $(filter clean,$(RUN)),build/materials)
SHARE ?= 1
DATA := $(or $(SKUSCAN_DATA),../shared)/data
BENCHMARKS := yardstick metadata_bytes store_size

.DEFAULT_GOAL := help
.PHONY: help env demo test lint proto eval eval-distractors validate bench faults second-env postgres arm64 train-env train descriptor release-check resolve-check clean

help:  ## list what there is
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## */\t/' | awk -F '\t' '{printf "  make %-14s %s\n", $$1, $$2}'

env: $(ENV)  ## make .venv with what the demo, the server and the tests need
$(ENV): $(RECIPE)
	@tools/environment.sh $(VENV) requirements.txt $(PACKAGES)
	@touch $@

demo: $(ENV)  ## the main job from end to end: server, catalogue, bundle, device, 24 photos, a change
	$(BIN)/python -m tools.demo

test: lint  ## every check and the whole test suite; which lines and branches ran is in build/coverage/index.html
	$(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report=html:build/coverage --durations=10 --ignore tests/faults $(TESTS)
	@echo "of lines and branches covered: $$($(BIN)/coverage report --format=total)%"

lint: $(ENV)  ## formatting, style, types, directions of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	PYTHONPATH=export/src $(BIN)/lint-imports

proto: $(ENV)  ## remake the generated protobuf code from proto/
	$(BIN)/python tools/generate_proto.py

eval: $(ENV)  ## recognition on real pictures, to report (SKUSCAN_DATA, else ../shared)
	$(BIN)/python -m benchmarks.evaluation

eval-distractors: $(ENV)  ## the same with 10,000 more products in the gallery
	$(BIN)/python -m benchmarks.distractors

validate: $(ENV)  ## the same metrics on held-out training pictures, to choose by
	$(BIN)/python -m benchmarks.validation

bench: $(ENV)  ## the benchmarks that need no real pictures
	set -e; for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python -m benchmarks.$$name; done

faults: $(ENV)  ## the long tests of the promises: kills, full disks, hostile servers, times and sizes (SHARE=0.1: a tenth)
	SKUSCAN_FAULTS=$(SHARE) $(BIN)/python -m pytest -o faulthandler_timeout=3600 tests/faults
	test $(SHARE) != 1 || $(BIN)/python -m tools.guarantee_figures

second-env: $(ENV)  ## the edge tests again, with tflite-runtime 2.14, numpy 1 and OpenCV 4.11
	$(BIN)/python tools/second_environment.py

postgres: $(ENV)  ## the server's tests again, on a PostgreSQL that is made for them (skipped where none is installed)
	tools/postgresql_tests.sh $(VENV) tests/server

arm64: $(ENV) $(DEMO)/device-store  ## the demo's device on an emulated 64-bit Arm, compared with this machine
	tools/arm64.sh --store $(DEMO)/device-store --photos $(DEMO)/photos
$(DEMO)/device-store:
	$(MAKE) demo

train-env: $(TRAIN_VENV)/.made  ## make .venv-train, which adds Keras and TensorFlow
$(TRAIN_VENV)/.made: $(RECIPE) requirements-train.txt
	@tools/environment.sh $(TRAIN_VENV) requirements-train.txt $(PACKAGES) ./export
	@touch $@

descriptor: $(TRAIN_VENV)/.made  ## train the descriptor of keypoints again, into build/descriptor
	$(TRAIN_VENV)/bin/skuscan-models materials --out $(or $(MATERIALS),build/materials)
	$(TRAIN_VENV)/bin/skuscan-models descriptor --pictures $(DATA)/train --materials $(or $(MATERIALS),build/materials) \
		--out build/descriptor

train: $(TRAIN_VENV)/.made  ## train the embedding again (RUN=all or clean; resumes), and make its artefact in build/
	$(if $(MATERIALS),$(TRAIN_VENV)/bin/skuscan-models materials --out $(MATERIALS))
	$(TRAIN_VENV)/bin/skuscan-models train --run $(RUN) --pictures $(DATA)/train \
		$(if $(MATERIALS),--materials $(MATERIALS)) --out build/train/$(RUN)
	$(TRAIN_VENV)/bin/skuscan-export backbone --run build/train/$(RUN) --pictures $(DATA)/train --out build/artifacts/$(RUN)
	$(TRAIN_VENV)/bin/python -m skuscan_models.decision_fit --artifact build/artifacts/$(RUN) --pictures $(DATA)/train \
		--report build/artifacts/$(RUN)/decision_fit.json --diagram build/artifacts/$(RUN)/reliability.svg

release-check: $(RELEASE_VENV)/.made  ## build the four packages and the documentation as for a release
	tools/release_check.sh $(RELEASE_VENV)
$(RELEASE_VENV)/.made: $(RECIPE) requirements-release.txt
	@tools/environment.sh $(RELEASE_VENV) requirements-release.txt $(PACKAGES)
	@touch $@

resolve-check: $(ENV)  ## ask the index whether the pins have wheels for every Python and processor that we support
	tools/resolve_check.sh $(VENV)

clean:  ## remove what was made here, the environments excepted
	rm -rf build dist .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

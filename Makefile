# Everything a person does with this checkout. `make help` lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: proto
proto:  ## remake the generated protobuf code from proto/
	$(BIN)/python tools/generate_proto.py

# make env     .venv with all that demo, test and check need; skipped when up to date
# make demo    built-in data: train, evaluate, predict
# make test    the tests
# make check   format, lint, types, tests
# make bench   the races against other programs; DATA=… for other data than the built-in
# make lock    requirements/dev.txt anew from pyproject.toml

# The first of these that is Python 3.11, the only version tried. Another place: make PYTHON=…
PYTHON = $(shell for name in python3.11 python3 python; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null \
	&& echo "$$name" && break; done)
BIN := .venv/bin
# Written last, so that an environment whose making was interrupted is made again from nothing.
COMPLETE := .venv/.complete

DATA ?= runs/bench-data
SECONDS ?= 150
SIZE ?= 128
ENCODER_WEIGHTS ?=

.PHONY: env demo test check bench lock

env: $(COMPLETE)

$(COMPLETE): requirements/dev.txt pyproject.toml
	@python='$(PYTHON)'; if [ -z "$$python" ]; then \
		echo "Maskwright needs Python 3.11; none of python3.11, python3 and python is. Install it" \
			"or name it: make env PYTHON=/path/to/python3.11" >&2; exit 1; \
	fi; \
	[ -f $@ ] || "$$python" -m venv --clear .venv
	@rm -f $@
	$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: env
	$(BIN)/maskwright demo

# Two processes; a file stays whole, because its tests share what they trained. The longest come
# first, see tests/conftest.py.
test: env
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 10

check: env
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(MAKE) test

bench: env $(if $(filter runs/bench-data,$(DATA)),runs/bench-data/data.yaml) runs/bench-model
	$(BIN)/python benchmarks/race.py "$(DATA)" --seconds $(SECONDS) --size $(SIZE) \
		$(if $(ENCODER_WEIGHTS),--encoder-weights "$(ENCODER_WEIGHTS)")
	$(BIN)/python benchmarks/latency.py --all
	$(BIN)/python benchmarks/pipeline.py "$(DATA)"
	$(BIN)/python benchmarks/components.py
	$(BIN)/python benchmarks/large.py runs/bench-model --side 4096

# A network at the scale of the images, for large ones.
runs/bench-model: runs/bench-data/data.yaml
	rm -rf runs/bench-run runs/bench-model
	$(BIN)/maskwright train runs/bench-data -o runs/bench-run --minutes 0.5 --set crop=128
	$(BIN)/maskwright export runs/bench-run -o runs/bench-model --format onnx

runs/bench-data/data.yaml: | env
	rm -rf runs/bench-data
	$(BIN)/python -c 'from maskwright.data.synthetic.scenes import write_dataset; \
		write_dataset("runs/bench-data", num_images=160, size=192, seed=0)'

lock:
	@set -e; place=$$(mktemp -d); trap 'rm -rf "$$place"' EXIT; \
	"$(PYTHON)" -m venv "$$place"; \
	"$$place/bin/pip" install --quiet --disable-pip-version-check uv; \
	"$$place/bin/uv" pip compile --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --extra cpu --extra distributed --extra geo --extra hpo --extra litert --extra onnx --extra openvino --extra serve --extra tfds --extra track --extra wsi --group dev \
		pyproject.toml -o requirements/dev.txt --quiet

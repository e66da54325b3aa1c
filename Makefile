# Every target does its own set-up; what it installs goes into .venv and .tools, except Debian packages (as root only).
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

BOOTSTRAP := python3 libs/devkit/bootstrap.py
UV := .tools/uv/bin/uv
RUN := .venv/bin
export UV_PYTHON_DOWNLOADS := never
export UV_PROJECT_ENVIRONMENT := .venv

SERVICES := catalog orchestrator recorder watcher
BUILT := $(SERVICES:%=services/%) libs/devkit
VERSION = $(shell python3 deploy/release/version.py)
BUILD_ARGS = $(if $(PYTHON_IMAGE),--build-arg PYTHON_IMAGE=$(PYTHON_IMAGE)) --build-arg VERSION=$(VERSION) \
  --build-arg REVISION=$(shell git rev-parse HEAD 2>/dev/null || echo unknown)

PYTEST_ARGS ?=
ARGS ?=
BROKER := $(if $(filter --solo,$(ARGS)),,rabbitmq)

# Says so only when there is something to install: the first time it takes a while.
define sync
@$(UV) sync --quiet --locked $(1) --check 2>/dev/null \
  || { echo "installing Python packages into .venv (uv, ~10 s)" >&2; $(UV) sync --quiet --locked $(1); }
endef

.PHONY: help demo up doctor smoke azure-check test torture check fmt bench docs screenshots vendor images sbom publish clean runtime develop peers uv rabbitmq azurite mongodb checkers

# They stop before installing more when RabbitMQ cannot be had; the doctor then says so, and tests that need it are skipped.
demo up smoke: BOOTSTRAP += --required

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: runtime ## Start everything here with three simulated creators, and print a URL and a login
	@$(RUN)/wentlive demo $(ARGS)

up: runtime ## Start everything here for real use, data in .wentlive/data
	@$(RUN)/wentlive up $(ARGS)

doctor: runtime ## Say what this machine has and what it lacks
	@$(RUN)/wentlive doctor $(ARGS)

smoke: runtime ## Run the demo's story once, check all of it, print JSON (ARGS="--runtime aci": over a simulated Azure)
	@$(RUN)/wentlive demo --once --json $(ARGS)

test: develop rabbitmq azurite mongodb checkers ## Run every test, against real servers
	@$(RUN)/pytest --numprocesses 2 --dist worksteal $(PYTEST_ARGS)

torture: develop azurite checkers ## Misuse recorders for longer than the tests do: 200 kills, storage away for 5 minutes
	@WENTLIVE_TORTURE=long $(RUN)/pytest tests/integration/recorder/test_torture.py tests/integration/recorder/test_violence.py $(PYTEST_ARGS)

check: develop ## Lint, format check, types, import rules
	@$(RUN)/ruff check .
	@$(RUN)/ruff format --check .
	@$(RUN)/pyright
	@$(RUN)/pyright -p tests
	@$(RUN)/lint-imports --no-logo

fmt: develop ## Format, and mend what can be mended by rule
	@$(RUN)/ruff check --fix .
	@$(RUN)/ruff format .

azure-check: runtime ## Try one container group in a real subscription (docs/azure.md says which settings)
	@$(RUN)/python -m wentlive_orchestrator.aci_check

bench: peers rabbitmq azurite mongodb checkers ## Run the benchmarks and print their tables
	@for script in tests/benchmarks/*/bench_*.py; do echo "== $$script"; $(RUN)/python $$script; done

docs: develop ## Write the generated documents anew (events, manifest, REST API, settings, state diagrams)
	@$(RUN)/python -m wentlive_common.asyncapi > docs/asyncapi.yaml
	@$(RUN)/python -m wentlive_common.manifest > docs/recording.schema.json
	@$(RUN)/python -m wentlive_catalog.openapi > docs/openapi.json
	@$(RUN)/python -m wentlive_devkit.settings_reference > docs/configuration.md
	@$(RUN)/python -m wentlive_orchestrator.state_diagram > docs/recording-states.md

screenshots: develop azurite checkers ## Take a picture of every page of the web app, into docs/images
	@$(RUN)/python tests/e2e/catalog/screenshots.py $(ARGS)

vendor: develop ## Fetch the web app's third-party assets again and verify them
	@$(RUN)/python libs/devkit/vendor.py $(ARGS)

images: ## Build every image with Docker (PYTHON_IMAGE=... for another base)
	@for image in $(BUILT); do \
	  echo "== wentlive-$${image##*/}" >&2; \
	  docker build --quiet $(BUILD_ARGS) --tag wentlive-$${image##*/}:local --file $$image/Dockerfile .; \
	done
	@docker tag wentlive-devkit:local wentlive-simulator:local

sbom: uv ## Write what each image holds of Python packages, from the lock, to dist/sbom (CycloneDX)
	@mkdir -p dist/sbom
	@for service in $(SERVICES); do \
	  $(UV) export --quiet --locked --no-default-groups --package wentlive-$$service --format cyclonedx1.5 \
	    --preview-features sbom-export --output-file dist/sbom/$$service.cdx.json > /dev/null; \
	done
	@ls dist/sbom

publish: ## Build the images on today's base and push them (IMAGES=registry/name; docs/releases.md)
	@test -n "$(IMAGES)" || { echo "say where: make publish IMAGES=ghcr.io/somebody/wentlive" >&2; exit 2; }
	@mkdir -p dist && : > dist/images.txt
	@base="$$(python3 deploy/images/pin.py | sed -n 's/^WENTLIVE_PYTHON_IMAGE=//p')"; test -n "$$base"; \
	for service in $(SERVICES); do \
	  docker buildx build --push --sbom=true --provenance=mode=max $(BUILD_ARGS) --build-arg PYTHON_IMAGE="$$base" \
	    --tag "$(IMAGES)-$$service:$(VERSION)" --file services/$$service/Dockerfile --metadata-file dist/$$service.json .; \
	  digest="$$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["containerimage.digest"])' dist/$$service.json)"; \
	  echo "$(IMAGES)-$$service@$$digest" >> dist/images.txt; \
	done
	@cat dist/images.txt

clean: ## Remove what the other targets made here, but not your data
	rm -rf .venv .tools .pytest_cache .ruff_cache .hypothesis .import_linter_cache .wentlive/demo

runtime: uv $(BROKER) azurite
	$(call sync,--inexact --no-default-groups)

develop: uv
	$(call sync,--all-groups --no-group peers)

peers: uv
	$(call sync,--all-groups)

uv rabbitmq azurite mongodb:
	@$(BOOTSTRAP) $@

checkers:
	@$(BOOTSTRAP) ffmpeg chromium

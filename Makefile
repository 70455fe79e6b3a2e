# decnet-fleetd: everything a developer or a machine runs. `make` alone lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# A Go from its own archive is found even where nobody put it on PATH.
export PATH := $(PATH):/usr/local/go/bin

BINARY := bin/decnet-fleetd
GO_NEEDED := $(shell awk '$$1 == "go" { print $$2 }' go.mod)
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)

# The linter is pinned: another version means other findings.
LINT_VERSION := 2.15.0
# Services the integration tests need; integration/services.sh knows more.
IT_SERVICES ?= docker postgres mariadb systemd
# How long each fuzz target runs: short in `check`, longer on its own.
FUZZTIME ?= 60s
# How long the endurance run kills.
D ?= 1h

say = @printf '\n== %s\n' '$(1)'

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: toolchain ## Build bin/decnet-fleetd, one static binary
	$(call say,build $(BINARY) $(VERSION))
	@CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o $(BINARY) ./cmd/decnet-fleetd

.PHONY: run
run: build ## Try it: a sample fleet, its own bus and database; no root, nothing left behind
	@$(BINARY) demo $(ARGS)

.PHONY: test
test: build unit integration ## All tests: unit with -race, then against real services (installs what is missing)

.PHONY: unit
unit: toolchain compiler
	$(call say,vet)
	@go vet ./...
	$(call say,unit tests with -race)
	@CGO_ENABLED=1 go test -race -timeout 15m $$(go list ./... | grep -v '/integration$$')

.PHONY: integration
integration: toolchain compiler
	@command -v systemd-analyze >/dev/null && command -v tmux >/dev/null && command -v promtool >/dev/null || integration/services.sh tools
	@command -v chromium >/dev/null || integration/services.sh browser
	$(call say,services: $(IT_SERVICES))
	@trap '[ -n "$${KEEP_SERVICES:-}" ] || integration/services.sh down' EXIT; \
	integration/services.sh up $(IT_SERVICES); \
	printf '\n== %s\n' 'integration tests with -race'; \
	CGO_ENABLED=1 go test -race -count=1 -timeout 25m -parallel 6 -v ./integration/ | integration/brief.sh; \
	printf '\n== %s\n' 'the database adapter on every engine, with -race'; \
	CGO_ENABLED=1 IT_ENGINES=all go test -race -count=1 -timeout 10m -parallel 6 ./adapters/database/

.PHONY: check
check: toolchain compiler ## Before a commit: format, vet, lint, -race, short fuzz, tidy
	$(call say,gofmt)
	@out=$$(gofmt -l -s .); [ -z "$$out" ] || { echo "not formatted, run gofmt -s -w:"; echo "$$out"; exit 1; }
	@$(MAKE) lint unit
	@$(MAKE) fuzz FUZZTIME=10s
	$(call say,go mod tidy -diff)
	@go mod tidy -diff

.PHONY: lint
lint: toolchain ## golangci-lint, pinned
	$(call say,golangci-lint $(LINT_VERSION))
	@for lint in golangci-lint "$$(go env GOPATH)/bin/golangci-lint"; do \
	  if [ "$$("$$lint" version --short 2>/dev/null)" = '$(LINT_VERSION)' ]; then exec "$$lint" run ./...; fi; \
	done; \
	exec go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$(LINT_VERSION) run ./...

# What is minimised meanwhile would take all of the time: a minute for each new input is Go's default.
.PHONY: fuzz
fuzz: toolchain ## Fuzz every target for FUZZTIME (60s)
	$(call say,fuzz every target for $(FUZZTIME))
	@{ grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . || true; } | while IFS=: read -r file target; do \
	  target=$${target#func }; \
	  echo "-- $${file%/*} $$target"; \
	  go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "$${file%/*}" | grep -v '^fuzz: elapsed' ; \
	done

# What measures has an engine of its own, so that neither tests nor their `services.sh down` get in its way.
measured = IT_DIR=$${IT_DIR:-$${TMPDIR:-/tmp}/decnet-fleetd-bench}; export IT_DIR; \
	trap '[ -n "$${KEEP_SERVICES:-}" ] || integration/services.sh down' EXIT; \
	integration/services.sh up docker >/dev/null; \
	IT_DOCKER_HOST=$$(integration/services.sh env | sed -n 's/^IT_DOCKER_HOST=//p'); export IT_DOCKER_HOST; \
	go build -trimpath -buildvcs=false -o bin/ ./bench/fleetbench ./bench/soak

.PHONY: bench
bench: build ## Measure the numbers to hold, 35 min (ONLY=cold,flip QUICK=1); results in bench/RESULTS.md
	$(call say,fleetbench)
	@$(measured); bin/fleetbench $(if $(ONLY),-only $(ONLY)) $(if $(QUICK),-quick) $(ARGS)

.PHONY: soak
soak: build ## D=1h of kills on 60 real containers, then every transition is asked for (SEED=n); then deaths
	$(call say,soak for $(D))
	@$(measured); bin/soak -duration $(D) $(if $(SEED),-seed $(SEED)) $(ARGS)
	@$(MAKE) deaths

# What dies has services of its own, and begins by ending what an earlier run left that was killed itself.
dying = export IT_DIR=$${IT_DIR:-$${TMPDIR:-/tmp}/decnet-fleetd-kills}; \
	trap '[ -n "$${KEEP_SERVICES:-}" ] || integration/services.sh down' EXIT; \
	[ -n "$${KEEP_SERVICES:-}" ] || integration/services.sh down; \
	integration/services.sh up postgres mariadb

.PHONY: deaths
deaths: build ## A death at each durable step on each database, in SEEDS=20 histories; make test has 3
	$(call say,a death at each durable step in $(or $(SEEDS),20) histories)
	@$(dying); \
	IT_CRASH_SEEDS=$(or $(SEEDS),20) go test -count=1 -timeout 2h -parallel 3 -v -run DeathAtEvery ./integration/ | integration/brief.sh

.PHONY: kills
kills: build ## KILLS=300 kill -9 in a row at random moments, on each database; summaries in bench/results
	$(call say,$(or $(KILLS),300) kill -9 in a row)
	@$(dying); \
	IT_KILLS=$(or $(KILLS),300) IT_RESULTS=$(CURDIR)/bench/results go test -count=1 -timeout 2h -parallel 3 -v -run KilledInARow ./integration/ | integration/brief.sh

.PHONY: clean
clean: ## Remove what was built, and services a test left running
	@integration/services.sh down
	@rm -rf bin dist

# toolchain says which Go is needed instead of failing somewhere inside the build. Debian 12's own (1.19) cannot even
# read go.mod; Go 1.21 and later fetch the needed version by themselves unless GOTOOLCHAIN=local forbids it.
.PHONY: toolchain
toolchain:
	@have=$$(go version 2>/dev/null | awk '{ sub(/^go/, "", $$3); print $$3 }') || true; \
	if [ -z "$$have" ] || [ "$$(printf '%s\n' '$(GO_NEEDED)' "$$have" | sort -V | head -1)" != '$(GO_NEEDED)' ]; then \
	  echo "decnet-fleetd needs Go $(GO_NEEDED) or newer; here is $${have:-none}." >&2; \
	  echo "Unpack it from https://go.dev/dl/ to /usr/local/go (Debian 12's package golang is 1.19: too old)." >&2; \
	  exit 1; \
	fi

# compiler: the race detector needs a C compiler.
.PHONY: compiler
compiler:
	@command -v gcc >/dev/null || integration/services.sh tools

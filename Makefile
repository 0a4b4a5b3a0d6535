# Outband. `make` lists the targets.
SHELL := /bin/bash
GO ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo 0.1.0-dev)
BIN := bin/outband

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
WORKFLOWCHECK := go.temporal.io/sdk/contrib/tools/workflowcheck@v0.6.0

# Packages whose tests link the Temporal server or start the built program: no second, instrumented build of the server for them.
PLAIN := ./internal/temporalembed ./internal/e2e
FUZZTIME ?= 3s

export GOTOOLCHAIN := local
# One set of flags for every build and test: the server of Temporal is compiled once for all of them.
export GOFLAGS := -mod=readonly -trimpath

.PHONY: help demo test build lint bench needs fuzz unit e2e
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

demo: build ## build, and run the whole loop with a simulated Claude tenant
	$(BIN) demo

build: ## build bin/outband
	$(GO) build -ldflags "-X main.version=$(VERSION)" -o $(BIN) ./cmd/outband

test: needs build lint unit fuzz e2e ## pass every test; installs what it needs
	@echo "all tests passed"

lint: ## gofmt, vet, staticcheck, workflowcheck
	@out=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "gofmt wants to change:"; echo "$$out"; exit 1; fi
	$(GO) vet -tags noembed ./...
	$(GO) vet ./internal/temporalembed ./cmd/outband
	GOFLAGS=-trimpath $(GO) run $(STATICCHECK) -tags noembed ./...
	GOFLAGS=-trimpath $(GO) run $(WORKFLOWCHECK) ./workflows/...

unit: ## unit tests with the race detector
	$(GO) test -tags noembed -run AllocatesNothing ./dlp/... # skipped under the race detector, which makes pools forget
	$(GO) test -race -tags noembed $$($(GO) list -tags noembed ./... | grep -v -e internal/temporalembed$$ -e internal/e2e$$)

e2e: build ## the embedded engine, and the built program from outside
	OUTBAND_BIN=$(CURDIR)/$(BIN) $(GO) test -count=1 -timeout 25m $(PLAIN)

fuzz: ## each fuzz target for a short time
	@set -e; for p in $$($(GO) list -tags noembed ./...); do \
	  for f in $$($(GO) test -tags noembed -list '^Fuzz' $$p 2>/dev/null | grep '^Fuzz' || true); do \
	    echo "fuzz $$p $$f"; $(GO) test -tags noembed -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x $$p >/tmp/outband-fuzz.$$$$ 2>&1 || { cat /tmp/outband-fuzz.$$$$; exit 1; }; \
	  done; \
	done; rm -f /tmp/outband-fuzz.$$$$

bench: ## benchmarks; compare ratios of one run
	$(GO) test -tags noembed -run '^$$' -bench . -benchmem ./dlp/... ./findings/... ./connectors/...

needs:
	@missing=""; \
	command -v gcc >/dev/null || missing="$$missing gcc"; \
	command -v node >/dev/null || missing="$$missing nodejs"; \
	command -v npm >/dev/null || missing="$$missing npm"; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing libc6-dev; \
	  else echo "make test needs these Debian packages:$$missing (install them, or run as root)"; exit 1; fi; \
	fi

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

# SQLite is C that was translated to Go, with locks of its own: watching each of its reads and writes for races costs most of the time of tests that use
# the database much, and finds nothing of ours. Its driver, which our values pass through, is watched.
UNWATCHED := -gcflags=modernc.org/sqlite/lib=-race=false -gcflags=modernc.org/libc=-race=false

export GOTOOLCHAIN := local
# One set of flags for every build and test: the server of Temporal is compiled once for all of them.
export GOFLAGS := -mod=readonly -trimpath

.PHONY: help demo test build ui lint bench needs fuzz unit e2e acceptance browser screenshots
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

demo: build ## build, and run the whole loop with a simulated Claude tenant
	$(BIN) demo

build: ui ## build the pages and bin/outband
	$(GO) build -ldflags "-X main.version=$(VERSION)" -o $(BIN) ./cmd/outband

# The pages are built again only when something of theirs has changed.
UI_SOURCES := $(shell find ui/src ui/public ui/scripts ui/index.html ui/vite.config.ts ui/tsconfig.json ui/package.json -type f 2>/dev/null)

ui: ui/dist/index.html ## build the web pages into ui/dist, within their size budget

ui/node_modules/.package-lock.json: ui/package-lock.json
	@command -v npm >/dev/null || { echo "building the pages needs Node.js 20 or newer with npm (Debian: nodejs npm)"; exit 1; }
	cd ui && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

ui/dist/index.html: ui/node_modules/.package-lock.json $(UI_SOURCES)
	cd ui && npm run --silent build

test: needs build lint unit fuzz e2e browser ## pass every test; installs what it needs
	@echo "all tests passed"

lint: ui/node_modules/.package-lock.json ## gofmt, vet, staticcheck, workflowcheck; types of the pages and of their API client
	@out=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "gofmt wants to change:"; echo "$$out"; exit 1; fi
	$(GO) vet -tags noembed ./...
	$(GO) vet ./internal/temporalembed ./cmd/outband
	GOFLAGS=-trimpath $(GO) run $(STATICCHECK) -tags noembed ./...
	GOFLAGS=-trimpath $(GO) run $(WORKFLOWCHECK) ./workflows/...
	cd ui && npm run --silent check
	@cd ui && npx --no-install openapi-typescript ../api/openapi_gen.json -o node_modules/.schema.gen.ts --alphabetize >/dev/null && \
	  cmp -s node_modules/.schema.gen.ts src/api/schema.gen.ts || { echo "ui/src/api/schema.gen.ts is not what the OpenAPI document gives: run npm run gen in ui"; exit 1; }

# Some packages wait for a server or a limit of time, hence one package more than the two processors that CI has, and the same for the tests in e2e.
unit: ui/node_modules/.package-lock.json ## unit tests with the race detector, and those of the pages
	$(GO) test -tags noembed -run 'AllocatesNothing|NaiveLoop|Quality|HostileDetectors|HostileFiles|HostileText|ConstantMemory' ./dlp/... # skipped under the race detector: it makes pools forget and slows unequally
	cd ui && npm run --silent test
	$(GO) test -race -p 3 $(UNWATCHED) -timeout 25m -tags noembed $$($(GO) list -tags noembed ./... | grep -v -e internal/temporalembed$$ -e internal/e2e$$)

e2e: build ## the embedded engine, and the built program from outside
	OUTBAND_BIN=$(CURDIR)/$(BIN) $(GO) test -count=1 -parallel 3 -timeout 50m $(PLAIN)

acceptance: build ## the tests at their whole size: a tenant of 200 people, 5,000 chats, 60,000 messages; 10,000 hostile files
	OUTBAND_HOSTILE=10000 $(GO) test -count=1 -v -tags noembed -timeout 60m -run HostileFiles ./dlp/extract/sandbox
	OUTBAND_ACCEPTANCE=1 OUTBAND_BIN=$(CURDIR)/$(BIN) $(GO) test -count=1 -v -timeout 90m -run 'WholeTenant|Fifty' ./internal/e2e

browser: build ## the pages in headless Chromium, against the built program
	cd ui && OUTBAND_BIN=$(CURDIR)/$(BIN) npm run --silent e2e

screenshots: build ## the README's pictures
	cd ui && OUTBAND_BIN=$(CURDIR)/$(BIN) node e2e/screenshots.mjs

# The end of the time itself is now and then reported as a failure, without an input that fails.
fuzz: ## each fuzz target for a short time
	@set -e; dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; \
	for p in $$(git grep -l '^func Fuzz' -- '*_test.go' | xargs -n1 dirname | sort -u); do \
	  $(GO) test -tags noembed -c -fuzz=Fuzz -o "$$dir/test" "./$$p"; \
	  targets=$$("$$dir/test" -test.list '^Fuzz'); test -n "$$targets"; \
	  for f in $$targets; do \
	    echo "fuzz $$p $$f"; \
	    (cd "$$p" && "$$dir/test" -test.run '^$$' -test.fuzz "^$$f\$$" -test.fuzztime $(FUZZTIME) -test.fuzzminimizetime 1x -test.fuzzcachedir "$$dir/cache") >"$$dir/log" 2>&1 || \
	      { grep -q 'context deadline exceeded' "$$dir/log" && ! grep -qE 'Failing input|panic|hung' "$$dir/log"; } || { cat "$$dir/log"; exit 1; }; \
	  done; \
	done

# The engine first and alone: on the reference corpus, for the texts that are worst for it, against the naive loop and against gitleaks, which is
# installed into a scratch folder. Then documents by their format, and a warm child against one that is started for each file.
bench: ## benchmarks; compare ratios of one run
	$(GO) test -tags noembed -run '^$$' -bench . -benchmem -timeout 30m ./dlp
	$(GO) test -tags noembed -run '^$$' -bench . -benchmem -timeout 30m ./dlp/docscan ./dlp/extract/...
	$(GO) test -tags noembed -run '^$$' -bench . -benchmem ./dlp/policy/... ./findings/... ./connectors/... ./workflows/...
	$(GO) test -run '^$$' -bench WholeTenant -benchtime 1x -timeout 30m -v ./internal/e2e

# What the tests need beside Go: a C compiler for the race detector, Node.js for the pages, Chromium, Postgres and, for Elasticsearch from Maven
# Central, Java and Maven. Nothing of it is needed to build or to run Outband, but Node.js to build.
needs:
	@missing=""; \
	want() { command -v "$$1" >/dev/null || missing="$$missing $$2"; }; \
	want gcc gcc; want node nodejs; want npm npm; want chromium chromium; want mvn maven; want sqlite3 sqlite3; want unzip unzip; want tesseract tesseract-ocr; \
	command -v java >/dev/null || missing="$$missing openjdk-17-jre-headless"; \
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$$missing postgresql"; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing libc6-dev; \
	  else echo "make test needs these Debian packages:$$missing (install them, or run as root)"; exit 1; fi; \
	fi

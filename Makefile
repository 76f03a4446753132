# posthaste: run `make` for the list of targets.

SHELL         := bash
.SHELLFLAGS   := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:   # the steps of test run in the order written, whatever -j says

GO ?= go
# For each fuzz target: a duration, or a number of inputs as in 2000x.
FUZZTIME ?= 30s
# Which benchmarks, as a regular expression; how often each (benchstat wants six
# runs or more); and what bench-compare compares bench.out with.
BENCH ?= .
COUNT ?= 6
BASE  ?= base.out

# Test programs need no version stamp, and a checkout that belongs to another
# user, as in a container, would refuse one.
export GOFLAGS ?= -buildvcs=false

TOOL    := $(GO) tool -modfile=$(CURDIR)/tools/go.mod
MODULES := . bench tools
GOTEST  := $(GO) test -shuffle=on -timeout 10m
MINUTE  := $(shell command -v timeout >/dev/null && echo timeout --kill-after=5 60)

# What else must build. linux/386 is for 32-bit ints and the alignment of
# 64-bit atomics. Files of darwin and windows differ enough to be vetted too.
CROSS     := darwin/arm64 windows/amd64 freebsd/amd64 linux/386
CROSS_VET := darwin/arm64 windows/amd64

step = @printf '\n==> %s\n' '$(1)'

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##  Tests

.PHONY: test
test: deps fmt-check tidy-check lint cross examples bench-smoke race ## everything that CI checks; installs what is missing

.PHONY: race
race: ## all tests, shuffled, under the race detector
	$(call step,tests with -race)
	$(GOTEST) -race ./...

.PHONY: test-short
test-short: ## the fast tests, without the race detector
	$(GOTEST) -short ./...

.PHONY: fuzz
fuzz: ## every fuzz target of every package for FUZZTIME=30s each
	$(call step,fuzz targets for $(FUZZTIME) each)
	GO=$(GO) .ci/fuzz $(FUZZTIME)

.PHONY: cover
cover: ## coverage of each function, and of all by all tests
	$(GOTEST) -coverpkg=./... -coverprofile=cover.out ./...
	$(GO) tool cover -func=cover.out | tee cover.func.out | tail -n 1
	@echo 'functions: cover.func.out; lines: $(GO) tool cover -html=cover.out'

.PHONY: examples
examples: ## run every example; each must end by itself, and well
	$(call step,examples)
	@for dir in examples/*/; do \
		echo "go run ./$$dir"; \
		$(MINUTE) $(GO) run "./$$dir" </dev/null || { echo "$$dir failed: exit status $$? (124: it was still running after 60 s)" >&2; exit 1; }; \
	done

##  Checks

.PHONY: lint
lint: ## go vet and staticcheck
	$(call step,go vet)
	$(GO) vet ./...
	cd bench && $(GO) vet ./...
	$(call step,staticcheck)
	$(TOOL) staticcheck ./...
	cd bench && $(TOOL) staticcheck ./...

.PHONY: fmt
fmt: ## format the code with gofumpt
	$(TOOL) gofumpt -w .

.PHONY: fmt-check
fmt-check: ## fail on a file that make fmt would change
	$(call step,gofumpt)
	@files=$$($(TOOL) gofumpt -l .); [[ -z $$files ]] || { printf 'run make fmt; it changes:\n%s\n' "$$files" >&2; exit 1; }

.PHONY: tidy-check
tidy-check: ## fail on a go.mod that go mod tidy would change
	$(call step,go mod tidy)
	@for module in $(MODULES); do (cd $$module && $(GO) mod tidy -diff); done

.PHONY: cross
cross: ## build for the other systems, vet for darwin and windows
	$(call step,cross-builds)
	@for target in $(CROSS); do \
		echo "go build for $$target"; \
		CGO_ENABLED=0 GOOS=$${target%/*} GOARCH=$${target#*/} $(GO) build ./...; \
	done
	@for target in $(CROSS_VET); do \
		echo "go vet for $$target"; \
		CGO_ENABLED=0 GOOS=$${target%/*} GOARCH=$${target#*/} $(GO) vet ./...; \
	done

.PHONY: vuln
vuln: ## known vulnerabilities in what posthaste links; needs the network
	$(TOOL) govulncheck ./...

##  Benchmarks

.PHONY: bench
bench: ## benchmarks BENCH=. of all packages, COUNT=6 times, into bench.out
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) -timeout 60m ./... | tee bench.out

.PHONY: bench-peers
bench-peers: ## posthaste and its peers under the same load; ARGS=-help says more
	cd bench && $(GO) run . $(ARGS)

.PHONY: bench-compare
bench-compare: ## what bench.out gained or lost over BASE=base.out
	$(TOOL) benchstat $(BASE) bench.out

.PHONY: bench-smoke
bench-smoke: ## each benchmark once, and the tests of the bench module, so that they cannot rot
	$(call step,benchmarks once)
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 10m ./...
	$(call step,bench module)
	cd bench && $(GO) build ./... && $(GOTEST) ./...

##  Machine

.PHONY: deps
deps: ## install the programs that test needs and this machine lacks
	$(call step,machine)
	@.ci/install gcc git
	@$(GO) version

.PHONY: tools
tools: ## build the pinned tools into the build cache
	@for tool in staticcheck gofumpt benchstat govulncheck; do $(TOOL) -n $$tool; done

.PHONY: clean
clean: ## remove what the other targets leave behind
	rm -rf bin
	rm -f bench.out cover.out cover.func.out *.test *.prof

# hongbao. `make` alone prints the targets.
# Variables: PKGS (packages to test), ARGS (arguments of demo, verify and sim), SEEDS, SEED, TAGS, DROP, MUTANT, FOCUS (sim), QUICK (mutants), PARTS (proof), FUZZTIME, RUN (-run of the tests), CRASH_PARALLEL (sites at a time).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PKGS     ?= ./...
ARGS     ?=
RUN      ?= .
SEEDS    ?= 20000
SEED     ?=
MUTANT   ?=
FOCUS    ?=
QUICK    ?=
PARTS    ?=
TAGS     ?=
DROP     ?=
FUZZTIME ?= 10s
CRASH_PARALLEL ?= 4

GO     := go
GOTEST := $(GO) run ./scripts/gotest
SIM    := $(GO) run ./scripts/sim
LOCAL  := $(CURDIR)/.local

# Tools at the versions that CI uses, each in a directory named after its version.
GOLANGCI_VERSION := v2.15.0
BUF_VERSION      := v1.75.0
PROTOC_GEN_GO_VERSION := v1.36.12
GOLANGCI      := $(LOCAL)/bin/golangci-lint@$(GOLANGCI_VERSION)/golangci-lint
BUF           := $(LOCAL)/bin/buf@$(BUF_VERSION)/buf
PROTOC_GEN_GO := $(LOCAL)/bin/protoc-gen-go@$(PROTOC_GEN_GO_VERSION)/protoc-gen-go

.PHONY: help
help: ## Print the targets
	@awk -F ':.*## ' '/^##@/{print "\n" substr($$0,5)} /^[a-z-]+:.*## /{printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Build and test

.PHONY: build
build: ## Build bin/hongbao
	$(GO) build -trimpath -o bin/hongbao ./cmd/hongbao

.PHONY: test
# A simulation that fails, or that this Go cannot build, hides neither the tests nor their counts.
test: ## Test everything on the embedded broker and Redis, and 40 seeds of the simulation; ends with the counts
	sim=0; $(if $(filter .,$(RUN)),$(if $(filter ./...,$(PKGS)),$(SIM) -seeds 40 || sim=$$?;)) \
	$(GOTEST) -run '$(RUN)' $(PKGS) && exit $$sim

.PHONY: sim
sim: ## The simulation: SEEDS=n (20000), or SEED=n replays one; MUTANT= plants a bug, FOCUS= one kind of trouble, DROP= leaves faults out, ARGS='-twice'
	$(SIM) $(if $(SEED),-seed $(SEED),-seeds $(SEEDS)) $(if $(TAGS),-tags '$(TAGS)') $(if $(DROP),-drop '$(DROP)') \
		$(if $(MUTANT),-mutant '$(MUTANT)') $(if $(FOCUS),-focus '$(FOCUS)') $(ARGS)

.PHONY: mutants
mutants: ## Every bug of internal/mutant, until an oracle of the simulation sees it, and the same seeds without; QUICK=1: those that show soon
	$(GO) run ./scripts/mutants $(if $(QUICK),-quick) $(ARGS)

.PHONY: race
race: ## The same tests under the race detector
	$(GOTEST) -race -run '$(RUN)' $(PKGS)

.PHONY: test-real
# First, with no Redis named, those that start redis-servers of their own: to restart, fail over and give an ACL to. Then one package after the
# other: they share one Redis, which some of them empty.
test-real: ## The tests on a real Kafka and a real Redis, started and stopped here; failover, restart and ACL on redis-servers of their own
	own=0; $(if $(filter ./...,$(PKGS)),env -u HONGBAO_TEST_REDIS -u REDIS_ADDR $(GOTEST) -count=1 -tags real -run '$(RUN)' ./fsm ./internal/admission || own=$$?;) \
	scripts/with-real $(GOTEST) -count=1 -p 1 -tags real -run '$(RUN)' $(PKGS) && exit $$own

.PHONY: proof
proof: ## Simulation, kills, planted bugs, storage, fuzzing, whole processes, and one summary: some 50 minutes; PARTS='mutants storage' are some of it
	SEEDS='$(SEEDS)' scripts/proof $(PARTS)

.PHONY: proofs
proofs: build ## Every script of scripts/proofs: whole runs of the binary, embedded and on real parts
	scripts/prove

.PHONY: fuzz
fuzz: ## Every fuzz test for FUZZTIME (10s)
	scripts/fuzz '$(FUZZTIME)' $(PKGS)

.PHONY: crash
crash: crash-binaries ## Kill -9 at every label: 25 kills each on embedded parts, then 3 each on a real Kafka and Redis
	bin/crash -per-label 25 -parallel $(CRASH_PARALLEL)
	scripts/with-real bin/crash -per-label 3 -parallel 2

.PHONY: crash-quick
crash-quick: crash-binaries ## The same, one kill each, and a few on the real parts
	bin/crash -per-label 1 -parallel 3 -site-kills 30
	scripts/with-real bin/crash -per-label 1 -only publish. -parallel 1

.PHONY: crash-binaries
crash-binaries:
	$(GO) build -trimpath -tags crashpoints -o bin/hongbao-crash ./cmd/hongbao
	$(GO) build -trimpath -o bin/crash ./scripts/crash

.PHONY: storage
storage: ## 5,000 crash images, ENOSPC and EIO all over a run, 10,000 bit flips; prints the counts
	scripts/storage

.PHONY: fuzz-proof
fuzz-proof: ## Every fuzz test for 400,000 inputs, more than 5,000,000 in all
	scripts/fuzz 400000x $(PKGS)

.PHONY: bench
bench: ## The benchmarks of the Go packages; `hongbao bench` measures the whole path
	$(GO) test -run '^$$' -bench . -benchmem $(PKGS)

##@ Check

.PHONY: lint
lint: lint-go lint-proto lint-shell ## All linters: Go, module file, schemas, generated code, scripts

.PHONY: lint-go
lint-go: $(GOLANGCI) ## golangci-lint (which runs gofmt too) with and without the tags real, crashpoints and mutants, and the simulation; go.mod tidy
	$(GOLANGCI) config verify
	$(GOLANGCI) run ./...
	$(GOLANGCI) run --build-tags real ./...
	$(GOLANGCI) run --build-tags synctests ./internal/sim/...
	$(GOLANGCI) run --build-tags crashpoints,mutants ./...
	$(GO) mod tidy -diff

.PHONY: lint-proto
lint-proto: $(BUF) $(PROTOC_GEN_GO) ## buf lint, buf breaking, and generated code as committed
	BUF='$(BUF)' PROTOC_GEN_GO='$(PROTOC_GEN_GO)' scripts/lint-proto

.PHONY: lint-shell
lint-shell: ## shellcheck, where it is installed
	@if command -v shellcheck >/dev/null; then shellcheck -x $$(scripts/shell-files); \
	else echo 'lint-shell: skipped, shellcheck is not on the PATH (Debian: apt-get install shellcheck).'; fi

.PHONY: fmt
fmt: $(GOLANGCI) ## Format the Go code
	$(GOLANGCI) fmt ./...

.PHONY: proto
proto: $(BUF) $(PROTOC_GEN_GO) ## Generate schemas/invitepb and schemas/hongbao.binpb from schemas/proto
	PATH='$(dir $(BUF)):$(dir $(PROTOC_GEN_GO))':"$$PATH" $(GO) generate ./schemas

##@ Run

.PHONY: demo
demo: ## Play a campaign; needs nothing but Go
	$(GO) run ./cmd/hongbao demo $(ARGS)

.PHONY: verify
verify: ## Recompute what is in Kafka and compare (ARGS='--brokers HOST:PORT --redis HOST:PORT')
	$(GO) run ./cmd/hongbao verify $(ARGS)

.PHONY: kafka-local
kafka-local: ## Start a real Apache Kafka on 127.0.0.1:9092, data below .local/
	scripts/kafka-local start

.PHONY: kafka-local-stop
kafka-local-stop: ## Stop it
	scripts/kafka-local stop

.PHONY: redis-local
redis-local: ## Start a Redis on 127.0.0.1:6379, data below .local/
	scripts/redis-local start

.PHONY: redis-local-stop
redis-local-stop: ## Stop it
	scripts/redis-local stop

.PHONY: clean
clean: kafka-local-stop redis-local-stop ## Stop both and remove what was built, data of the local parts included
	rm -rf bin .local

$(GOLANGCI):
	GOBIN='$(@D)' $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)

$(BUF):
	GOBIN='$(@D)' $(GO) install github.com/bufbuild/buf/cmd/buf@$(BUF_VERSION)

$(PROTOC_GEN_GO):
	GOBIN='$(@D)' $(GO) install google.golang.org/protobuf/cmd/protoc-gen-go@$(PROTOC_GEN_GO_VERSION)

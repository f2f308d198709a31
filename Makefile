# mesoc: run `make` or `make help` for what there is.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
UNITDIR ?= $(PREFIX)/lib/systemd/system
KERNELS ?= 6.1 6.12
FUZZTIME ?= 30s

GO ?= go
# -E: the program starts in our assembly, which hands over to Go's own entry unless it is a
# container's init. The other architectures start in Go and behave the same, more slowly.
GOARCH := $(shell $(GO) env GOARCH)
ENTRY := $(if $(filter $(GOARCH),amd64 arm64),-E github.com/mesoc/mesoc/libcontainer/stage.entry)
VERSION := $(shell git describe --tags --dirty --match 'v[0-9]*' 2>/dev/null | sed s/^v// || true)
VERSION := $(or $(VERSION),0.0.0-dev)
COMMIT := $(shell git describe --always --dirty --abbrev=12 --exclude '*' 2>/dev/null || true)
# disablethp: where huge pages are given to all who ask for memory, Go's heap would take 2 to 4 MB of
# them, and the time to clear them, for the few hundred kB that a command needs. decoratemappings: where
# the kernel takes names for memory, Go would give one to each piece that it maps, with a call for each.
# memprofilerate: nobody reads the memory profile, for which the first allocation of all looks up who makes it.
LDFLAGS := -s -w $(ENTRY) -X runtime.godebugDefault=disablethp=1,decoratemappings=0,memprofilerate=0 -X main.version=$(VERSION) -X main.commit=$(COMMIT)
TAGS := urfave_cli_no_docs
export CGO_ENABLED = 0
# What two features of Go 1.26 prepare at the start is wasted on commands that end before anything is
# collected, and that are without C: mark bits in the last page of every span, and page tables for a
# heap at a random place. Together 8 % of the page faults of a command, and more of its time where
# page tables are dear (virtual machines). A Go that does not know them is left alone.
LEAN := nogreenteagc,norandomizedheapbase64
GOEXPERIMENT := $(or $(GOEXPERIMENT),$(shell GOEXPERIMENT=$(LEAN) $(GO) version >/dev/null 2>&1 && echo $(LEAN)))
export GOEXPERIMENT

BIN := .cache/tests/bin
SCRIPTS := .ci/run tests/suite $(wildcard contrib/*.sh) tests/setup/debian tests/setup/install tests/native/run \
	tests/native/go tests/native/fuzz tests/vm/run tests/vm/kernel tests/vm/guest tests/vm/initramfs.sh tests/vm/check tests/vm/all \
	tests/bench/peers tests/engines/all tests/engines/run tests/engines/tree tests/integration/prepare

# What shellcheck cannot see in bats files: each test is a subshell by design (2030, 2031), lists are split on purpose (2046), and variables
# and arguments come and go through helpers.bash (2034, 2119, 2120, 2153, 2154).
BATS_EXCEPT := SC2030,SC2031,SC2034,SC2046,SC2119,SC2120,SC2153,SC2154

.PHONY: help build install uninstall demo setup test test-unit test-fuzz test-root test-vm test-engines test-bin bench lint fuzz clean FORCE

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  Variables: PREFIX DESTDIR, RUNTIME (binary for the suite), KERNELS=\"$(KERNELS)\","
	@echo "  PEERS=\"crun=/path runc=/path\", REQUIRE=root,cgroup2,... (skips become failures), FUZZTIME, FUZZTOTAL."

build: mesoc ## the static binary ./mesoc

# Always asked: go's own cache knows better than make what has changed.
mesoc: FORCE
	$(GO) build -trimpath -tags $(TAGS) -ldflags "$(LDFLAGS)" -o mesoc .

install: build ## into PREFIX (/usr/local), below DESTDIR
	install -D -m 755 mesoc $(DESTDIR)$(BINDIR)/mesoc
	for page in contrib/man/*.8; do \
		[ -e "$$page" ] || continue; \
		install -D -m 644 "$$page" "$(DESTDIR)$(MANDIR)/man8/$${page##*/}"; \
	done
	install -d $(DESTDIR)$(UNITDIR)
	sed 's|^ExecStart=/usr/local/bin/|ExecStart=$(BINDIR)/|' contrib/systemd/mesoc-watch.service >$(DESTDIR)$(UNITDIR)/mesoc-watch.service

uninstall: ## what install has put there
	rm -f $(DESTDIR)$(BINDIR)/mesoc $(DESTDIR)$(MANDIR)/man8/mesoc.8 $(DESTDIR)$(MANDIR)/man8/mesoc-*.8 \
		$(DESTDIR)$(UNITDIR)/mesoc-watch.service

demo: build ## a busybox container, from create to delete, before your eyes (root)
	@tests/setup/install demo
	@tests/native/run contrib/demo.sh ./mesoc

setup: ## what all targets need from Debian (root)
	@tests/setup/install demo lint test vm bench

# So that it takes less than an hour: what runs natively and is the same for every kernel runs once more, not
# twice, and a race is run 100 times, not 500.
test: DIVIDE = --divide
test: export ROUNDS ?= 100
test: lint test-unit test-fuzz test-root test-vm ## everything; what CI runs

test-unit: ## pure tests and fuzz seeds: seconds, no root
	tests/native/go --unprivileged

test-fuzz: ## every fuzz target for a second: that it runs, and what is found at once
	tests/native/fuzz 1s

test-root: build test-bin ## privileged Go tests and the bats suite, natively (root)
	@tests/setup/install test
	tests/native/go --judged
	tests/native/run tests/native/go --privileged
	tests/native/run tests/suite --log results/native

test-vm: build test-bin ## the same on real kernels with every cgroup2 controller, in QEMU
	@tests/setup/install vm
	tests/vm/all $(DIVIDE) $(KERNELS)

# Hours in an emulated VM, so what needs its controllers is asked for: tests/engines/all --vm 6.12
test-engines: build ## dockerd, podman, containerd and its CRI plugin with runc and with mesoc, natively (root); ENGINES="--suite sid"
	@tests/setup/install engines
	tests/engines/all $(ENGINES)

docs/engines.md: FORCE ## its tables, brought up to date with what test-engines has written
	tests/engines/table $(wildcard results/engines.tsv) tests/engines/*.bats $@ $@ >$@.new
	mv $@.new $@

# An emulated machine is too slow to compile: everything that runs there is built here.
test-bin:
	@tests/native/go --build $(BIN)
	@tests/integration/prepare >/dev/null

bench: build ## against the peers found in PATH, or PEERS (root); BENCH="--json --rounds 50"
	@tests/setup/install bench
	@mkdir -p .cache
	$(GO) build -o .cache/bench ./tests/bench
	@# As it is installed: what the linker wrote through a mapping lies in the page cache in small pieces.
	install -m 755 mesoc .cache/mesoc
	tests/native/run .cache/bench $(BENCH) mesoc=.cache/mesoc $(PEERS)

lint: ## gofmt, vet on amd64 and arm64, staticcheck, shellcheck
	@tests/setup/install lint
	@unformatted=$$(git ls-files -co --exclude-standard '*.go' | xargs gofmt -l); \
	[ -z "$$unformatted" ] || { echo "gofmt: $$unformatted" >&2; exit 1; }
	GOARCH=amd64 $(GO) vet ./...
	GOARCH=arm64 $(GO) vet ./...
	$(GO) tool staticcheck ./...
	shellcheck $(SCRIPTS)
	shellcheck -s bats -S warning -e $(BATS_EXCEPT) $(wildcard tests/integration/*.ba* tests/engines/*.ba*)

fuzz: ## every fuzz target for FUZZTIME (30s) each, or all together for FUZZTOTAL
	tests/native/fuzz $(if $(FUZZTOTAL),--total $(FUZZTOTAL),$(FUZZTIME))

clean: ## what the build and the tests have made; .cache/vm (kernels) stays
	rm -rf mesoc results .cache/tests .cache/bench .cache/mesoc .cache/vm/run.*

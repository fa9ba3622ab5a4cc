# confd: `make run` starts the demonstration, `make test` checks everything.
# Both install the Debian packages that are missing (as root, or through sudo).

SWIFT ?= swift
CONFIG ?= sample-configs/demo.ini
FUZZ_SECONDS ?= 600
FUZZ_RUNS ?= 20000
FUZZERS = FuzzMSRP FuzzSDP FuzzCPIM FuzzXML FuzzRelay
FUZZ_BUILD = .build-fuzz

# The release binary carries Swift's runtime, so that it runs on machines without Swift. Exclusivity is enforced in
# every debug build and test; checking it again in release costs a fifth of a delivery (docs/performance.md).
RELEASE = -c release --static-swift-stdlib -Xswiftc -enforce-exclusivity=unchecked

PACKAGES = pkg-config libsofia-sip-ua-dev libgnutls28-dev libxml2-dev libsqlite3-dev
# Peers and dissectors that the system tests use; a test says so when one is not there.
TEST_PACKAGES = openssl sip-tester tshark libxml2-utils kamailio kamailio-extra-modules

SOURCES = Package.swift Sources Tests Benchmarks Fuzz

.PHONY: help run build test lint format packages test-packages fuzz fuzz-build fuzz-short bench bench-xmpp bench-relay clean

help:
	@echo "make run      build for release and start the demonstration ($(CONFIG))"
	@echo "make test     lint, build, a short fuzz run, and all tests"
	@echo "make build    leave the release binary at .build/release/confd"
	@echo "make lint     check the format of all sources    make format   mend it"
	@echo "make fuzz     fuzz each parser for FUZZ_SECONDS ($(FUZZ_SECONDS) s)"
	@echo "make bench    measure against C and XMPP servers (docs/performance.md)"
	@echo "make bench-xmpp   only the XMPP servers           make bench-relay   the relay"

run: build
	@exec .build/release/confd serve --config-file $(CONFIG)

build: packages
	$(SWIFT) build $(RELEASE) --product confd

# Debian's packages come first, then the quick checks, then the slow ones; `swift test` is last.
test: packages test-packages lint
	$(MAKE) fuzz-short
	$(SWIFT) build --build-tests
	$(SWIFT) test --no-parallel

packages:
	@scripts/install-packages $(PACKAGES)

test-packages:
	@scripts/install-packages $(TEST_PACKAGES) || echo "Tests whose peers are missing will say that they are skipped."

lint:
	$(SWIFT) format lint --recursive --parallel --strict $(SOURCES)

format:
	$(SWIFT) format --recursive --parallel --in-place $(SOURCES)

fuzz-build: packages
	set -e; for target in $(FUZZERS); do \
		CONFD_FUZZ=1 $(SWIFT) build --scratch-path $(FUZZ_BUILD) --product $$target; done

SEEDS_FuzzMSRP = Tests/Corpus/msrp-sessions Tests/Corpus/msrp-rfc
SEEDS_FuzzSDP = Tests/Corpus/sdp
SEEDS_FuzzCPIM = Tests/Corpus/cpim-rfc
SEEDS_FuzzXML = Tests/Corpus/xml-rfc Tests/Corpus/xml-policy
FUZZ_FLAGS = -timeout=10 -artifact_prefix=$(FUZZ_BUILD)/

# A fixed number of inputs from a fixed seed, started from the corpora: the same run every time. libFuzzer writes what
# it finds into the first folder, so that is a fresh one.
fuzz-short: $(FUZZERS:%=fuzz-short-%)
$(FUZZERS:%=fuzz-short-%): fuzz-short-%: fuzz-build
	@rm -rf $(FUZZ_BUILD)/found/$* && mkdir -p $(FUZZ_BUILD)/found/$*
	@echo "fuzzing: $*, $(FUZZ_RUNS) inputs"
	@$(FUZZ_BUILD)/debug/$* -runs=$(FUZZ_RUNS) -seed=1 -max_len=4096 $(FUZZ_FLAGS) \
		$(FUZZ_BUILD)/found/$* $(SEEDS_$*) >$(FUZZ_BUILD)/$*.log 2>&1 || { cat $(FUZZ_BUILD)/$*.log; exit 1; }

# What found new paths is kept in .build-fuzz/corpus and used again.
fuzz: $(FUZZERS:%=fuzz-long-%)
$(FUZZERS:%=fuzz-long-%): fuzz-long-%: fuzz-build
	@mkdir -p $(FUZZ_BUILD)/corpus/$*
	$(FUZZ_BUILD)/debug/$* -max_total_time=$(FUZZ_SECONDS) -max_len=16384 -print_final_stats=1 $(FUZZ_FLAGS) \
		$(FUZZ_BUILD)/corpus/$* $(SEEDS_$*)

bench: build
	$(SWIFT) build $(RELEASE) --product confd-bench
	.build/release/confd-bench --confd .build/release/confd

# ejabberd and prosody are measured in turn with confd where they are installed.
bench-xmpp: build
	$(SWIFT) build $(RELEASE) --product confd-bench
	.build/release/confd-bench --only xmpp --confd .build/release/confd

# Kamailio and HAProxy are measured in turn with confd where they are installed.
bench-relay: build
	$(SWIFT) build $(RELEASE) --product confd-bench
	.build/release/confd-bench relay --confd .build/release/confd

clean:
	rm -rf .build .build-fuzz state

# weir - build, tests and packaging. `make help` lists the targets.
#
# Variables (give them on the command line):
#   VARIANT=release|debug|asan|tsan|fuzz   how to compile; objects go to build/$(VARIANT)/   [release]
#   CC=gcc|clang                           compiler                                        [gcc]
#   CFLAGS= LDFLAGS=                       appended, never replaced
#   DEVELOPER=1                            stricter warnings, and warnings are errors
#   BUILD=DIR                              another place for everything that is built      [build]
#   ONLY="base broker/proto"               modules that the unit tests are built of        [all]
#   V=1                                    show the commands
#   PREFIX=/usr/local DESTDIR=             where `make install` puts things
SHELL := /bin/bash
VARIANT ?= release
BUILD ?= build
PREFIX ?= /usr/local
B := $(BUILD)/$(VARIANT)
VERSION := $(shell cat VERSION)
Q := $(if $(V),,@)
ifeq ($(origin CC),default)
CC := $(if $(filter fuzz,$(VARIANT)),clang,gcc)
endif
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

# --- what is linked -------------------------------------------------------------------------------
# librdkafka and libmongoc are opened when first used (dlopen), so that a start does not pay for them: of HEADERS_OF
# only the headers are taken.
PACKAGES := libevent_core libevent_extra libevent_openssl sqlite3 jansson libmariadb openssl zlib liblz4 libzstd libpcre2-8
HEADERS_OF := libmongoc-1.0
need_packages = $(filter-out help clean deps layers headers format format-check demo test,$(or $(MAKECMDGOALS),all))
ifneq ($(need_packages),)
missing := $(strip $(foreach p,$(PACKAGES) $(HEADERS_OF),$(shell pkg-config --exists $(p) 2>/dev/null || echo $(p))))
ifneq ($(missing),)
$(error missing libraries: $(missing) - `tools/deps.sh demo` installs what a build needs)
endif
endif
PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null) \
              $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(HEADERS_OF) 2>/dev/null))
PKG_LIBS := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lsnappy -ldl -lpthread -lm

# --- flags ----------------------------------------------------------------------------------------
WARN := -Wall -Wextra -Wformat=2 -Wmissing-prototypes -Wstrict-prototypes -Wold-style-definition -Wvla \
        -Wwrite-strings -Wpointer-arith -Wundef -Wcast-qual -Wno-missing-field-initializers
ifdef DEVELOPER
WARN += -Werror -Wshadow -Wfloat-conversion
endif
HARDEN := -fstack-protector-strong -fPIE
HARDEN_LD := -pie -Wl,-z,relro,-z,now,-z,noexecstack
FLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2 $(HARDEN)
FLAGS_debug := -O0 -g3 -DWEIR_DEBUG $(HARDEN)
FLAGS_asan := -O1 -g -fno-omit-frame-pointer -DWEIR_DEBUG -fsanitize=address,undefined -fno-sanitize-recover=all
FLAGS_tsan := -O1 -g -fno-omit-frame-pointer -DWEIR_DEBUG -fsanitize=thread
FLAGS_fuzz := -O1 -g -fno-omit-frame-pointer -DWEIR_FUZZ -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all
ifndef FLAGS_$(VARIANT)
$(error VARIANT=$(VARIANT) is not one of release debug asan tsan fuzz)
endif
LD_release := $(HARDEN_LD)
LD_debug := $(HARDEN_LD)
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -Isrc -I$(B)/gen -DWEIR_VERSION='"$(VERSION)"' -MMD -MP $(WARN) $(FLAGS_$(VARIANT)) $(PKG_CFLAGS) $(CFLAGS)
ALL_LDFLAGS = $(filter -fsanitize% -fno-sanitize%,$(subst $(comma)fuzzer-no-link,,$(FLAGS_$(VARIANT)))) $(LD_$(VARIANT)) $(LDFLAGS)
comma := ,

# --- sources --------------------------------------------------------------------------------------
MODULES := base broker broker/proto broker/api broker/log broker/group broker/txn broker/security connect connect/rest \
           connect/transforms connect/converters connect/jdbc cdc cdc/bson cdc/mysql cdc/mongodb cdc/transforms web cli lab
ONLY ?= $(MODULES)
SRC := $(foreach m,$(MODULES),$(wildcard src/$(m)/*.c))
LIB_OBJ = $(patsubst %.c,$(B)/%.o,$(foreach m,$(ONLY),$(wildcard src/$(m)/*.c)))
# A partial unit build (ONLY=...) has objects of its own choice, so it links apart from the full one.
only_tag := $(if $(filter-out $(MODULES),$(ONLY))$(filter-out $(ONLY),$(MODULES)),-$(subst $() ,_,$(subst /,.,$(strip $(ONLY)))),)
TEST_SRC = tests/unit/main.c tests/unit/helpers.c $(foreach m,$(ONLY),$(wildcard tests/unit/$(m)/*.c))
TEST_OBJ = $(patsubst %.c,$(B)/%.o,$(TEST_SRC))
FUZZ_NAMES := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
BENCH_NAMES := $(patsubst tests/bench/%.c,%,$(wildcard tests/bench/*.c))

# --- the program ----------------------------------------------------------------------------------
all: $(B)/weir
	@ln -sfn $(VARIANT)/weir $(BUILD)/weir

$(B)/weir: $(B)/src/main.o $(patsubst %.c,%.o,$(addprefix $(B)/,$(SRC))) $(B)/gen/assets.o
	$(call say,LD $@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

# Objects depend on the flags that made them.
flags_now = $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS)
$(B)/.flags: FORCE
	@mkdir -p $(@D); cmp -s <(printf '%s\n' $(call quote,$(flags_now))) $@ || printf '%s\n' $(call quote,$(flags_now)) >$@
quote = '$(subst ','\'',$(1))'
say = @$(if $(V),,printf '  %s\n' '$(1)')

$(B)/%.o: %.c $(B)/.flags
	@mkdir -p $(@D)
	$(call say,CC $<)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(B)/gen/assets.o: $(B)/gen/assets.c $(B)/.flags
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

# The web page: bundled when npm is there, else a page that says how to get it.
include static/static.mk

# --- tests ----------------------------------------------------------------------------------------
$(B)/gen/suites$(only_tag).c: FORCE
	@mkdir -p $(@D); tools/suites.sh $(TEST_SRC) >$@.new; cmp -s $@.new $@ && rm $@.new || mv $@.new $@
$(B)/gen/suites$(only_tag).o: $(B)/gen/suites$(only_tag).c $(B)/.flags
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/unit -c -o $@ $<
$(B)/tests/unit/%.o: ALL_CFLAGS += -Itests/unit
$(B)/weir-tests$(only_tag): $(TEST_OBJ) $(LIB_OBJ) $(B)/gen/suites$(only_tag).o $(if $(filter web,$(ONLY)),$(B)/gen/assets.o)
	$(call say,LD $@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) -lcunit
unit: $(B)/weir-tests$(only_tag) ## unit tests (SUITE=name for one, ONLY="base" for some modules)
	$(Q)$< $(SUITE)

$(B)/fuzz-%: $(B)/tests/fuzz/fuzz_%.o $(patsubst %.c,$(B)/%.o,$(SRC)) $(B)/gen/assets.o $(if $(filter fuzz,$(VARIANT)),,$(B)/tests/fuzz/replay.o)
	$(call say,LD $@)
	$(Q)$(CC) $(ALL_LDFLAGS) $(if $(filter fuzz,$(VARIANT)),-fsanitize=fuzzer) -o $@ $^ $(PKG_LIBS)
fuzz-targets: $(addprefix $(B)/fuzz-,$(FUZZ_NAMES))
fuzz-replay: fuzz-targets ## every fuzz target over its stored corpus
	$(Q)tools/fuzz.sh replay $(B) $(FUZZ_NAMES)
fuzz: ## libFuzzer for TIME seconds a target (FUZZ=name for one)
	$(Q)$(MAKE) VARIANT=fuzz CC=clang fuzz-targets
	$(Q)tools/fuzz.sh run $(BUILD)/fuzz $(or $(TIME),60) $(or $(FUZZ),$(FUZZ_NAMES))

test: ## installs what is missing, runs everything that CI runs; closes with 'N passed, N failed'
	@tools/deps.sh test
	@tools/test.sh
live: all ## tests against real clients and databases (LIVE="-k name" passes options to pytest)
	$(Q)tools/live.sh $(LIVE)
golden: all ## the recorded cases of tests/golden.list against weir (CASES="mysql/tutorial" for some)
	$(Q)tools/golden.sh $(CASES)
torture: all ## kill -9 in a loop: make torture ROUNDS=10000
	$(Q)tools/torture.sh $(or $(ROUNDS),1000)
bench: all $(addprefix $(B)/bench-,$(BENCH_NAMES)) ## ratios to peers, all measured in one run
	$(Q)tools/bench.sh $(B)
check-ui: all ## the web pages in a headless browser, long form
	$(Q)tools/check-ui.sh
$(B)/bench-%: $(B)/tests/bench/%.o $(patsubst %.c,$(B)/%.o,$(SRC)) $(B)/gen/assets.o
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) -lrdkafka

# --- the main job ---------------------------------------------------------------------------------
demo: ## installs what it needs, builds, runs the demo (HEADLESS=1 DURATION=20: check itself and end; FRESH=1: begin anew; DEMO="--mongodb": its options)
	@tools/deps.sh demo
	@$(MAKE) --no-print-directory all
	@$(BUILD)/weir demo $(if $(HEADLESS),--headless) $(if $(DURATION),--duration $(DURATION)) $(if $(FRESH),--fresh) $(DEMO)

# --- checks of the tree ---------------------------------------------------------------------------
layers: ## includes point downwards only
	@tools/layers.sh
headers: ## every header compiles alone
	@CC='$(CC)' tools/headers.sh $(ALL_CFLAGS)
format-check: ## clang-format agrees
	@tools/format.sh --check
format:
	@tools/format.sh
deps: ## installs everything that build and tests need
	@tools/deps.sh all

# --- installing -----------------------------------------------------------------------------------
TOOLS := connect-distributed connect-standalone
install: all ## PREFIX and DESTDIR as usual
	install -D -m 755 $(B)/weir $(DESTDIR)$(PREFIX)/bin/weir
	for n in $(TOOLS); do ln -sf weir $(DESTDIR)$(PREFIX)/bin/$$n; ln -sf weir $(DESTDIR)$(PREFIX)/bin/$$n.sh; done
	install -D -m 644 packaging/weir.service $(DESTDIR)$(PREFIX)/lib/systemd/system/weir.service
	install -D -m 644 README.md $(DESTDIR)$(PREFIX)/share/doc/weir/README.md
	install -D -m 644 LICENSE $(DESTDIR)$(PREFIX)/share/doc/weir/LICENSE
uninstall: ## removes what install put there
	for n in $(TOOLS); do rm -f $(DESTDIR)$(PREFIX)/bin/$$n $(DESTDIR)$(PREFIX)/bin/$$n.sh; done
	rm -f $(DESTDIR)$(PREFIX)/bin/weir $(DESTDIR)$(PREFIX)/lib/systemd/system/weir.service
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/weir
clean: ## removes everything that was built
	rm -rf $(BUILD) static/dist
help: ## this list
	@sed -n '2,13s/^# \{0,1\}//p' Makefile; echo; echo 'Targets:'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | column -t -s '|'

FORCE:
.PHONY: all unit fuzz-targets fuzz-replay fuzz test live golden torture bench check-ui demo layers headers \
        format-check format deps install uninstall clean help FORCE
.PRECIOUS: $(B)/tests/fuzz/%.o $(B)/tests/bench/%.o
-include $(shell test -d $(B) && find $(B) -name '*.d')

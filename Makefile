# make            build/reconcile and build/reconcile-source
# make check      everything: unit, golden cases, end to end (root); installs what it needs
# make check-unit what a normal user can run
# Variants side by side: make SANITIZE=address,undefined  ->  build/san/…
# V=1 shows commands; DESTDIR, PREFIX as usual; one test: make build/tests/unit/base/err && ./build/…

VERSION  := 0.1.0
PREFIX   ?= /usr/local
DESTDIR  ?=
CC       ?= cc
BUILD    ?= build$(if $(SANITIZE),/san)
Q        := $(if $(V),,@)

PKGS     := yaml-0.1 jansson libcurl libgit2 sqlite3
WARN     := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 \
            $(if $(CI),-Werror)
CFLAGS   ?= -O2 -g
ALL_CFLAGS = -std=c17 -D_GNU_SOURCE $(WARN) $(CFLAGS) -fstack-protector-strong -pthread -MMD -MP \
            -iquote reconciler -iquote . -DRECONCILE_VERSION='"$(VERSION)"' \
            $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all)
ALL_LDFLAGS = $(LDFLAGS) -pthread -Wl,-z,relro,-z,now -Wl,--as-needed $(if $(SANITIZE),-fsanitize=$(SANITIZE))

# A library per directory, and what it may use: includes and links point one way.
LIBS     := base sys spec model policy plan state client host source kinds run cmd
DEP_base   :=
DEP_sys    := base
DEP_spec   := base
DEP_model  := base
DEP_policy := model base
DEP_plan   := model base
DEP_state  := sys model base
DEP_client := sys base
DEP_host   := sys base
DEP_source := sys base
DEP_kinds  := policy model spec client host sys base
DEP_run    := plan policy kinds source state model spec client host sys base
DEP_cmd    := run $(DEP_run)

DIR_state  := state
$(foreach l,$(filter-out state,$(LIBS)),$(eval DIR_$l := reconciler/$l))

# System libraries by ours. libcurl and libcrypto are loaded at first use (sys/http.h, sys/hash.h).
SYSLIB_base  := -ljansson
SYSLIB_spec  := -lyaml -ljansson
SYSLIB_kinds := -lyaml -ljansson
SYSLIB_state := -ljansson

# main.c files and the libgit2 helper are programs of their own, not part of a library.
PROGRAM_SRCS := reconciler/cmd/main.c reconciler/source/helper.c
srcs_of   = $(filter-out $(PROGRAM_SRCS),$(shell find $(DIR_$1) -name '*.c' -o -name '*.S'))
objs_of   = $(patsubst %,$(BUILD)/%.o,$(call srcs_of,$1))
lib_of    = $(BUILD)/lib$1.a
closure   = $1 $(DEP_$1)
libs_of   = $(foreach l,$(call closure,$1),$(call lib_of,$l))
syslibs_of = $(sort $(foreach l,$(call closure,$1),$(SYSLIB_$l)))

all: $(BUILD)/reconcile $(BUILD)/reconcile-source

$(BUILD)/%.c.o: %.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC   $<")
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

# Descriptions are for editors; to read them would be a third of what a small spec costs.
$(BUILD)/embedded/%.json: schema/%.json
	@mkdir -p $(@D)
	$(Q)sed '/^ *"description": ".*",$$/d; s/^ *//' $< >$@

$(BUILD)/%.S.o: %.S $(addprefix $(BUILD)/embedded/,cluster.schema.json settings.schema.json stack.schema.json) \
		reconciler/host/probe.sh reconciler/host/relay.pl
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Wa,-I$(BUILD) -c -o $@ $<

define library
$$(call lib_of,$1): $$(call objs_of,$1)
	@mkdir -p $$(@D)
	$$(if $$(V),,@echo "  AR   $$@")
	@rm -f $$@
	$$(Q)$$(AR) rcs $$@ $$^
endef
$(foreach l,$(LIBS),$(eval $(call library,$l)))

$(BUILD)/reconcile: $(BUILD)/reconciler/cmd/main.c.o $(call libs_of,cmd)
	$(if $(V),,@echo "  LD   $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< -Wl,--start-group $(call libs_of,cmd) -Wl,--end-group $(call syslibs_of,cmd) -ldl

$(BUILD)/reconcile-source: $(BUILD)/reconciler/source/helper.c.o $(call libs_of,sys)
	$(if $(V),,@echo "  LD   $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(call libs_of,sys) $(call syslibs_of,sys) -lgit2

# Unit tests: tests/unit/<lib>/<name>.c links with <lib> and what <lib> may use, and nothing else.
UNIT_SRCS := $(wildcard tests/unit/*/*.c)
UNIT_BINS := $(patsubst %.c,$(BUILD)/%,$(UNIT_SRCS))
define unit_test
$(BUILD)/tests/unit/$1/%: $(BUILD)/tests/unit/$1/%.c.o $(call libs_of,$1)
	$$(if $$(V),,@echo "  LD   $$@")
	$$(Q)$$(CC) $$(ALL_LDFLAGS) -o $$@ $$< -Wl,--start-group $(call libs_of,$1) -Wl,--end-group $(call syslibs_of,$1) -lcmocka -ldl
unit-$1: $(filter $(BUILD)/tests/unit/$1/%,$(UNIT_BINS))
	CMOCKA_MESSAGE_OUTPUT=TAP prove $$(if $$(V),-v) --exec '' $$^
endef
$(foreach l,$(LIBS),$(eval $(call unit_test,$l)))
.SECONDARY:

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# Tests. `check` does everything with the sanitizers on; its parts run alone too.
SAN := SANITIZE=address,undefined
# Tests wait for much of their time: so many files at once.
TEST_JOBS ?= 4
TAP := CMOCKA_MESSAGE_OUTPUT=TAP prove -j $(TEST_JOBS) --exec ''

unit-bins: all $(UNIT_BINS)
unit-source: | $(BUILD)/reconcile-source
fuzz-replay: $(BUILD)/tests/fuzz/spec_fuzz $(BUILD)/tests/fuzz/traefik_edit_fuzz

# What needs neither root nor a cluster.
check-unit:
	$(Q)$(MAKE) -j$(shell nproc) --no-print-directory $(SAN) check-unit-run
check-unit-run: unit-bins fuzz-replay
	MAKEFLAGS= BUILD=$(BUILD) prove tests/lint/*.t
	$(BUILD)/tests/fuzz/spec_fuzz tests/fuzz/corpus/spec tests/cases/spec
	$(BUILD)/tests/fuzz/traefik_edit_fuzz tests/fuzz/corpus/traefik_edit
	$(TAP) $(UNIT_BINS)

# A real dockerd in namespaces of its own; needs root.
check-e2e:
	$(Q)$(MAKE) -j$(shell nproc) --no-print-directory $(SAN) check-e2e-run
# Those that take longest go first, so that none is alone at the end.
LONGEST := $(patsubst %,tests/e2e/%.t,71-faults 70-kill 41-swarm 02-demo 42-host 72-review 23-properties 22-contested 67-rollback 21-random)
check-e2e-run: all $(BUILD)/tests/e2e/gen $(BUILD)/tests/unit/kinds/swarm_engine
	T_STDERR=9 BUILD=$(BUILD) prove --timer -j $(TEST_JOBS) $(if $(V),-v) $(or $(T),$(LONGEST) $(filter-out $(LONGEST),$(wildcard tests/e2e/*.t))) 9>&2

# The same cluster as virtual machines with systemd and a kernel's NFS; needs root.
check-vm:
	$(Q)tests/deps vm
	$(Q)$(MAKE) --no-print-directory all
	prove $(if $(V),-v) $(or $(T),$(wildcard tests/vm/*.t))

check: | deps
	$(Q)$(MAKE) --no-print-directory check-unit
	$(Q)$(MAKE) --no-print-directory check-e2e

# The corpora are replayed as tests; `make fuzz` looks for new inputs (clang, FUZZ_SECONDS each).
FUZZ_SECONDS ?= 60
FUZZERS := spec_fuzz traefik_edit_fuzz
$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.c.o $(BUILD)/tests/fuzz/replay.c.o $(call libs_of,kinds)
	$(if $(V),,@echo "  LD   $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(call libs_of,kinds) -Wl,--end-group $(call syslibs_of,kinds) -ldl
fuzz:
	$(Q)$(MAKE) --no-print-directory CC=clang BUILD=build/fuzz SANITIZE=address,undefined,fuzzer-no-link fuzz-run
fuzz-run: $(addprefix $(BUILD)/tests/fuzz/run-,$(FUZZERS))
	$(foreach f,$(FUZZERS),mkdir -p build/fuzz/new/$f && $(BUILD)/tests/fuzz/run-$f -max_total_time=$(FUZZ_SECONDS) \
		build/fuzz/new/$f tests/fuzz/corpus/$(f:_fuzz=) &&) true
$(BUILD)/tests/fuzz/run-%: $(BUILD)/tests/fuzz/%.c.o $(call libs_of,kinds)
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $< -Wl,--start-group $(call libs_of,kinds) -Wl,--end-group $(call syslibs_of,kinds) -ldl

$(BUILD)/tests/e2e/gen: $(BUILD)/tests/e2e/gen.c.o $(call libs_of,base)
	$(if $(V),,@echo "  LD   $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(call syslibs_of,base)

bench: | deps
	$(Q)$(MAKE) --no-print-directory all
	tests/bench/bench
	tests/bench/nodes

demo: | deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)tests/lab/demo

# Four hosts to look around in: make lab-up [BARE=1], make lab-shell [NODE=hpr], make lab-down
lab-up: | deps
	$(Q)tests/lab/lab up $(if $(BARE),--bare)
lab-shell:
	$(Q)tests/lab/lab enter $(or $(NODE),gmktec)
lab-down:
	$(Q)tests/lab/lab down

lint: | deps
	clang-format --dry-run -Werror $(shell git ls-files '*.c' '*.h')
	shellcheck -x $(shell git grep -lE '^#!.*(ba)?sh' -- tests .ci reconciler)
	clang-tidy --quiet $(shell git ls-files 'reconciler/*.c' 'state/*.c') -- -std=c17 -D_GNU_SOURCE -iquote reconciler \
		-iquote . -DRECONCILE_VERSION='"$(VERSION)"'
format:
	clang-format -i $(shell git ls-files '*.c' '*.h')

compile_commands.json:
	$(Q)$(MAKE) --no-print-directory -nB V=1 BUILD=build/cc all | tests/lint/compile-commands >$@

docs/spec.md: schema/cluster.schema.json schema/to-markdown
	schema/to-markdown <$< >$@
docs: docs/spec.md

# As root it installs what is missing of Debian's packages; else it says what is missing.
deps:
	$(Q)tests/deps

install: all
	install -D -m 755 $(BUILD)/reconcile $(DESTDIR)$(PREFIX)/bin/reconcile
	install -D -m 755 $(BUILD)/reconcile-source $(DESTDIR)$(PREFIX)/bin/reconcile-source
	install -D -m 644 docs/reconcile.1 $(DESTDIR)$(PREFIX)/share/man/man1/reconcile.1
	install -D -m 644 schema/cluster.schema.json $(DESTDIR)$(PREFIX)/share/reconcile/cluster.schema.json
	install -D -m 644 schema/settings.schema.json $(DESTDIR)$(PREFIX)/share/reconcile/settings.schema.json

# For tests/lint: "plan: model base".
print-deps:
	@$(foreach l,$(LIBS),echo "$l: $(DIR_$l): $(DEP_$l)";)

clean:
	rm -rf build compile_commands.json

.PHONY: all docs clean install lint format fuzz fuzz-run fuzz-replay bench demo lab-up lab-shell lab-down deps print-deps unit-bins \
	check check-vm check-unit check-unit-run check-e2e check-e2e-run $(addprefix unit-,$(LIBS))

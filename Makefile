# SPDX-License-Identifier: MIT
# Non-recursive: every floor is a folder, every floor becomes one archive, and every binary's link
# line below says which floors it may know. A new source file needs no edit here.

BUILD ?= build
export BUILD

# One short line a target; V=1 prints whole commands.
QUIET = $(if $(V),,@echo '  $@'; )
CC = $(QUIET)gcc
AR = $(QUIET)gcc-ar
NODE = $(QUIET)tools/bin/node

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# ---- flags ------------------------------------------------------------------------------------

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
        -Wvla -Wformat=2 -Wundef -Werror
HARDEN := -D_FORTIFY_SOURCE=2 -fstack-protector-strong
OPT := -O2 -g
SANITIZE :=
CFLAGS := -std=gnu17 $(OPT) $(WARN) $(HARDEN) -fPIE -pthread $(SANITIZE)
# Empty on purpose: a file that says `#define _GNU_SOURCE` itself repeats the same definition.
CPPFLAGS := -I. -I$(BUILD)/gen -D_GNU_SOURCE=
LDFLAGS := -pie -pthread -Wl,-z,relro,-z,now -Wl,--as-needed $(SANITIZE)

# Only these floors find libpq's header: the fence holds at compile time, not in lint alone.
PQ_CFLAGS := $(shell pkg-config --cflags libpq 2>/dev/null || echo -I/usr/include/postgresql)
CPPFLAGS_db := $(PQ_CFLAGS)
CPPFLAGS_auditor := $(PQ_CFLAGS)
CPPFLAGS_test := $(PQ_CFLAGS)

# ---- floors -----------------------------------------------------------------------------------

FLOORS := lib eth core db queue server handlers keeper workers indexer relayer verify auditor gateway

# Signing is an archive of its own, so that the linker can prove who is able to sign.
SIGN_SRC := $(wildcard eth/sign.c)
src_of = $(filter-out $(1)/main.c $(SIGN_SRC),$(sort $(wildcard $(1)/*.c $(1)/*/*.c)))
obj_of = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
archive = $(BUILD)/lib$(1).a

# What each floor sees when it is linked, itself first (link order: callers before callees).
SEE_lib := lib
SEE_eth := eth lib
SEE_core := core eth lib
SEE_db := db core eth lib
SEE_queue := queue core eth lib
SEE_server := server queue db core eth lib
SEE_handlers := handlers server queue db core eth lib
SEE_keeper := keeper server queue db core eth lib
SEE_workers := workers core ethsign eth lib
SEE_indexer := indexer db core eth lib
SEE_relayer := relayer db core ethsign eth lib
SEE_verify := verify eth lib
SEE_auditor := auditor
SEE_gateway := gateway handlers keeper server queue db core eth lib

SYS_lib := -lcurl -ljansson -lssl -lcrypto -lz -lm
SYS_eth := -lsecp256k1 -lnettle -lgmp
SYS_ethsign := -lsecp256k1
SYS_core := -lyaml
SYS_db := -lpq
SYS_queue := -lhiredis
SYS_server := -lmicrohttpd
SYS_workers := -larchive -lseccomp -ldl
SYS_auditor := -lpq

libs_of = $(foreach f,$(SEE_$(1)),$(call archive,$(f)))
sys_of = $(foreach f,$(SEE_$(1)),$(SYS_$(f)))

# ---- generated sources ------------------------------------------------------------------------

SQL_IN := $(sort $(wildcard db/sql/*.sql))
API_IN := $(sort $(wildcard openapi/*.yaml openapi/*/*.yaml))
GEN_SQL := $(if $(and $(SQL_IN),$(wildcard tools/gen_sql.mjs)),$(BUILD)/gen/sql.c)
GEN_API := $(if $(and $(API_IN),$(wildcard tools/gen_api.mjs)),$(BUILD)/gen/api.c)
CONTRACTS := $(if $(wildcard contracts/Settlement.sol),$(BUILD)/contracts/Settlement.json)
DOCS := $(BUILD)/docs/index.html
NODE_READY := tools/node_modules/.ready

# The SQL descriptors belong to db; the route table names every handler, so it lives with them:
# an operation without a handler then fails to link.
GEN_db := $(GEN_SQL)
GEN_handlers := $(GEN_API)
GEN_auditor := $(BUILD)/gen/invariants.c
GEN := $(GEN_SQL) $(GEN_API)

# lib, eth, core and verify build without Node; everything above may include generated headers.
WANTS_GEN := db queue server handlers keeper workers indexer relayer gateway

# ---- goals ------------------------------------------------------------------------------------

BINARIES := $(if $(wildcard gateway/main.c),$(BUILD)/bin/ogpu-gateway) \
            $(if $(wildcard workers/main.c),$(BUILD)/bin/ogpu-worker) \
            $(if $(wildcard indexer/main.c),$(BUILD)/bin/ogpu-indexer) \
            $(if $(wildcard relayer/main.c),$(BUILD)/bin/ogpu-relayer) \
            $(if $(wildcard auditor/main.c),$(BUILD)/bin/ogpu-auditor) \
            $(if $(wildcard verify/main.c),$(BUILD)/bin/ogpu-verify)
UNIT_SRC := $(sort $(wildcard tests/unit/*/test_*.c))
UNIT := $(patsubst tests/%.c,$(BUILD)/tests/%,$(UNIT_SRC)) $(BUILD)/tests/support/fields_driver

.PHONY: all archives gen contracts docs deps unit test lint format demo up down bench soak asan clean help
all: archives $(BINARIES) $(CONTRACTS) $(DOCS)
archives: $(foreach f,$(FLOORS),$(call archive,$(f))) $(call archive,ethsign)
gen: $(GEN)
contracts: $(CONTRACTS)
docs: $(DOCS)

deps:
	@tools/deps/install

$(NODE_READY): tools/package-lock.json
	@tools/deps/npm
	@touch $@

# gen_x.mjs writes the .h beside the .c; both are targets of one run.
$(BUILD)/gen/sql.c $(BUILD)/gen/sql.h &: $(SQL_IN) tools/gen_sql.mjs $(wildcard tools/sql/*.mjs) | $(NODE_READY)
	@mkdir -p $(BUILD)/gen
	$(NODE) tools/gen_sql.mjs $(BUILD)/gen $(SQL_IN)

$(BUILD)/gen/api.c $(BUILD)/gen/api.h &: $(API_IN) tools/gen_api.mjs $(wildcard tools/gen/*.mjs) \
    lib/error.def | $(NODE_READY)
	@mkdir -p $(BUILD)/gen
	$(NODE) tools/gen_api.mjs $(BUILD)/gen

$(BUILD)/gen/invariants.c: $(wildcard auditor/*.sql) tools/gen_invariants.mjs | $(NODE_READY)
	@mkdir -p $(@D)
	$(NODE) tools/gen_invariants.mjs $(filter %.sql,$^) $@

# Contracts are compiled by npm solc; deploying and testing need nothing but these two files.
$(BUILD)/contracts/Settlement.json $(BUILD)/contracts/Vault.json &: $(wildcard contracts/*.sol) \
    tools/build_contracts.mjs | $(NODE_READY)
	$(NODE) tools/build_contracts.mjs

$(DOCS): $(wildcard web/docs/*) tools/build_docs.mjs | $(NODE_READY)
	$(NODE) tools/build_docs.mjs

# ---- compiling --------------------------------------------------------------------------------

floor_of_obj = $(firstword $(subst /, ,$(patsubst $(BUILD)/obj/%,%,$(1))))

$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CPPFLAGS_$(call floor_of_obj,$@)) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/obj/gen/%.o: $(BUILD)/gen/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

define floor_rules
OBJ_$(1) := $$(call obj_of,$$(call src_of,$(1))) $$(patsubst $(BUILD)/gen/%.c,$(BUILD)/obj/gen/%.o,$$(GEN_$(1)))
$$(call archive,$(1)): $$(OBJ_$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(AR) rcs $$@ $$^
endef
$(foreach f,$(FLOORS),$(eval $(call floor_rules,$(f))))

$(call archive,ethsign): $(call obj_of,$(SIGN_SRC))
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^

# Order only: the headers must exist before the first compile, later -MMD knows who reads them.
$(foreach f,$(WANTS_GEN),$(OBJ_$(f)) $(call obj_of,$(f)/main.c)): | $(GEN)
$(foreach s,$(UNIT_SRC),$(call obj_of,$(s))): | $(GEN)

# ---- binaries: one explicit line each ---------------------------------------------------------

link = @mkdir -p $(@D)
do_link = $(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^)

$(BUILD)/bin/ogpu-gateway: $(BUILD)/obj/gateway/main.o $(call libs_of,gateway)
	$(link)
	$(do_link) $(call sys_of,gateway)

$(BUILD)/bin/ogpu-worker: $(BUILD)/obj/workers/main.o $(call libs_of,workers)
	$(link)
	$(do_link) $(call sys_of,workers)

$(BUILD)/bin/ogpu-indexer: $(BUILD)/obj/indexer/main.o $(call libs_of,indexer)
	$(link)
	$(do_link) $(call sys_of,indexer)

$(BUILD)/bin/ogpu-relayer: $(BUILD)/obj/relayer/main.o $(call libs_of,relayer)
	$(link)
	$(do_link) $(call sys_of,relayer)

$(BUILD)/bin/ogpu-auditor: $(BUILD)/obj/auditor/main.o $(call libs_of,auditor)
	$(link)
	$(do_link) $(call sys_of,auditor)

$(BUILD)/bin/ogpu-verify: $(BUILD)/obj/verify/main.o $(call libs_of,verify)
	$(link)
	$(do_link) $(call sys_of,verify)

# ---- example sources: static programs in OCI images, built without registry or engine ----------

EXAMPLES := $(patsubst examples/%/manifest.json,%,$(wildcard examples/*/manifest.json))
EXAMPLE_OUT := $(foreach e,$(EXAMPLES),$(BUILD)/examples/$(e).manifest.json)
.PHONY: examples
examples: $(EXAMPLE_OUT)
all: examples

define example_rules
$(BUILD)/examples/$(1): $(wildcard examples/$(1)/*.c examples/$(1)/*.h) Makefile
	@mkdir -p $$(@D)
	$$(CC) -std=gnu17 -O2 -D_GNU_SOURCE= $(WARN) -static -s -o $$@ $$(filter %.c,$$^)

$(BUILD)/examples/$(1).oci.tar $(BUILD)/examples/$(1).manifest.json &: $(BUILD)/examples/$(1) \
    examples/$(1)/manifest.json tools/oci_image.mjs | $(NODE_READY)
	$$(NODE) tools/oci_image.mjs --out $(BUILD)/examples/$(1).oci.tar --template examples/$(1)/manifest.json \
	    --manifest $(BUILD)/examples/$(1).manifest.json --entrypoint /bin/$(1) --file $(BUILD)/examples/$(1)=/bin/$(1)
endef
$(foreach e,$(EXAMPLES),$(eval $(call example_rules,$(e))))

# Two roundings where the source says two: the card's verdict has the same bits (core/compare_math.h).
$(BUILD)/obj/core/compare.o: CFLAGS += -ffp-contract=off

# These lists are compiled in by name, which -MMD does not see.
$(BUILD)/obj/workers/contain/seccomp.o: workers/seccomp.json
$(BUILD)/obj/workers/advisories.o: workers/advisories.json

# ---- CUDA: where its compiler is at hand; the worker finds the library at run time, or works without ----

NVCC := $(or $(shell command -v nvcc 2>/dev/null),$(wildcard /usr/local/cuda/bin/nvcc))
# Machine code for the cards that can be had, and PTX for what comes after them.
NVCC_FLAGS := -std=c++17 -O3 -I. -Xcompiler -fPIC,-fvisibility=hidden -cudart static \
    -gencode=arch=compute_80,code=sm_80 -gencode=arch=compute_90,code=[sm_90,compute_90]
CUDA_LIBRARY := $(BUILD)/bin/ogpu-cuda.so
.PHONY: kernels gpu-check
kernels: $(CUDA_LIBRARY)

$(CUDA_LIBRARY): $(sort $(wildcard workers/kernels/*.cu)) $(wildcard workers/kernels/*.h workers/kernels/*.cuh) \
    core/compare.h core/compare_math.h core/gpu_proof.h core/row_tree.h Makefile
	@mkdir -p $(@D)
	@test -n '$(NVCC)' || { echo 'make kernels needs nvcc (CUDA 11.8 or later)'; exit 1; }
	$(NVCC) $(NVCC_FLAGS) -shared -o $@ $(filter %.cu,$^)

# Against a real card: right first, then fast. Says `skipped` where there is no card or no nvcc.
gpu-check:
	@BUILD=$(BUILD) NVCC='$(NVCC)' tests/gpu/check

# ---- unit tests: tests/unit/<floor>/test_x.c is one program, linked with what the floor sees ----

# Other .c files of the folder are helpers of its tests. Tests may sign, whatever their floor.
define unit_floor
HELP_$(1) := $$(call obj_of,$$(filter-out tests/unit/$(1)/test_%,$$(sort $$(wildcard tests/unit/$(1)/*.c))))
$$(patsubst tests/%.c,$$(BUILD)/tests/%,$$(filter tests/unit/$(1)/%,$$(UNIT_SRC))): \
    $$(BUILD)/tests/%: $$(BUILD)/obj/tests/%.o $$(HELP_$(1)) $$(call libs_of,$(1)) $$(call archive,ethsign) $$(call libs_of,eth)
	$$(link)
	$$(CC) $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) $$(call libs_of,$(1)) $$(call archive,ethsign) \
	    $$(call libs_of,eth) $$(call sys_of,$(1)) $$(call sys_of,eth) -lcmocka
$$(HELP_$(1)): | $$(GEN)
endef
$(foreach f,$(FLOORS),$(eval $(call unit_floor,$(f))))

$(BUILD)/obj/tests/%.o: CPPFLAGS += $(CPPFLAGS_test)

# A program that a test drives: the generated field tables without a server around them.
$(BUILD)/obj/tests/support/fields_driver.o: | $(GEN)
$(BUILD)/tests/support/fields_driver: $(BUILD)/obj/tests/support/fields_driver.o \
    $(BUILD)/obj/gen/api.o $(call libs_of,core)
	$(link)
	$(do_link) $(call sys_of,core)

unit: $(UNIT)
	@tests/run --build $(BUILD) unit/

# Other test programs: an area with C of its own brings rules and names them in TEST_PROGRAMS.
TEST_PROGRAMS :=
include $(sort $(wildcard tests/*/rules.mk)) $(wildcard bench/rules.mk)

# ---- the rest ---------------------------------------------------------------------------------

test: deps
	@$(MAKE) --no-print-directory all $(UNIT) $(TEST_PROGRAMS)
	@tests/run --build $(BUILD)

lint: deps
	@tools/lint/all $(BUILD)

format:
	@tools/lint/format fix

up: deps
	@$(MAKE) --no-print-directory all
	@tools/stack/up

down:
	@tools/stack/down

demo: deps
	@$(MAKE) --no-print-directory all
	@tools/demo/run

bench: deps
	@$(MAKE) --no-print-directory all $(BENCH_PROGRAMS)
	@bench/run

# Suites at their full length: a million requests, 100,000 tasks settled, every reorg, ten
# minutes without a node.
soak: deps
	@$(MAKE) --no-print-directory all $(TEST_PROGRAMS)
	@LOAD_REQUESTS=1000000 KILL_TASKS=10000 SETTLE_TASKS=100000 REORG_DEPTHS='1 2 7 64' OUTAGE_S=600 \
	    OGPU_TEST_LIMIT_S=7200 \
	    tests/run --build $(BUILD) load/ market/ chain/volume.test.mjs chain/reorgs.test.mjs \
	    chain/unsent.test.mjs chain/outage.test.mjs

# The same suite under ASan and UBSan, in a build folder of its own.
asan: deps
	@$(MAKE) --no-print-directory BUILD=$(BUILD)-asan HARDEN= OPT='-O1 -g' \
	    SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer' \
	    all asan-units
	@tests/run --build $(BUILD)-asan
.PHONY: asan-units
asan-units: $(UNIT) $(TEST_PROGRAMS)

clean:
	rm -rf $(BUILD)

help:
	@echo 'make        build archives and binaries into $$(BUILD) (default build/)'
	@echo 'make deps   install what is missing (apt, npm; pinned)'
	@echo 'make demo   the whole story of one paid task, from nothing (KEEP=1 leaves it running)'
	@echo 'make up     private PostgreSQL, Redis, chain, gateways: see build/run/env; make down stops it'
	@echo 'make unit   unit tests        make test   everything in tests/'
	@echo 'make asan   the suite under AddressSanitizer and UBSan'
	@echo 'make lint   format, clang-tidy, cppcheck, floors, sizes, OpenAPI, shell'
	@echo 'make format rewrite C sources in the house format'
	@echo 'make bench  figures beside their references        make soak   load, settlement, reorgs in full'
	@echo 'make bench-worker   the worker figures alone       make examples   sources to begin with'
	@echo 'make fuzz   mutated input for the decoders     make test-containers   attacks on both runtimes'
	@echo 'make kernels        the CUDA library (nvcc)         make gpu-check  it, on a real card'
	@echo 'make test-guest     the same under cgroup v2 and systemd, also without root, in an emulated machine'
	@echo 'make clean  remove $$(BUILD)'

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

# SPDX-License-Identifier: MIT
# Programs that JS oracles drive: our own C for what cards compute.

GPU_TEST_PROGRAMS := $(patsubst tests/gpu/%.c,$(BUILD)/tests/gpu/%,$(wildcard tests/gpu/*_driver.c))
TEST_PROGRAMS += $(GPU_TEST_PROGRAMS)

$(GPU_TEST_PROGRAMS): $(BUILD)/tests/gpu/%: $(BUILD)/obj/tests/gpu/%.o $(call libs_of,core)
	$(link)
	$(do_link) $(call sys_of,core)

# The CUDA sources on a card of paper: the same files, compiled as C++ against tests/gpu/shim.
PAPER_CARD := $(BUILD)/tests/gpu/paper-card.so
PAPER_SRC := $(filter-out workers/kernels/bench.cu,$(wildcard workers/kernels/*.cu))
TEST_PROGRAMS += $(PAPER_CARD)

$(PAPER_CARD): tests/gpu/shim/card.cpp $(PAPER_SRC) $(wildcard tests/gpu/shim/*.h workers/kernels/*.h workers/kernels/*.cuh) \
    core/compare.h core/compare_math.h core/gpu_proof.h Makefile
	$(link)
	g++ -std=gnu++17 -O2 -g -ffp-contract=off -fPIC -shared -fvisibility=hidden -I tests/gpu/shim -I. -o $@ $< \
	    $(foreach f,$(PAPER_SRC),-x c++ $(f)) -x none

$(BUILD)/tests/unit/workers/test_kernels: | $(PAPER_CARD)

# What make gpu-check runs; built with the tests, so that it still compiles when a card comes.
CARD_CHECK := $(BUILD)/tests/gpu/card_check
TEST_PROGRAMS += $(CARD_CHECK)
$(CARD_CHECK): $(BUILD)/obj/tests/gpu/card_check.o $(call libs_of,workers)
	$(link)
	$(do_link) $(call sys_of,workers)

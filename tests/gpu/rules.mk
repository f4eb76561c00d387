# SPDX-License-Identifier: MIT
# Programs that JS oracles drive: our own C for what cards compute.

GPU_TEST_PROGRAMS := $(patsubst tests/gpu/%.c,$(BUILD)/tests/gpu/%,$(wildcard tests/gpu/*_driver.c))
TEST_PROGRAMS += $(GPU_TEST_PROGRAMS)

$(GPU_TEST_PROGRAMS): $(BUILD)/tests/gpu/%: $(BUILD)/obj/tests/gpu/%.o $(call libs_of,core)
	$(link)
	$(do_link) $(call sys_of,core)

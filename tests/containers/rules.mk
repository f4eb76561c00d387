# SPDX-License-Identifier: MIT
# What tests/containers runs in containers: static programs, so that they need no image around them.

STATIC_PROGRAM = $(CC) -std=gnu17 -O1 -D_GNU_SOURCE= $(WARN) -pthread -static -s -o $@ $(filter %.c,$^)

$(BUILD)/tests/containers/hostile: $(sort $(wildcard tests/containers/hostile*.c)) tests/containers/hostile.h Makefile
	@mkdir -p $(@D)
	$(STATIC_PROGRAM)

$(BUILD)/tests/containers/sdk_service: tests/containers/sdk_service.c Makefile
	@mkdir -p $(@D)
	$(STATIC_PROGRAM)

CONTAINER_PROGRAMS := $(BUILD)/tests/containers/hostile $(BUILD)/tests/containers/sdk_service
TEST_PROGRAMS += $(CONTAINER_PROGRAMS)

# The probes alone, for real, under every runtime that is here; ends with their counts.
.PHONY: test-containers
test-containers: all $(CONTAINER_PROGRAMS)
	@tests/run --build $(BUILD) containers/

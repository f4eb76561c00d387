# SPDX-License-Identifier: MIT
# A stand-in for the library that tells of cards.

$(BUILD)/tests/worker/libnvidia-ml.so.1: tests/worker/fake_nvml.c Makefile
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -O1 $(WARN) -shared -fPIC -o $@ $<

TEST_PROGRAMS += $(BUILD)/tests/worker/libnvidia-ml.so.1

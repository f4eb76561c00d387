# SPDX-License-Identifier: MIT
# The hostile source that tests/worker runs in containers: static, so that it needs no image around it.

$(BUILD)/tests/worker/hostile: tests/worker/hostile.c tests/worker/hostile_look.c tests/worker/hostile_traps.c tests/worker/hostile_http.c \
    tests/worker/hostile.h Makefile
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -O1 -D_GNU_SOURCE= $(WARN) -pthread -static -s -o $@ $(filter %.c,$^)

$(BUILD)/tests/worker/libnvidia-ml.so.1: tests/worker/fake_nvml.c Makefile
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -O1 $(WARN) -shared -fPIC -o $@ $<

TEST_PROGRAMS += $(BUILD)/tests/worker/hostile $(BUILD)/tests/worker/libnvidia-ml.so.1

# SPDX-License-Identifier: MIT
# Stand-ins for a card's driver, each in a folder of its own so that a test chooses by LD_LIBRARY_PATH, and the source
# that tells what it sees of a card: static, so that it needs no image around it.

DEVICE_TESTS := $(BUILD)/tests/device

$(DEVICE_TESTS)/nvml/libnvidia-ml.so.1: tests/device/fake_nvml.c Makefile
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -O1 -D_GNU_SOURCE= $(WARN) -shared -fPIC -o $@ $<

$(DEVICE_TESTS)/cuda/libcuda.so.1: tests/device/fake_cuda.c Makefile
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -O1 -D_GNU_SOURCE= $(WARN) -shared -fPIC -o $@ $<

$(DEVICE_TESTS)/driver/libcuda.so.570.00: tests/device/fake_lib.c Makefile
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -O1 $(WARN) -shared -fPIC -Wl,-soname,libcuda.so.1 -o $@ $<

$(DEVICE_TESTS)/driver/libnvidia-ml.so.570.00: tests/device/fake_lib.c Makefile
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -O1 $(WARN) -shared -fPIC -Wl,-soname,libnvidia-ml.so.1 -o $@ $<

$(DEVICE_TESTS)/probe: tests/device/probe.c Makefile
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -O1 -D_GNU_SOURCE= $(WARN) -static -s -o $@ $<

TEST_PROGRAMS += $(addprefix $(DEVICE_TESTS)/,nvml/libnvidia-ml.so.1 cuda/libcuda.so.1 driver/libcuda.so.570.00 \
    driver/libnvidia-ml.so.570.00 probe)

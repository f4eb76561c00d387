# SPDX-License-Identifier: MIT
# The gateway once more, with its named kill points compiled in: only what names one is built again.

KILL_SRC := lib/killpoint.c $(shell grep -l 'KILLPOINT."' $(wildcard db/*.c server/*.c handlers/*.c keeper/*.c))
KILL_OBJ := $(patsubst %.c,$(BUILD)/obj/kill/%.o,$(KILL_SRC))
TEST_PROGRAMS += $(BUILD)/tests/kill/ogpu-gateway

$(BUILD)/obj/kill/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(PQ_CFLAGS) $(CFLAGS) -DOGPU_KILLPOINTS -MMD -MP -c -o $@ $<
$(KILL_OBJ): | $(GEN)

# Before the archives: their own copies of these objects are then not wanted.
$(BUILD)/tests/kill/ogpu-gateway: $(BUILD)/obj/gateway/main.o $(KILL_OBJ) $(call libs_of,gateway)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(call libs_of,gateway) $(call sys_of,gateway)

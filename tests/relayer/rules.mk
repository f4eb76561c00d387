# SPDX-License-Identifier: MIT
# The relayer once more, with its named kill points compiled in: only what names one is built again.

RELAYER_KILL_SRC := lib/killpoint.c $(shell grep -l 'KILLPOINT."' $(wildcard relayer/*.c))
RELAYER_KILL_OBJ := $(patsubst %.c,$(BUILD)/obj/kill/%.o,$(RELAYER_KILL_SRC))
TEST_PROGRAMS += $(BUILD)/tests/relayer/ogpu-relayer

$(RELAYER_KILL_OBJ): | $(GEN)

# Before the archives: their own copies of these objects are then not wanted.
$(BUILD)/tests/relayer/ogpu-relayer: $(BUILD)/obj/relayer/main.o $(RELAYER_KILL_OBJ) $(call libs_of,relayer)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(call libs_of,relayer) $(call sys_of,relayer)

# SPDX-License-Identifier: MIT
# Random changes of known inputs against every hand-written decoder, for FUZZ_S seconds in all, under ASan and UBSan. What ends
# it is kept in tests/fuzz/seeds' form: move it into the target's folder, where `make test` runs it from then on.

FUZZ := $(BUILD)/tests/fuzz/fuzz
TEST_PROGRAMS += $(FUZZ)
FUZZ_S ?= 120
fuzz_archives := $(foreach f,server queue db workers core,$(call archive,$(f))) $(call archive,ethsign) $(call libs_of,eth)

$(BUILD)/obj/tests/fuzz/targets.o: | $(GEN)
$(FUZZ): $(BUILD)/obj/tests/fuzz/fuzz.o $(BUILD)/obj/tests/fuzz/targets.o $(fuzz_archives)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(fuzz_archives) $(call sys_of,server) $(call sys_of,workers)

.PHONY: fuzz fuzz-program
fuzz-program: $(FUZZ)
fuzz:
	@$(MAKE) --no-print-directory BUILD=$(BUILD)-asan HARDEN= OPT='-O1 -g' \
	    SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer' fuzz-program
	@mkdir -p $(BUILD)/fuzz
	@$(BUILD)-asan/tests/fuzz/fuzz tests/fuzz/seeds $(FUZZ_S) $(BUILD)/fuzz

# SPDX-License-Identifier: MIT
# The real server with a handful of toy operations, for raw-socket probes.

TEST_PROGRAMS += $(BUILD)/tests/support/http_server

$(BUILD)/obj/tests/support/http_server.o $(BUILD)/obj/tests/support/http_toys.o: | $(GEN)
$(BUILD)/tests/support/http_server: $(BUILD)/obj/tests/support/http_server.o \
    $(BUILD)/obj/tests/support/http_toys.o $(call libs_of,server)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(call libs_of,server) $(call sys_of,server)

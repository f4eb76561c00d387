# SPDX-License-Identifier: MIT
# The program that answers for our own C when it is compared with other people's libraries.

ETH_DRIVER := $(BUILD)/tests/support/eth_driver
TEST_PROGRAMS += $(ETH_DRIVER)

$(ETH_DRIVER): $(patsubst %,$(BUILD)/obj/tests/support/%.o,eth_driver eth_driver_chain \
    eth_driver_proofs eth_driver_text eth_driver_tree) \
    $(call archive,ethsign) $(call libs_of,core)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(call archive,ethsign) $(call libs_of,core) $(call sys_of,core)

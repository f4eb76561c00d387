# SPDX-License-Identifier: MIT
# Helpers that units of several floors share.

$(BUILD)/tests/unit/lib/test_http $(BUILD)/tests/unit/eth/test_rpc $(BUILD)/tests/unit/eth/test_logs $(BUILD)/tests/unit/eth/test_final: $(BUILD)/obj/tests/support/fake_peer.o

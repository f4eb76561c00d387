# SPDX-License-Identifier: MIT
# Programs of the figures and of the load tests: a client, a bare server, the lanes alone.

BENCH_PROGRAMS := $(BUILD)/bench/load $(BUILD)/bench/bare_http $(BUILD)/bench/lanes
LOAD_OBJ := $(call obj_of,$(sort $(wildcard bench/load/*.c)))
TEST_PROGRAMS += $(BUILD)/bench/load

$(BUILD)/bench/load: $(LOAD_OBJ) $(call libs_of,core) $(call archive,ethsign)
	$(link)
	$(CC) $(LDFLAGS) -o $@ $(LOAD_OBJ) $(call archive,core) $(call archive,ethsign) \
	    $(call libs_of,eth) $(call sys_of,core) $(call sys_of,eth)

$(BUILD)/bench/bare_http: $(BUILD)/obj/bench/bare_http.o
	$(link)
	$(do_link) -lmicrohttpd

$(BUILD)/obj/bench/lanes.o: | $(GEN)
$(BUILD)/bench/lanes: $(BUILD)/obj/bench/lanes.o $(call libs_of,db)
	$(link)
	$(do_link) $(call sys_of,db)

$(BUILD)/obj/bench/worker_box.o: | $(GEN)
$(BUILD)/bench/worker_box: $(BUILD)/obj/bench/worker_box.o $(call libs_of,workers)
	$(link)
	$(do_link) $(call sys_of,workers)

$(BUILD)/bench/noop: bench/noop.c Makefile
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -O2 $(WARN) -static -s -o $@ $<

$(BUILD)/bench/gpu_proof: $(BUILD)/obj/bench/gpu_proof.o $(call libs_of,core)
	$(link)
	$(do_link) $(call sys_of,core)

BENCH_PROGRAMS += $(BUILD)/bench/gpu_proof
WORKER_BENCH := $(BUILD)/bench/worker_box $(BUILD)/bench/noop
BENCH_PROGRAMS += $(WORKER_BENCH)

# The worker's figures alone.
.PHONY: bench-worker
bench-worker: all $(WORKER_BENCH)
	$(NODE) bench/worker.mjs

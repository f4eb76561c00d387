# SPDX-License-Identifier: MIT
# The engine's tests bring statements of their own: the same archive, another sql.o in front of it.

DBT := $(BUILD)/tests/db
DBT_SQL := $(sort $(wildcard tests/db/sql/*.sql))
DBT_HELP := $(patsubst tests/%.c,$(BUILD)/tests/obj/%.o,tests/db/harness.c tests/support/fault_proxy.c tests/support/pg_follow.c)
DBT_PROGRAMS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(sort $(wildcard tests/db/test_*.c)))
TEST_PROGRAMS += $(DBT_PROGRAMS) $(BUILD)/tests/support/fault_proxy

gen: $(DBT)/gen/sql.h

$(DBT)/gen/sql.c $(DBT)/gen/sql.h &: $(DBT_SQL) tools/gen_sql.mjs $(wildcard tools/sql/*.mjs) | $(NODE_READY)
	$(NODE) tools/gen_sql.mjs $(DBT)/gen $(DBT_SQL)

$(BUILD)/tests/obj/%.o: tests/%.c $(DBT)/gen/sql.h Makefile tests/db/rules.mk
	@mkdir -p $(@D)
	$(CC) -I$(DBT)/gen $(CPPFLAGS) $(PQ_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(DBT)/gen/sql.o: $(DBT)/gen/sql.c
	$(CC) -I$(DBT)/gen $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(DBT_PROGRAMS): $(DBT)/%: $(BUILD)/tests/obj/db/%.o $(DBT_HELP) $(DBT)/gen/sql.o $(call libs_of,db)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(call sys_of,db) -lcmocka

$(BUILD)/tests/support/fault_proxy: $(BUILD)/tests/obj/support/fault_proxy_main.o \
    $(BUILD)/tests/obj/support/fault_proxy.o $(BUILD)/tests/obj/support/pg_follow.o $(call libs_of,lib)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(call sys_of,lib)

-include $(shell find $(BUILD)/tests/obj -name '*.d' 2>/dev/null)

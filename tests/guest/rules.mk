# SPDX-License-Identifier: MIT
# cgroup v2, systemd's delegation and a worker that is not root, in a Debian guest under emulation:
# its packages are not those of `make deps`, and it is no part of `make test`.
.PHONY: test-guest
test-guest:
	@tools/deps/install guest
	@$(MAKE) --no-print-directory all $(CONTAINER_PROGRAMS)
	@BUILD=$(BUILD) tests/guest/start

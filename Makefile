# Each target calls one script or tool. Every target installs what it needs first (tests/lab/setup.sh).

PYTHON = .venv/bin/python
LAB = tests/lab

.PHONY: help demo try setup check lint unit test boot guest bench install clean
.NOTPARALLEL:

help:
	@echo "make demo      boot a machine in QEMU that provisions itself with examples/demo.ign"
	@echo "make try CONFIG=FILE   boot a machine with your own config, console on this terminal"
	@echo "make check     lint and unit side by side, within three minutes"
	@echo "make test      all gates: check with coverage, boot and guest"
	@echo "make lint      linters, type checker, import contracts, shellcheck"
	@echo "make unit      unit tests (T=tests/config runs some of them)"
	@echo "make boot      whole first boots in QEMU"
	@echo "make guest     cases \"disks before, config, disks after\" in two guests (CASE='part of a title' runs some of them)"
	@echo "make bench     start-up times, times of the files and disks stages, sizes, stage times in a guest"
	@echo "make install   install dracut module, units, GRUB snippet and programs below DESTDIR"
	@echo "make clean     remove .venv, caches and build results"

demo:
	@$(LAB)/setup.sh demo
	@$(PYTHON) -m tests.lab.demo

try:
	@$(LAB)/setup.sh demo
	@$(PYTHON) -m tests.lab.try_config $(CONFIG)

check: setup
	@$(LAB)/check.sh $(UNIT_TESTS)

# Coverage slows the unit tests by half, so `make check` does not measure it.
test: COVERAGE = --cov --cov-report=term:skip-covered
test: check boot guest

setup:
	@$(LAB)/setup.sh test

lint: setup
	@$(LAB)/lint.sh

# One worker more than there are cores, since some tests wait for timers and servers.
WORKERS = $(shell expr $$(nproc) + 1)
T = tests
UNIT_TESTS = $(PYTHON) -m pytest -m "not boot" -n $(WORKERS) --dist worksteal -q $(COVERAGE) $(T)
unit: setup
	@$(UNIT_TESTS)

boot: setup
	@$(PYTHON) -m pytest -m boot -q tests/first_boot

guest: setup
	@$(PYTHON) -m $(if $(CASE),tests.guest "$(CASE)",pytest -m boot -q tests/guest)

bench: setup
	@$(PYTHON) -m tests.lab.bench

install:
	@DESTDIR="$(DESTDIR)" dracut/install.sh

clean:
	rm -rf .venv build dist *.egg-info .*_cache .coverage .hypothesis "$${XDG_CACHE_HOME:-$$HOME/.cache}/ignition-lab"

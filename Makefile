# Each target is one line to a script or a tool. `make demo` and `make test` need nothing before them.

PYTHON = .venv/bin/python
LAB = tests/lab

.PHONY: help demo try test setup lint unit boot guest bench install clean
.NOTPARALLEL:

help:
	@echo "make demo      boot a machine in QEMU that provisions itself with examples/demo.ign"
	@echo "make try CONFIG=FILE   boot a machine with a config of your own, console on this terminal"
	@echo "make test      everything that has to hold: lint, unit, boot and guest"
	@echo "make lint      linters, type checker, import contracts"
	@echo "make unit      tests that boot nothing (T=tests/config narrows them)"
	@echo "make boot      whole first boots in QEMU"
	@echo "make guest     cases \"disks before, config, disks after\" in two guests (CASE='part of a title' narrows them)"
	@echo "make bench     start-up times, the files and disks stages, sizes, and the stages' time in the guest"
	@echo "make install   put module, units, snippet and programs below DESTDIR"
	@echo "make clean     forget the environment and the lab's cache"

demo:
	@$(LAB)/setup.sh demo
	@$(PYTHON) -m tests.lab.demo

try:
	@$(LAB)/setup.sh demo
	@$(PYTHON) -m tests.lab.try_config $(CONFIG)

test: lint unit boot guest

setup:
	@$(LAB)/setup.sh test

lint: setup
	@$(LAB)/lint.sh

T = tests
unit: setup
	@$(PYTHON) -m pytest -m "not boot" -n auto --dist loadgroup -q $(T)

boot: setup
	@$(PYTHON) -m pytest -m boot -q tests/first_boot

guest: setup
	@$(PYTHON) -m $(if $(CASE),tests.guest "$(CASE)",pytest -m boot -q tests/guest)

bench: setup
	@$(PYTHON) -m tests.lab.bench

install:
	@DESTDIR="$(DESTDIR)" dracut/install.sh

clean:
	rm -rf .venv build dist *.egg-info .*_cache .hypothesis "$${XDG_CACHE_HOME:-$$HOME/.cache}/ignition-lab"

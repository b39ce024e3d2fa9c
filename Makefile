# kubewright: two commands matter: `make demo` and `make test`.
TARGET     := x86_64-unknown-linux-musl
KUBEWRIGHT := target/$(TARGET)/release/kubewright
CACHE      := $(or $(KUBEWRIGHT_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/kubewright)
IMAGE      := $(CACHE)/images/debian-12
LAB        := demo

.PHONY: help build image packages test test-unit soak bench demo demo-down

help:
	@echo 'make demo       five real hosts on this machine, and a cluster on them (root; Debian 12)'
	@echo 'make demo-down  takes them away again'
	@echo 'make test       everything, the end-to-end run in the lab included (root; Debian 12)'
	@echo 'make test-unit  what needs neither root nor packages'
	@echo 'make soak       the long scenarios: kills at every checkpoint, repeated power cuts (root)'
	@echo 'make bench      installs on bare lab hosts and prints the time per stage (root)'
	@echo 'make build      the static binary, in $(KUBEWRIGHT)'

packages:
	@scripts/packages.sh

build: packages
	rustup target add $(TARGET)
	cargo build --locked --release --target $(TARGET) --bin kubewright

image: build
	images/debian-12.sh
	scripts/lab-kernel.sh
	$(KUBEWRIGHT) image build images/debian-12.yaml -o oci:$(IMAGE)

test: image
	scripts/test.sh

test-unit:
	cargo test --locked --lib

soak: image
	KUBEWRIGHT_LAB_SUITE=soak scripts/lab-suite.sh

bench: image
	scripts/bench-install.sh

demo: image
	scripts/demo.sh $(LAB)

demo-down:
	@if [ -x $(KUBEWRIGHT) ]; then $(KUBEWRIGHT) lab down --name $(LAB); else echo 'nothing is built, so there is no demo'; fi

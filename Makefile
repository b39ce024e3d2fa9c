# kubewright: two commands matter: `make demo` and `make test`.
TARGET     := x86_64-unknown-linux-musl
KUBEWRIGHT := target/$(TARGET)/release/kubewright
CACHE      := $(or $(KUBEWRIGHT_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/kubewright)
IMAGES     := $(CACHE)/images
LAB        := demo

.PHONY: help build image images-of-soak packages test test-unit soak bench bench-distribute bench-snapshot bench-hub demo demo-down vagrant-check

help:
	@echo 'make demo       five real hosts on this machine, and a cluster on them (root; Debian 12)'
	@echo 'make demo-down  takes them away again'
	@echo 'make test       everything, the end-to-end run in the lab included (root; Debian 12)'
	@echo 'make test-unit  what needs neither root nor packages'
	@echo 'make soak       the long scenarios: kills at every checkpoint, repeated power cuts (root)'
	@echo 'make bench      installs on bare lab hosts and prints the time per stage (root)'
	@echo 'make bench-distribute  times how blobs get to 1, 8 and 32 hosts, in namespaces with shaped links (root)'
	@echo 'make bench-snapshot  times a snapshot of 1 GiB of etcd beside etcdctl'
	@echo 'make bench-hub  validates and plans 200 hosts, and prints time, memory and frames a second (root)'
	@echo 'make vagrant-check  two virtual machines by Vagrant, emulated, with the hosts prepared (root; Debian 12)'
	@echo 'make build      the static binary, in $(KUBEWRIGHT)'

packages:
	@scripts/packages.sh

build: packages
	rustup target add $(TARGET)
	cargo build --locked --release --target $(TARGET) --bin kubewright

# make-images NAME...: from images/NAME.yaml, all of them in one go, because that costs less than one after the other.
define make-images
	images/debian-12.sh $(1)
	scripts/lab-kernel.sh
	for name in $(1); do $(KUBEWRIGHT) image build images/$$name.yaml -o oci:$(IMAGES)/$$name || exit 1; done
endef

image: build
	$(call make-images,debian-12)

# What upgrades begin and end with.
images-of-soak: build
	$(call make-images,debian-12 debian-12-updates debian-12-minor)

test: image
	scripts/test.sh

test-unit:
	cargo test --locked --lib

soak: images-of-soak
	KUBEWRIGHT_LAB_SUITE=soak scripts/lab-suite.sh

bench: image
	scripts/bench-install.sh

bench-distribute: packages
	rustup target add $(TARGET)
	cargo build --locked --release --target $(TARGET) --example bench_distribute
	scripts/bench-distribute.sh

bench-snapshot: packages
	cargo build --locked --release --example bench_snapshot
	scripts/bench-snapshot.sh

bench-hub: image
	scripts/bench-hub.sh

demo: image
	scripts/demo.sh $(LAB)

demo-down:
	@if [ -x $(KUBEWRIGHT) ]; then $(KUBEWRIGHT) lab down --name $(LAB); else echo 'nothing is built, so there is no demo'; fi

vagrant-check: image
	scripts/vagrant-check.sh

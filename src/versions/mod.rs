//! Tables: what each minor of Kubernetes, etcd and containerd needs.

//! The Kubernetes API through a tunnel.

//! The inventory as written: YAML to a validated cluster.

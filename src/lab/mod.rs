//! Hosts on this machine, for demo, tests and CI.

//! SSH against real sshds on loopback. Each runs in a mount and PID namespace of its own, with its own accounts and
//! its own /var/lib, so the tests need root and leave nothing behind.
//!
//! Debian packages: openssh-server, openssh-client, sudo, tcsh, perl-base.

// Tests may; the lint's exception covers only functions that are tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod agents;
mod become_root;
mod command;
mod distribute;
mod host_keys;
mod jumps;
mod lost;
mod proxy;
mod reach;
mod requests;
mod server;
mod start;
mod tools;
mod tunnels;
mod user_keys;

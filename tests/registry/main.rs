//! Images in a real registry on loopback (Debian's docker-registry), with TLS and a password; skopeo reads what we wrote.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod archives;
mod build;
mod command;
mod image;
mod interrupted;
mod logins;
mod refusals;
mod server;
mod signatures;
mod transfers;

//! What makes a host out of the base image: a small archive on its second disk, unpacked at the first start. Nothing
//! of it is on the kernel's command line, where every process of the host could read it.

use std::fs;
use std::io::{self, Write};

use super::LabError;
use super::keys::{Keys, public_key, random_hex};
use super::topology::{GATEWAY, LabHost, PREFIX};

/// Logins beside root: name and user id, as customize.sh makes them.
const USERS: [(&str, u64); 2] = [("ops", 1000), ("opspw", 1001)];

/// The archive for one host.
pub(super) fn archive(host: &LabHost, keys: &Keys) -> Result<Vec<u8>, LabError> {
    let private = keys.host(&host.name);
    let host_key = fs::read_to_string(&private).map_err(LabError::file("read", &private))?;
    let login = format!("{}\n", public_key(&keys.login())?);
    let password = fs::read_to_string(keys.password()).map_err(LabError::file("read", keys.password()))?;
    let identity = Identity {
        host_key: &host_key,
        host_key_public: &public_key(&private)?,
        login: &login,
        password: password.trim(),
        machine_id: &random_hex()?,
    };
    write(Vec::new(), host, &identity).map_err(LabError::file("make", format!("the seed of {}", host.name)))
}

/// What is this host's own.
struct Identity<'a> {
    host_key: &'a str,
    host_key_public: &'a str,
    login: &'a str,
    password: &'a str,
    machine_id: &'a str,
}

fn write<W: Write>(out: W, host: &LabHost, identity: &Identity<'_>) -> io::Result<W> {
    let mut seed = Seed(tar::Builder::new(out));
    seed.file("etc/hostname", 0o644, 0, &format!("{}\n", host.name))?;
    // As an installer of operating systems leaves it: the host itself, and nobody else.
    seed.file("etc/hosts", 0o644, 0, &format!("127.0.0.1 localhost\n{} {}\n", host.address, host.name))?;
    seed.file("etc/machine-id", 0o444, 0, &format!("{}\n", identity.machine_id))?;
    seed.file("etc/systemd/network/10-lab.network", 0o644, 0, &network(host))?;
    seed.file("etc/ssh/ssh_host_ed25519_key", 0o600, 0, identity.host_key)?;
    seed.file("etc/ssh/ssh_host_ed25519_key.pub", 0o644, 0, &format!("{}\n", identity.host_key_public))?;
    seed.directory("root/.ssh", 0)?;
    seed.file("root/.ssh/authorized_keys", 0o600, 0, identity.login)?;
    for (user, id) in USERS {
        seed.directory(&format!("home/{user}/.ssh"), id)?;
        seed.file(&format!("home/{user}/.ssh/authorized_keys"), 0o600, id, identity.login)?;
    }
    // Lies in memory until the passwords are set, and is then removed.
    seed.file("run/lab-host/passwords", 0o600, 0, &format!("opspw:{}\n", identity.password))?;
    seed.0.into_inner()
}

fn network(host: &LabHost) -> String {
    format!(
        "[Match]\nName=vec0\n\n[Network]\nAddress={}/{PREFIX}\nGateway={GATEWAY}\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n",
        host.address
    )
}

struct Seed<W: Write>(tar::Builder<W>);

impl<W: Write> Seed<W> {
    fn file(&mut self, path: &str, mode: u32, owner: u64, content: &str) -> io::Result<()> {
        let mut header = header(tar::EntryType::Regular, mode, owner);
        header.set_size(content.len() as u64);
        self.0.append_data(&mut header, path, content.as_bytes())
    }

    fn directory(&mut self, path: &str, owner: u64) -> io::Result<()> {
        self.0.append_data(&mut header(tar::EntryType::Directory, 0o700, owner), path, io::empty())
    }
}

fn header(kind: tar::EntryType, mode: u32, owner: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(owner);
    header.set_gid(owner);
    header.set_size(0);
    header
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::lab::{Options, topology};

    #[test]
    fn a_seed_holds_the_identity_of_one_host() {
        let host = &topology::hosts(&Options::new("lab".parse().unwrap()))[1];
        let identity = Identity {
            host_key: "PRIVATE\n",
            host_key_public: "ssh-ed25519 HOST",
            login: "ssh-ed25519 LOGIN\n",
            password: "secret",
            machine_id: "0123456789abcdef0123456789abcdef",
        };
        let bytes = write(Vec::new(), host, &identity).unwrap();
        assert_eq!(bytes.len() % 512, 0, "a block device holds whole sectors");
        let mut listing = String::new();
        for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let header = entry.header();
            let line = (header.mode().unwrap(), header.uid().unwrap(), entry.path().unwrap().display().to_string());
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            listing.push_str(&format!(
                "{:04o} {} {}: {}\n",
                line.0,
                line.1,
                line.2,
                text.trim_end().replace('\n', " | ")
            ));
        }
        insta::assert_snapshot!(listing);
    }
}

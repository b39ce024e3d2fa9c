//! What is done about the membership of etcd on one host: its own member joins the others, and a member that is there
//! changes who belongs to them. Which step comes when is decided elsewhere.

use std::fmt;
use std::fs;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::atomic::{self, Attributes};
use super::machine::{Machine, found};
use super::protocol::Failure;
use super::restores::DATA;
use super::systemd;
use crate::desired::{ETCD_BOOTSTRAP, ETCD_JOINED};

const UNIT: &str = "etcd.service";
/// What the names of data that were put aside begin with.
const ASIDE: &str = "replaced-";

/// What a member is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberAct {
    /// Let the members know of one more, without a vote.
    Add {
        /// Its peer URL.
        peer_url: String,
    },
    /// Take a member out.
    Remove {
        /// Its id, hexadecimal.
        id: String,
    },
    /// Give a member its vote; refused while it lacks too much.
    Promote {
        /// Its id, hexadecimal.
        id: String,
    },
    /// Give the space of what is no longer there back to the disk. The member answers nothing meanwhile.
    Defragment,
    /// Write again, after there was no space for it.
    Disarm,
}

impl fmt::Display for MemberAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Add { .. } => "add a member of etcd",
            Self::Remove { .. } => "remove a member of etcd",
            Self::Promote { .. } => "promote a member of etcd",
            Self::Defragment => "defragment a member of etcd",
            Self::Disarm => "disarm an alarm of etcd",
        })
    }
}

/// How a member begins that is to join others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// All members with their peer URLs, this one included: `--initial-cluster`.
    pub initial_cluster: String,
}

/// Starts the member, which gets everything that it lacks from the others.
pub(super) fn join(machine: &Machine, join: &Join) -> Result<(), Failure> {
    let what = "join the members of etcd";
    let member = format!("{DATA}/member");
    if machine.exists(&member)? {
        let hint = "a member that joins has no data: move that directory away if nobody needs it, then run the same \
                    command again";
        return Err(Failure::new(what, format!("{member} is there")).hint(hint));
    }
    let stopped = systemd::systemctl(machine, what, &["stop", UNIT]);
    stopped?;
    let text = format!("ETCD_INITIAL_CLUSTER={}\nETCD_INITIAL_CLUSTER_STATE=existing\n", join.initial_cluster);
    let path = machine.root.at(ETCD_BOOTSTRAP);
    let written = atomic::write(&path, text.as_bytes(), Attributes { mode: 0o644, owner: None });
    written.map_err(|error| Failure::writing(what, &error, &path))?;
    // It has been here before; what it knew then is gone, and the others know that.
    let removed = found(fs::remove_file(machine.root.at(ETCD_JOINED)));
    removed.map_err(|error| Failure::new(format!("{what}: removing {ETCD_JOINED}"), error))?;
    systemd::systemctl(machine, what, &["enable", UNIT])?;
    systemd::systemctl(machine, what, &["start", UNIT]).map_err(|failure| {
        let log = systemd::journal(machine, UNIT);
        Failure { why: format!("{}\n{log}", failure.why), ..failure }
    })
}

/// Stops the member, which does not start again by itself, and puts what it has aside: what an earlier time has put there
/// goes.
pub(super) fn set_aside(machine: &Machine) -> Result<(), Failure> {
    let what = "put the data of a member of etcd aside";
    systemd::systemctl(machine, what, &["disable", UNIT])?;
    systemd::systemctl(machine, what, &["stop", UNIT])?;
    let data = machine.root.at(DATA);
    let moved = || {
        let Some(entries) = found(fs::read_dir(&data))? else { return Ok(()) };
        for entry in entries {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(ASIDE) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        let aside = data.join(format!("{ASIDE}{}", Timestamp::now().strftime("%Y%m%dT%H%M%SZ")));
        found(fs::rename(data.join("member"), aside))?;
        atomic::sync_directory(&data)
    };
    moved().map_err(|error| Failure::writing(format!("{what}, in {}", data.display()), &error, &data))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Scripted;
    use super::*;

    fn own() -> Join {
        Join { initial_cluster: "m1=https://10.0.0.1:2380,m2=https://10.0.0.2:2380".into() }
    }

    #[test]
    fn a_member_joins_without_data_only() {
        let host = Scripted::new();
        host.put("/etc/etcd/joined", "");
        for command in ["stop", "enable", "start"] {
            host.expect(&format!("systemctl {command} etcd.service"), "");
        }
        join(&host.machine, &own()).unwrap();
        let bootstrap = host.get("/etc/etcd/bootstrap.env");
        assert!(bootstrap.contains("ETCD_INITIAL_CLUSTER=m1=https://10.0.0.1:2380,m2="), "{bootstrap}");
        assert!(bootstrap.contains("ETCD_INITIAL_CLUSTER_STATE=existing\n"), "{bootstrap}");
        assert!(!host.machine.exists("/etc/etcd/joined").unwrap(), "it would not start");
        host.put("/var/lib/etcd/member/snap/db", "data");
        assert!(join(&host.machine, &own()).unwrap_err().to_string().contains("/var/lib/etcd/member is there"));
        assert_eq!(host.get("/var/lib/etcd/member/snap/db"), "data");
    }

    #[test]
    fn what_a_member_had_is_kept_once() {
        let host = Scripted::new();
        for (round, data) in ["first", "second"].into_iter().enumerate() {
            host.put("/var/lib/etcd/member/snap/db", data);
            for command in ["disable", "stop"] {
                host.expect(&format!("systemctl {command} etcd.service"), "");
            }
            set_aside(&host.machine).unwrap();
            let names = host.machine.names("/var/lib/etcd").unwrap();
            assert!(matches!(names.as_slice(), [one] if one.starts_with(ASIDE)), "round {round}: {names:?}");
            assert_eq!(host.get(&format!("/var/lib/etcd/{}/snap/db", names[0])), data);
        }
    }
}

//! What sysctl.d sets after kubewright's own file at boot, and so has the last word.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use super::super::machine::Machine;
use super::super::protocol::Failure;
use crate::cluster::{Facts, SettingLine, sysctl_key};

/// Where systemd looks for fragments: a name in an earlier directory hides the same name in a later one.
const DIRECTORIES: [&str; 5] =
    ["/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"];
/// Longer than any such file has a reason to be, in bytes.
const LIMIT: u64 = 1 << 20;
const OURS: &str = "95-kubewright.conf";

pub(super) fn gather(machine: &Machine, facts: &mut Facts) -> Result<(), Failure> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for directory in DIRECTORIES {
        for name in machine.names(directory)? {
            if name.ends_with(".conf") && name.as_str() > OURS {
                let path = format!("{directory}/{name}");
                files.entry(name).or_insert(path);
            }
        }
    }
    // All of them are read by name, whatever their directories.
    for path in files.into_values() {
        facts.later_sysctls.extend(lines(&path, &read(&machine.root.at(&path))));
    }
    Ok(())
}

/// The text of a file that others own, whatever it is: what systemd cannot read sets nothing, and devices and pipes are
/// never opened.
fn read(path: &Path) -> String {
    let mut bytes = Vec::new();
    if fs::metadata(path).is_ok_and(|meta| meta.is_file())
        && let Ok(file) = File::open(path)
    {
        let _ = file.take(LIMIT).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn lines(path: &str, text: &str) -> Vec<SettingLine> {
    let line = |(index, line): (usize, &str)| {
        let line = line.trim();
        if line.starts_with(['#', ';']) {
            return None;
        }
        let (key, value) = line.split_once('=')?;
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        // `-key` ignores errors; the value counts all the same.
        let key = sysctl_key(key.trim().trim_start_matches('-'));
        Some(SettingLine { file: path.to_owned(), line: index + 1, key, value })
    };
    text.lines().enumerate().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Scripted;
    use super::*;

    #[test]
    fn only_what_is_read_later_counts_and_a_name_counts_once() {
        let host = Scripted::new();
        host.put("/etc/sysctl.d/10-early.conf", "net.core.somaxconn = 1\n");
        host.put("/etc/sysctl.d/95-kubewright.conf", "net.core.somaxconn = 32768\n");
        host.put(
            "/etc/sysctl.d/99-local.conf",
            "# ours\n\n-net/core/somaxconn=128\nvm.swappiness\t=\t60 \n; x = y\nbroken\n",
        );
        host.put("/usr/lib/sysctl.d/99-local.conf", "hidden = 1\n");
        host.put("/usr/lib/sysctl.d/98-vendor.conf", "net/ipv4/conf/eth0.100/rp_filter = 2\n");
        host.put("/usr/lib/sysctl.d/99-notes.txt", "a = b\n");
        std::fs::write(host.at("/etc/sysctl.d/98-latin1.conf"), b"# r\xe9glage\nkernel.x = 1\n").unwrap();
        for (name, target) in
            [("zz-zero", "/dev/zero"), ("zz-null", "/dev/null"), ("zz-loop", "zz-loop.conf"), ("zz-gone", "gone")]
        {
            std::os::unix::fs::symlink(target, host.at(&format!("/etc/sysctl.d/{name}.conf"))).unwrap();
        }
        std::fs::create_dir(host.at("/etc/sysctl.d/zz-directory.conf")).unwrap();
        nix::unistd::mkfifo(&host.at("/etc/sysctl.d/zz-fifo.conf"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let mut facts = Facts::default();
        gather(&host.machine, &mut facts).unwrap();
        let seen: Vec<String> = facts
            .later_sysctls
            .iter()
            .map(|line| format!("{}:{} {} = {}", line.file, line.line, line.key, line.value))
            .collect();
        assert_eq!(
            seen,
            [
                "/etc/sysctl.d/98-latin1.conf:2 kernel.x = 1",
                "/usr/lib/sysctl.d/98-vendor.conf:1 net.ipv4.conf.eth0/100.rp_filter = 2",
                "/etc/sysctl.d/99-local.conf:3 net.core.somaxconn = 128",
                "/etc/sysctl.d/99-local.conf:4 vm.swappiness = 60",
            ]
        );
    }
}

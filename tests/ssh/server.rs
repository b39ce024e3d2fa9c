//! A real sshd with accounts of its own.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::command::{command, run};
use crate::tools::{key, public};

/// The password of `ops` and `tty`: `correct horse`, as crypt(3) has it.
const PASSWORD_HASH: &str =
    "$6$kubewright$EBMYDFvRWHAtJrs3Dvkr.koHHRF3SHCPlF2Hyhv5i67iIfuxKc6gQ0gbSYIpzD1Z3fcb0KQ4L46IoFsx1z6Jl.";
pub(crate) const PASSWORD: &str = "correct horse";

/// Login name, login shell, line of sudoers.
const ACCOUNTS: &[(&str, &str, &str)] = &[
    ("ops", "/bin/bash", "ops ALL=(ALL) ALL"),
    ("free", "/bin/sh", "free ALL=(ALL) NOPASSWD: ALL"),
    ("tty", "/bin/sh", "Defaults:tty requiretty\ntty ALL=(ALL) NOPASSWD: ALL"),
    ("csh", "/bin/tcsh", "csh ALL=(ALL) NOPASSWD: ALL"),
    ("plain", "/bin/sh", ""),
    ("without", "/bin/bash", ""),
    ("closed", "/usr/sbin/nologin", ""),
];

/// A running sshd; ends with this value, and so does all that it started.
pub(crate) struct Server {
    directory: TempDir,
    pub(crate) port: u16,
    child: Child,
}

impl Server {
    /// With one ed25519 host key, for which the user's ed25519 key is good for every account.
    pub(crate) fn start() -> Self {
        Self::with(&["ed25519"], "")
    }

    /// With host keys of `types` and further lines of sshd_config; `DIR` in them is the server's directory.
    pub(crate) fn with(types: &[&str], config: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for kind in types {
            key(directory.path(), &format!("host_{kind}"), &["-t", kind]);
        }
        let user = key(directory.path(), "user", &["-t", "ed25519"]);
        fs::copy(user.with_extension("pub"), directory.path().join("authorized_keys")).unwrap();
        Self::in_directory(directory, types, config)
    }

    /// With what is prepared in `directory`: `host_TYPE` keys, `authorized_keys`.
    pub(crate) fn in_directory(directory: TempDir, types: &[&str], config: &str) -> Self {
        assert!(
            nix::unistd::geteuid().is_root(),
            "run these tests as root: each sshd gets a mount namespace of its own"
        );
        let path = directory.path();
        // sshd reads authorized_keys as the user who logs in.
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        accounts(path);
        let host_keys: String = types.iter().map(|kind| format!("HostKey DIR/host_{kind}\n")).collect();
        let port = free_port();
        // The first value counts.
        let text = format!("{config}\n{BASE}{host_keys}Port {port}\n").replace("DIR", path.to_str().unwrap());
        fs::write(path.join("sshd_config"), text).unwrap();
        let setup = SETUP.replace("DIR", path.to_str().unwrap());
        // Whatever happens to this process, sshd ends with it.
        let child = command("setpriv")
            .args([
                "--pdeathsig",
                "KILL",
                "unshare",
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
                "sh",
                "-ec",
                &setup,
            ])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Self { directory, port, child };
        server.wait();
        server
    }

    fn wait(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "sshd does not run ({ended:?}): {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// What is /var/lib for the server.
    pub(crate) fn var_lib(&self) -> PathBuf {
        self.path().join("var_lib")
    }

    /// A home directory there.
    pub(crate) fn home(&self, user: &str) -> PathBuf {
        self.path().join("home").join(user)
    }

    pub(crate) fn user_key(&self) -> PathBuf {
        self.path().join("user")
    }

    pub(crate) fn host_key(&self, kind: &str) -> String {
        public(&self.path().join(format!("host_{kind}")))
    }

    /// What known_hosts should have for a server with an ed25519 key.
    pub(crate) fn known_hosts_line(&self) -> String {
        format!("[127.0.0.1]:{} {}\n", self.port, self.host_key("ed25519"))
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path().join("sshd.log")).unwrap_or_default()
    }

    /// Ends it at once, as a power cut would, but for the kernel's goodbye.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

const BASE: &str = "ListenAddress 127.0.0.1
AuthorizedKeysFile DIR/authorized_keys
PidFile none
StrictModes no
UsePAM no
UseDNS no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 100
";

const SETUP: &str = "mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/sshd
mount --bind DIR/var_lib /var/lib
for file in passwd group shadow sudoers; do mount --bind DIR/etc/$file /etc/$file; done
exec /usr/sbin/sshd -D -e -f DIR/sshd_config 2>DIR/sshd.log
";

fn accounts(directory: &Path) {
    for name in ["etc", "home", "home/root", "var_lib", "sh-only"] {
        fs::create_dir(directory.join(name)).unwrap();
    }
    std::os::unix::fs::symlink("/bin/sh", directory.join("sh-only/sh")).unwrap();
    let home = |name: &str| directory.join("home").join(name).display().to_string();
    let mut passwd = format!("root:x:0:0::{}:/bin/bash\nsshd:x:105:65534::/run/sshd:/usr/sbin/nologin\n", home("root"));
    let mut shadow = "root:*:1::::::\nsshd:*:1::::::\n".to_owned();
    let mut sudoers = "Defaults env_reset\nDefaults use_pty\nroot ALL=(ALL) ALL\n".to_owned();
    for ((name, shell, sudo), id) in ACCOUNTS.iter().zip(2001..) {
        passwd.push_str(&format!("{name}:x:{id}:{id}::{}:{shell}\n", home(name)));
        shadow.push_str(&format!("{name}:{PASSWORD_HASH}:19000::::::\n"));
        sudoers.push_str(&format!("{sudo}\n"));
        fs::create_dir(home(name)).unwrap();
    }
    let no_sudo = format!("export PATH={}/sh-only\n", directory.display());
    fs::write(directory.join("home/without/.bashrc"), no_sudo).unwrap();
    for (name, text, mode) in [
        ("passwd", passwd, 0o644),
        ("group", "root:x:0:\n".into(), 0o644),
        ("shadow", shadow, 0o600),
        ("sudoers", sudoers, 0o440),
    ] {
        let path = directory.join("etc").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    // sudo and the login shells are found by their path; say which package is missing, if one is.
    for program in ["sshd", "sudo", "tcsh", "perl"] {
        let _ = command(program);
    }
    let _ = run("sh", &["-c", "true"]);
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

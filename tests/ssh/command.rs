//! The door to processes for these tests.

use std::process::Command;

/// `program`, which must be there: a test that cannot run fails, and says what is missing.
// The daemons under test and the tools that make their keys are processes; nothing else in these tests starts any.
#[allow(clippy::disallowed_methods)]
pub(crate) fn command(program: &str) -> Command {
    let found = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(|directory| format!("{directory}/{program}"));
    let Some(path) = found.iter().find(|path| std::path::Path::new(path).exists()) else {
        let package = match program {
            "sshd" => "openssh-server",
            "ssh-keygen" | "ssh-agent" | "ssh-add" => "openssh-client",
            "setpriv" | "unshare" => "util-linux",
            other => other,
        };
        panic!("{program} is missing: apt-get install {package}");
    };
    Command::new(path)
}

/// Runs `program` with `arguments` and returns what it prints.
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = command(program).args(arguments).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {arguments:?}: {out}{err}");
    out.into_owned()
}

//! Waiting until hosts answer.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::error::for_each;
use super::machine::Machine;
use super::namespace::Namespace;
use super::topology::LabHost;
use super::{LabError, Progress, command, files};

/// How long a host may take from power on until it answers.
const DEADLINE: Duration = Duration::from_secs(180);
const PAUSE: Duration = Duration::from_millis(250);

/// Waits until every host sends the first line of SSH; those that do not are reported together, each with the end of
/// its console.
pub(super) fn until_ssh(
    namespace: &Namespace,
    hosts: &[(LabHost, Machine)],
    progress: Progress<'_>,
) -> Result<(), LabError> {
    let begin = Instant::now();
    namespace.run(|| for_each(hosts, |(host, machine)| wait(host, machine, begin, progress)))?
}

fn wait(host: &LabHost, machine: &Machine, begin: Instant, progress: Progress<'_>) -> Result<(), LabError> {
    let address = SocketAddr::from((host.address, 22));
    let mut waited = false;
    loop {
        let Err(why) = banner(address) else {
            if waited {
                progress(&format!("{} answers ({:.0} s)", host.name, begin.elapsed().as_secs_f32()));
            }
            return Ok(());
        };
        waited = true;
        if !machine.is_supervised() {
            return Err(trouble(host, machine, "has stopped"));
        }
        if begin.elapsed() > DEADLINE {
            return Err(trouble(host, machine, &format!("does not answer after {} s ({why})", DEADLINE.as_secs())));
        }
        std::thread::sleep(PAUSE);
    }
}

/// What a server of SSH says first.
fn banner(address: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(2))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut first = [0; 4];
    stream.read_exact(&mut first)?;
    match &first {
        b"SSH-" => Ok(()),
        other => Err(std::io::Error::other(format!("it says {:?} instead of SSH-", other.escape_ascii().to_string()))),
    }
}

fn trouble(host: &LabHost, machine: &Machine, what: &str) -> LabError {
    let show = |path: std::path::PathBuf, lines| {
        let text = plain(&command::tail(&files::end_of(&path, 0), lines));
        format!("--- the end of {}\n{text}\n", path.display())
    };
    let text =
        format!("{} ({}) {what}\n", host.name, host.address) + &show(machine.console(), 15) + &show(machine.log(), 5);
    LabError::Hosts { troubles: vec![text] }
}

/// A console's text without colours and other commands to a terminal.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c == '\u{1b}' {
            if rest.next_if_eq(&'[').is_some() {
                let _ = rest.by_ref().find(|c| matches!(c, '@'..='~'));
            } else {
                rest.next();
            }
        } else if c == '\n' || c == '\t' || !c.is_control() {
            plain.push(c);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn only_ssh_is_an_answer() {
        for (says, good) in [("SSH-2.0-OpenSSH_9.2\r\n", true), ("HTTP/1.1 200\r\n", false), ("", false)] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let server = std::thread::spawn(move || listener.accept().unwrap().0.write_all(says.as_bytes()));
            assert_eq!(banner(address).is_ok(), good, "{says:?}");
            server.join().unwrap().unwrap();
        }
    }

    #[test]
    fn a_console_is_shown_without_commands_to_the_terminal() {
        assert_eq!(plain("[\u{1b}[0;32m  OK  \u{1b}[0m] Started\u{7}\r\nx\u{1b}]"), "[  OK  ] Started\nx");
        assert_eq!(plain("\u{1b}[0;1;"), "");
    }
}

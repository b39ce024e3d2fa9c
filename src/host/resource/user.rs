//! A system user with a group of its own, made by systemd-sysusers: it is wherever systemd is, and the file that it
//! reads makes the user again on a host that is restored without /etc/passwd.

use std::time::Duration;

use super::super::atomic::{self, Attributes};
use super::super::command::Command;
use super::super::protocol::{Action, Failure};
use super::{Context, Observe, Observed, Pending};
use crate::desired::state::User;

impl Observe for User {
    fn observe<'a>(&'a self, cx: &Context) -> Observed<'a> {
        let accounts = cx.accounts()?;
        let missing = match (accounts.user(&self.name), accounts.group(&self.name)) {
            (Some(_), Some(_)) => return Ok(Vec::new()),
            (None, Some(_)) => "new user",
            (Some(_), None) => "new group",
            (None, None) => "new user and group",
        };
        Ok(vec![Pending::new(self.title(), Action::Create, missing, |cx| self.make(cx))])
    }
}

impl User {
    fn title(&self) -> String {
        format!("user {}", self.name)
    }

    fn make(&self, cx: &Context) -> Result<(), Failure> {
        // A name without a directory: only so is it looked for below another root.
        let name = format!("kubewright-{}.conf", self.name);
        let file = format!("/etc/sysusers.d/{name}");
        let content =
            format!("g {user} -\nu {user} - \"kubewright {user}\" {home}\n", user = self.name, home = self.home);
        let path = cx.machine.root.at(&file);
        cx.make_parents(&self.title(), &path)?;
        atomic::write(&path, content.as_bytes(), Attributes { mode: 0o644, owner: None })
            .map_err(|error| Failure::new(format!("{}: writing {file}", self.title()), error))?;
        let mut command = Command::new("systemd-sysusers").deadline(Duration::from_secs(120));
        if !cx.machine.root.is_live() {
            command = command.arg(format!("--root={}", cx.machine.root.directory().display()));
        }
        cx.run(&self.title(), &command.arg(name))?;
        cx.forget_accounts();
        let accounts = cx.accounts()?;
        if accounts.user(&self.name).is_some() && accounts.group(&self.name).is_some() {
            return Ok(());
        }
        let why = "systemd-sysusers reported success, but there is no such user and group afterwards";
        Err(Failure::new(self.title(), why).hint("look for a lock on /etc/passwd, or make the user by hand"))
    }
}

//! Logins: the cluster's `ssh` section, overridden field by field by the host's own.

use std::path::PathBuf;

use crate::cluster::{Become, Jump, SecretSource, SshTarget};
use crate::inventory::named_files::Holds;
use crate::inventory::problems::Fault;
use crate::inventory::spec::{BecomeMethod, SpecBastion, SpecBecomePassword, SpecHop, SpecSsh};
use crate::inventory::tree::Path;

use super::{Context, files, words};

/// The two sections that a login comes from, the host's own first.
pub(super) struct Sections<'s> {
    own: (SpecSsh, Path),
    common: (&'s SpecSsh, Path),
}

impl<'s> Sections<'s> {
    /// The sections of the host at `host`.
    pub(super) fn new(own: Option<&SpecSsh>, host: &Path, common: &'s SpecSsh) -> Self {
        Self { own: (own.cloned().unwrap_or_default(), host.key("ssh")), common: (common, Path::of("spec.ssh")) }
    }

    /// The field where it is set, with its place.
    fn pick<'t, T>(&'t self, key: &str, field: impl Fn(&'t SpecSsh) -> Option<&'t T>) -> Option<(&'t T, Path)> {
        let own = field(&self.own.0).map(|value| (value, self.own.1.key(key)));
        own.or_else(|| field(self.common.0).map(|value| (value, self.common.1.key(key))))
    }

    /// How to log in, at `host`.
    pub(super) fn target(&self, host: String, context: &mut Context<'_>) -> SshTarget {
        let user = self.pick("user", |ssh| ssh.user.as_ref());
        let user =
            user.and_then(|(user, path)| context.take(&path, words::user(user))).unwrap_or_else(|| "root".into());
        SshTarget {
            host,
            port: self.pick("port", |ssh| ssh.port.as_ref()).map_or(22, |(port, _)| *port),
            identity_files: self.identity_files(context),
            identities_only: self
                .pick("identitiesOnly", |ssh| ssh.identities_only.as_ref())
                .is_some_and(|(only, _)| *only),
            become_root: self.become_root(&user, context),
            jumps: self.jumps(&user, context),
            host_keys: self
                .pick("hostKeys", |ssh| ssh.host_keys.as_ref())
                .map_or_else(Vec::new, |(keys, path)| host_keys(keys, &path, context)),
            user,
        }
    }

    fn identity_files(&self, context: &mut Context<'_>) -> Vec<PathBuf> {
        let sections = [(&self.own.0, &self.own.1), (self.common.0, &self.common.1)];
        for (ssh, path) in sections {
            if let (Some(_), Some(_)) = (&ssh.identity_file, &ssh.identity_files) {
                let fault = Fault::new("`identityFile` and `identityFiles` are both set", "keep one of them");
                context.key_fault(&path.key("identityFile"), fault);
            }
            if let Some(file) = &ssh.identity_file {
                return files::named(file, &path.key("identityFile"), Holds::Secrets, context).into_iter().collect();
            }
            if let Some(all) = &ssh.identity_files {
                let path = path.key("identityFiles");
                let files = all.iter().enumerate();
                return files
                    .filter_map(|(index, file)| files::named(file, &path.index(index), Holds::Secrets, context))
                    .collect();
            }
        }
        Vec::new()
    }

    fn become_root(&self, user: &str, context: &mut Context<'_>) -> Become {
        let method = self.pick("become", |ssh| ssh.r#become.as_ref());
        let password = self.pick("becomePassword", |ssh| ssh.become_password.as_ref());
        match (method, password) {
            (Some((BecomeMethod::Root, path)), _) if user != "root" => {
                let message = format!("the login user is {user}, not root");
                context.fault(&path, Fault::new(message, "write `become: sudo`, or log in as root"));
                Become::Root
            }
            (Some((BecomeMethod::Root, _)), Some((_, path))) if path == self.own.1.key("becomePassword") => {
                let fault = Fault::new("`becomePassword` has no use with `become: root`", "remove one of the two");
                context.key_fault(&path, fault);
                Become::Root
            }
            (Some((BecomeMethod::Root, _)), _) => Become::Root,
            (None, None) if user == "root" => Become::Root,
            (_, password) => {
                Become::Sudo { password: password.and_then(|(password, path)| source(password, &path, context)) }
            }
        }
    }

    fn jumps(&self, user: &str, context: &mut Context<'_>) -> Vec<Jump> {
        match self.pick("bastion", |ssh| ssh.bastion.as_ref()) {
            None => Vec::new(),
            Some((SpecBastion::One(hop), path)) => jump(hop, &path, user, context).into_iter().collect(),
            Some((SpecBastion::Many(hops), path)) => hops
                .iter()
                .enumerate()
                .filter_map(|(index, hop)| jump(hop, &path.index(index), user, context))
                .collect(),
        }
    }
}

fn jump(hop: &SpecHop, path: &Path, login: &str, context: &mut Context<'_>) -> Option<Jump> {
    match hop {
        SpecHop::Text(text) => {
            let (user, host, port) = context.take(path, words::login(text))?;
            Some(Jump {
                user: user.unwrap_or_else(|| login.to_owned()),
                host,
                port: port.unwrap_or(22),
                host_keys: Vec::new(),
            })
        }
        SpecHop::Fields(hop) => {
            let user = hop.user.as_ref().and_then(|user| context.take(&path.key("user"), words::user(user)));
            let host = context.take(&path.key("host"), words::dial(hop.host.as_deref()?))?;
            let keys = hop.host_keys.as_ref();
            Some(Jump {
                user: user.unwrap_or_else(|| login.to_owned()),
                host,
                port: hop.port.unwrap_or(22),
                host_keys: keys.map_or_else(Vec::new, |keys| host_keys(keys, &path.key("hostKeys"), context)),
            })
        }
    }
}

fn host_keys(keys: &[String], path: &Path, context: &mut Context<'_>) -> Vec<String> {
    if keys.is_empty() {
        context.fault(path, Fault::new("the list of host keys is empty", "name a key, or remove the field"));
    }
    keys.iter().enumerate().filter_map(|(index, key)| context.take(&path.index(index), words::host_key(key))).collect()
}

/// Messages here never show what was written: it may be the password itself.
fn source(password: &SpecBecomePassword, path: &Path, context: &mut Context<'_>) -> Option<SecretSource> {
    let hint = "write one of `env: NAME`, `file: PATH` and `prompt: true`";
    match (&password.env, &password.file, password.prompt) {
        (Some(name), None, None) => {
            let first = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
            if first && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Some(SecretSource::Environment(name.clone()));
            }
            let hint = "name the variable that holds the password; the password itself does not belong here";
            context.fault(&path.key("env"), Fault::new("not the name of an environment variable", hint));
        }
        (None, Some(file), None) => match files::resolve(file, context) {
            Ok(file) => {
                files::note(file.clone(), &path.key("file"), Holds::Password, context);
                return Some(SecretSource::File(file));
            }
            Err(_) => {
                let fault = Fault::new("not the path of a file", "write the path of a file that holds the password");
                context.fault(&path.key("file"), fault);
            }
        },
        (None, None, Some(true)) => return Some(SecretSource::Prompt),
        (None, None, Some(false)) => {
            context.fault(&path.key("prompt"), Fault::new("`prompt: false` names no source", hint));
        }
        (None, None, None) => context.key_fault(path, Fault::new("`becomePassword` names no source", hint)),
        _ => context.key_fault(path, Fault::new("`becomePassword` names several sources", hint)),
    }
    None
}

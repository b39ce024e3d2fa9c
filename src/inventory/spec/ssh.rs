//! Logins as written.

use schemars::JsonSchema;
use serde::Deserialize;

/// How to log in. Secrets are named here, never written: a variable, a file, or a question at the terminal.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecSsh {
    /// Name or address to dial, for a host that is reached by another one than its `address`. Only in a host's own `ssh`;
    /// one for all, or a range as long as that of the name.
    pub(in crate::inventory) host: Option<String>,
    /// TCP port.
    #[schemars(range(min = 1), extend("default" = 22))]
    pub(in crate::inventory) port: Option<u16>,
    /// Login name.
    #[schemars(extend("default" = "root"))]
    pub(in crate::inventory) user: Option<String>,
    /// Private key; by default those of the agent, then the usual files in `~/.ssh`. Relative paths start at the directory
    /// of the inventory.
    pub(in crate::inventory) identity_file: Option<String>,
    /// Several private keys, tried in order; instead of `identityFile`.
    pub(in crate::inventory) identity_files: Option<Vec<String>>,
    /// Offer only the keys named here, even when an agent has more.
    #[schemars(extend("default" = false))]
    pub(in crate::inventory) identities_only: Option<bool>,
    /// How to become root: by default `root` for the user root, and `sudo` for any other.
    pub(in crate::inventory) r#become: Option<BecomeMethod>,
    /// Where the password for sudo comes from; by default sudo is expected to ask for none.
    pub(in crate::inventory) become_password: Option<SpecBecomePassword>,
    /// Host to go through, `user@host:port`, or several, nearest first. An empty list means none.
    pub(in crate::inventory) bastion: Option<SpecBastion>,
    /// Host keys to accept, as `ssh-ed25519 AAAA…`. When given, known_hosts files are not asked.
    pub(in crate::inventory) host_keys: Option<Vec<String>>,
}

/// How to become root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::inventory) enum BecomeMethod {
    /// The login user is root.
    Root,
    /// With sudo.
    Sudo,
}

/// Where a password comes from: one of these.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct SpecBecomePassword {
    /// Name of an environment variable that holds it.
    pub(in crate::inventory) env: Option<String>,
    /// File that holds it, on the machine where kubewright runs.
    pub(in crate::inventory) file: Option<String>,
    /// `true` to be asked on the terminal.
    pub(in crate::inventory) prompt: Option<bool>,
}

/// One bastion or several.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::inventory) enum SpecBastion {
    /// One.
    One(SpecHop),
    /// Several, nearest first.
    Many(Vec<SpecHop>),
}

/// A bastion.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::inventory) enum SpecHop {
    /// `user@host:port`; user and port may be left out.
    Text(String),
    /// The same in fields.
    Fields(BastionHop),
}

/// A bastion in fields.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::inventory) struct BastionHop {
    /// Name or address.
    #[schemars(required)]
    pub(in crate::inventory) host: Option<String>,
    /// TCP port.
    #[schemars(range(min = 1), extend("default" = 22))]
    pub(in crate::inventory) port: Option<u16>,
    /// Login name; by default that of the host behind.
    pub(in crate::inventory) user: Option<String>,
    /// Host keys to accept, as `ssh-ed25519 AAAA…`. When given, known_hosts files are not asked.
    pub(in crate::inventory) host_keys: Option<Vec<String>>,
}

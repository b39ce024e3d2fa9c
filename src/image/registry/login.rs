//! How one logs in to a registry.

/// How one logs in.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    Password {
        user: String,
        password: String,
    },
    /// Given to the token server in place of a password.
    IdentityToken(String),
    /// Given to the registry as it is.
    RegistryToken(String),
}

/// Without what is secret.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Password { .. } => "Password",
            Self::IdentityToken(_) => "IdentityToken",
            Self::RegistryToken(_) => "RegistryToken",
        })
    }
}

impl Credentials {
    /// Who that is, for errors.
    pub(super) fn account(&self) -> String {
        match self {
            Self::Password { user, .. } => format!("as {user:?}"),
            Self::IdentityToken(_) | Self::RegistryToken(_) => "with a token".to_owned(),
        }
    }
}

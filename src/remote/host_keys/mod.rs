//! Host keys: what is known of a server, and whether the key it shows fits.
//!
//! russh's own reading of known_hosts accepts revoked keys and knows neither authorities nor patterns; this follows
//! sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT". Everything but [`store`] is pure.

mod certificate;
mod expectation;
mod explain;
mod line;
mod pattern;
mod preference;
mod record;
mod store;

pub(super) use expectation::Expectation;
pub(super) use explain::Refusal;
pub(super) use preference::Preference;
pub(super) use store::HostKeys;

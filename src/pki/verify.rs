//! Whether an existing certificate may stay.

use std::collections::BTreeSet;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;
use x509_parser::x509::X509Name;

use super::authority::Material;
use super::table::Leaf;
use super::{Identity, read};

/// When a certificate that is still valid is issued anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Renewal {
    /// When less than 30 days remain of it, or less than a sixth of its lifetime.
    #[default]
    Due,
    /// When less than 180 days remain of it, or less than half of its lifetime: on the occasion of an upgrade, which
    /// restarts its readers anyway.
    Early,
}

impl Renewal {
    /// How much must remain of a certificate that was issued for `lifetime`.
    fn spare(self, lifetime: SignedDuration) -> SignedDuration {
        let days = |days: i64| SignedDuration::from_hours(days * 24);
        match self {
            Self::Due => (lifetime / 6).min(days(30)),
            Self::Early => (lifetime / 2).min(days(180)),
        }
    }
}

/// Why a certificate is issued anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stale {
    /// There is none.
    Missing,
    /// There is something, but it cannot be read.
    Unreadable(String),
    /// Its key is another's.
    Mismatch,
    /// The CA did not sign it, or with a digest that nobody accepts any more.
    Issuer(&'static str),
    /// It is another user's.
    Subject { wanted: String, found: String },
    /// It is for something else.
    Usage,
    /// Names are missing, or there are foreign ones.
    Names { missing: Vec<String>, foreign: Vec<String> },
    /// It is of the future.
    NotYetValid(Timestamp),
    /// It ends soon, or has ended.
    Expires(Timestamp),
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there is none"),
            Self::Unreadable(why) => f.write_str(why),
            Self::Mismatch => f.write_str("its key does not belong to it"),
            Self::Issuer(why) => f.write_str(why),
            Self::Subject { wanted, found } => write!(f, "its subject is {found}, wanted is {wanted}"),
            Self::Usage => f.write_str("its extended key usage is not the wanted one"),
            Self::Names { missing, foreign } => {
                let mut parts = Vec::new();
                if !missing.is_empty() {
                    parts.push(format!("it lacks {}", missing.join(", ")));
                }
                if !foreign.is_empty() {
                    parts.push(format!("it should not name {}", foreign.join(", ")));
                }
                f.write_str(&parts.join("; "))
            }
            Self::NotYetValid(from) => write!(f, "it is valid from {from} only"),
            Self::Expires(end) => write!(f, "it expires at {end}"),
        }
    }
}

/// Whether `identity` is what `leaf` asks for, signed by `authority`, and good for some time from `now`.
pub(super) fn check(
    identity: &Identity,
    leaf: &Leaf,
    authority: &Material,
    now: Timestamp,
    renewal: Renewal,
) -> Result<(), Stale> {
    let ders = read::certificates(&identity.certificate).map_err(Stale::Unreadable)?;
    let certificate = read::certificate(&ders[0]).map_err(Stale::Unreadable)?;
    let key = read::key(&identity.key).map_err(Stale::Unreadable)?;
    if !read::belongs(&key, &certificate) {
        return Err(Stale::Mismatch);
    }
    issuer(&certificate, authority)?;
    subject(&certificate, leaf)?;
    usage(&certificate, leaf)?;
    names(&certificate, leaf)?;
    validity(&certificate, now, renewal)
}

fn issuer(certificate: &X509Certificate<'_>, authority: &Material) -> Result<(), Stale> {
    // Signatures with MD5 or SHA-1 verify here; Go has refused them since 1.18.
    let algorithm = certificate.signature_algorithm.algorithm.to_id_string();
    if ["1.2.840.113549.1.1.4", "1.2.840.113549.1.1.5", "1.3.14.3.2.29", "1.2.840.10045.4.1"].contains(&&*algorithm) {
        return Err(Stale::Issuer("it is signed with an outdated digest"));
    }
    let signed = authority.trusted.iter().filter_map(|der| read::certificate(der).ok()).any(|trusted| {
        trusted.subject().as_raw() == certificate.issuer().as_raw()
            && certificate.verify_signature(Some(trusted.public_key())).is_ok()
    });
    if signed { Ok(()) } else { Err(Stale::Issuer("it is not signed by the CA")) }
}

fn subject(certificate: &X509Certificate<'_>, leaf: &Leaf) -> Result<(), Stale> {
    let found = (common_names(certificate.subject()), organisations(certificate.subject()));
    let wanted = (vec![leaf.common_name.as_str()], leaf.organisation.into_iter().collect::<Vec<_>>());
    if found == wanted {
        return Ok(());
    }
    let text = |(names, groups): (Vec<&str>, Vec<&str>)| format!("CN={} O={}", names.join("+"), groups.join("+"));
    Err(Stale::Subject { wanted: text(wanted), found: text(found) })
}

fn common_names<'a>(name: &'a X509Name<'_>) -> Vec<&'a str> {
    name.iter_common_name().map(|value| value.as_str().unwrap_or("?")).collect()
}

fn organisations<'a>(name: &'a X509Name<'_>) -> Vec<&'a str> {
    name.iter_organization().map(|value| value.as_str().unwrap_or("?")).collect()
}

fn usage(certificate: &X509Certificate<'_>, leaf: &Leaf) -> Result<(), Stale> {
    let Ok(Some(usage)) = certificate.extended_key_usage() else {
        return Err(Stale::Usage);
    };
    let found = (usage.value.server_auth, usage.value.client_auth);
    let right = !certificate.is_ca() && found == (leaf.usage.server(), leaf.usage.client());
    if right { Ok(()) } else { Err(Stale::Usage) }
}

fn names(certificate: &X509Certificate<'_>, leaf: &Leaf) -> Result<(), Stale> {
    let Ok(extension) = certificate.subject_alternative_name() else {
        return Err(Stale::Unreadable("its subject alternative names are damaged".into()));
    };
    let found: BTreeSet<String> =
        extension.map(|extension| extension.value.general_names.iter().map(name).collect()).unwrap_or_default();
    let wanted: BTreeSet<String> = leaf.names.iter().map(ToString::to_string).collect();
    let missing: Vec<String> = wanted.difference(&found).cloned().collect();
    let foreign: Vec<String> = found.difference(&wanted).cloned().collect();
    if missing.is_empty() && foreign.is_empty() { Ok(()) } else { Err(Stale::Names { missing, foreign }) }
}

/// The name as [`super::San`] writes it.
fn name(name: &GeneralName<'_>) -> String {
    let address = |bytes: &[u8]| match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(std::net::IpAddr::from),
        _ => <[u8; 16]>::try_from(bytes).ok().map(std::net::IpAddr::from),
    };
    match name {
        GeneralName::DNSName(text) => format!("DNS:{}", text.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => address(bytes).map_or("a damaged address".into(), |ip| format!("IP:{ip}")),
        _ => "something that is neither a DNS name nor an address".into(),
    }
}

fn validity(certificate: &X509Certificate<'_>, now: Timestamp, renewal: Renewal) -> Result<(), Stale> {
    let moment = |second: i64| Timestamp::from_second(second).map_err(|error| Stale::Unreadable(error.to_string()));
    let validity = certificate.validity();
    let (from, end) = (moment(validity.not_before.timestamp())?, moment(validity.not_after.timestamp())?);
    if from > now {
        return Err(Stale::NotYetValid(from));
    }
    if end.duration_since(now) > renewal.spare(end.duration_since(from)) { Ok(()) } else { Err(Stale::Expires(end)) }
}

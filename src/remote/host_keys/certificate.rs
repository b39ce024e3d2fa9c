//! Whether a host certificate, signed by an authority that we trust for the host, is good for it.
//!
//! russh verifies only that the server holds the certificate's key.

use russh::keys::{Certificate, HashAlg};

use super::pattern::glob;

/// Checks everything but the trust in the authority. `now` is in seconds since the epoch.
pub(super) fn check(certificate: &Certificate, host: &str, now: u64) -> Result<(), String> {
    if !certificate.cert_type().is_host() {
        return Err("it is the certificate of a user, not of a host".into());
    }
    let (after, before) = (certificate.valid_after(), certificate.valid_before());
    if now < after {
        return Err(format!("it is not valid before {}", date(after)));
    }
    if now >= before {
        return Err(format!("it expired at {}", date(before)));
    }
    // Without any principal it would be good for every host of the authority; nobody means that.
    let principals = certificate.valid_principals();
    if !principals.iter().any(|principal| glob(&principal.to_lowercase(), host)) {
        return Err(match principals {
            [] => "it names no host".to_owned(),
            names => format!("it is for {}, not for {host}", names.join(", ")),
        });
    }
    if let Some((option, _)) = certificate.critical_options().iter().next() {
        return Err(format!("it has the critical option {option}, which has no meaning for hosts"));
    }
    let authority = certificate.signature_key().fingerprint(HashAlg::Sha256);
    certificate.validate_at(now, [&authority]).map_err(|_| "its signature is wrong".to_owned())
}

fn date(seconds: u64) -> String {
    let stamp = i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    stamp.map_or_else(|| "the end of time".to_owned(), |stamp| stamp.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    // Host certificate of `m1.example` and `10.0.0.*`, valid 2020-01-01 to 2030-01-01, made by ssh-keygen.
    const HOST: &str = include_str!("testdata/host-cert.pub");
    const USER: &str = include_str!("testdata/user-cert.pub");
    const NOBODY: &str = include_str!("testdata/no-principal-cert.pub");
    const OPTION: &str = include_str!("testdata/option-cert.pub");
    const NOW: u64 = 1_750_000_000;

    fn check_text(text: &str, host: &str, now: u64) -> Result<(), String> {
        check(&Certificate::from_openssh(text).unwrap(), host, now)
    }

    #[test]
    fn a_certificate_is_good_for_its_hosts_in_its_time() {
        assert_eq!(check_text(HOST, "m1.example", NOW), Ok(()));
        assert_eq!(check_text(HOST, "10.0.0.7", NOW), Ok(()));
        let error = |host, now| check_text(HOST, host, now).unwrap_err();
        assert_eq!(error("m2.example", NOW), "it is for m1.example, 10.0.0.*, not for m2.example");
        assert_eq!(error("m1.example", 1_000_000_000), "it is not valid before 2020-01-01T00:00:00Z");
        assert_eq!(error("m1.example", 1_900_000_000), "it expired at 2030-01-01T00:00:00Z");
    }

    #[test]
    fn other_certificates_are_not() {
        assert_eq!(check_text(USER, "m1.example", NOW).unwrap_err(), "it is the certificate of a user, not of a host");
        assert_eq!(check_text(NOBODY, "m1.example", NOW).unwrap_err(), "it names no host");
        assert!(check_text(OPTION, "m1.example", NOW).unwrap_err().contains("critical option"));
    }

    #[test]
    fn a_changed_certificate_is_refused() {
        let good = Certificate::from_openssh(HOST).unwrap();
        let mut bytes = good.to_bytes().unwrap();
        let name = bytes.windows(10).position(|window| window == b"m1.example").unwrap();
        bytes[name + 1] = b'9';
        let forged = Certificate::from_bytes(&bytes).unwrap();
        assert_eq!(check(&forged, "m9.example", NOW).unwrap_err(), "its signature is wrong");
    }
}

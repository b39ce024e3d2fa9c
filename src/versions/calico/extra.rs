//! Fields of FelixConfiguration that the inventory sets by their names. The API drops what a version does not have,
//! without a word, so that a wrong name would look as if it worked.

use thiserror::Error;

use super::fields::{FIELDS, Kind};
use crate::cluster::{FelixValue, Version, nearest};

/// A field that cannot be set as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FieldError {
    /// Nobody knows it.
    #[error("FelixConfiguration of Calico {calico} has no field {field}{}", near(.meant.as_deref()))]
    Unknown {
        /// The field.
        field: String,
        /// The version.
        calico: Version,
        /// What may have been meant.
        meant: Option<String>,
    },
    /// It is not there yet.
    #[error("Calico {calico} does not have the field {field} yet: it came with 3.{since}; remove it until then")]
    TooNew {
        /// The field.
        field: String,
        /// The version.
        calico: Version,
        /// First minor with it.
        since: u32,
    },
    /// It is gone.
    #[error("Calico {calico} does not have the field {field} any more: 3.{until} was the last that did; remove it")]
    Gone {
        /// The field.
        field: String,
        /// The version.
        calico: Version,
        /// Last minor with it.
        until: u32,
    },
    /// Its value is of another kind.
    #[error("the field {field} of Calico {calico} wants {wanted}")]
    Value {
        /// The field.
        field: String,
        /// The version.
        calico: Version,
        /// What would be taken.
        wanted: String,
    },
    /// It follows from something else.
    #[error("the field {field} of Calico {calico} is not for extra: {instead}")]
    Ours {
        /// The field.
        field: String,
        /// The version.
        calico: Version,
        /// Where it is set, or why it is not.
        instead: &'static str,
    },
}

fn near(name: Option<&str>) -> String {
    name.map_or_else(|| "; remove it, or correct its name".to_owned(), |name| format!("; did you mean {name}?"))
}

/// Whether a version takes `value` for `field`, where the inventory may set it at all.
pub fn check(field: &str, value: &FelixValue, calico: Version) -> Result<(), FieldError> {
    let name = || field.to_owned();
    if let Some(instead) = instead(field) {
        return Err(FieldError::Ours { field: name(), calico, instead });
    }
    let Some(found) = FIELDS.iter().find(|known| known.name == field) else {
        let known = FIELDS.iter().filter(|known| known.is_known(calico)).map(|known| known.name);
        return Err(FieldError::Unknown { field: name(), calico, meant: nearest(field, known).map(str::to_owned) });
    };
    if calico.minor < found.since {
        return Err(FieldError::TooNew { field: name(), calico, since: found.since });
    }
    if calico.minor > found.until {
        return Err(FieldError::Gone { field: name(), calico, until: found.until });
    }
    if holds(found.kind, value) {
        Ok(())
    } else {
        Err(FieldError::Value { field: name(), calico, wanted: wanted(found.kind) })
    }
}

fn holds(kind: Kind, value: &FelixValue) -> bool {
    match (kind, value) {
        (Kind::Switch, FelixValue::Switch(_))
        | (Kind::Text | Kind::NumberOrText, FelixValue::Text(_))
        | (Kind::Texts, FelixValue::Texts(_)) => true,
        (Kind::Number | Kind::NumberOrText, FelixValue::Number(number)) => i32::try_from(*number).is_ok(),
        (Kind::Duration, FelixValue::Text(text)) => is_duration(text),
        (Kind::Choice(words), FelixValue::Text(text)) => words.contains(&text.as_str()),
        _ => false,
    }
}

fn wanted(kind: Kind) -> String {
    match kind {
        Kind::Switch => "true or false".to_owned(),
        Kind::Number => format!("a whole number up to {}", i32::MAX),
        Kind::Text => "a text".to_owned(),
        Kind::Texts => "a list of texts".to_owned(),
        Kind::NumberOrText => "a number or a text".to_owned(),
        Kind::Duration => "whole numbers with units: 90s, 1m30s".to_owned(),
        Kind::Choice(words) => words.join(" or "),
        Kind::Structure => "more than the inventory can say: set it in the FelixConfiguration `default` with kubectl, \
                            where it stays as it is"
            .to_owned(),
    }
}

/// `1m30s`.
fn is_duration(text: &str) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        let unit = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let after = ["ms", "s", "m", "h"].iter().find_map(|known| unit.strip_prefix(known));
        match after {
            Some(after) if unit.len() < rest.len() => rest = after,
            _ => return false,
        }
    }
    !text.is_empty()
}

/// Fields that follow from something else, and from what.
const OURS: &[(&str, &str)] = &[
    ("healthEnabled", "the probes of calico-node ask for it"),
    ("healthHost", "the probes of calico-node ask on localhost"),
    ("healthPort", "the probes of calico-node ask on 9099"),
    ("ipipEnabled", "it follows from spec.network.calico.mode"),
    ("ipipMTU", "set spec.network.calico.mtu"),
    ("ipv6Support", "it follows from spec.network.podCidr"),
    ("logSeverityScreen", "set spec.network.calico.felix.log"),
    ("nodeSelector", "the object is for every node"),
    ("prometheusMetricsEnabled", "set spec.network.calico.felix.metricsPort"),
    ("prometheusMetricsPort", "set spec.network.calico.felix.metricsPort"),
    ("reportingInterval", "reports are switched off, because nobody reads them in the Kubernetes API"),
    ("vxlanEnabled", "it follows from spec.network.calico.mode"),
    ("vxlanMTU", "set spec.network.calico.mtu"),
    ("vxlanMTUV6", "set spec.network.calico.mtu"),
    ("wireguardMTU", "set spec.network.calico.mtu"),
    ("wireguardMTUV6", "set spec.network.calico.mtu"),
];

fn instead(field: &str) -> Option<&'static str> {
    if field.starts_with("bpf") {
        return Some("the eBPF data plane wants to be kube-proxy, which is there already");
    }
    OURS.iter().find(|(name, _)| *name == field).map(|(_, instead)| *instead)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(field: &str, value: FelixValue, minor: u32) -> String {
        check(field, &value, Version::new(3, minor, 4)).map_or_else(|error| error.to_string(), |()| String::new())
    }

    fn text(text: &str) -> FelixValue {
        FelixValue::Text(text.to_owned())
    }

    #[test]
    fn what_is_wrong_is_told_with_field_version_and_what_was_meant() {
        let number = FelixValue::Number;
        for (field, value, minor, message) in [
            (
                "iptablesRefreshIntervall",
                text("90s"),
                28,
                "FelixConfiguration of Calico v3.28.4 has no field iptablesRefreshIntervall; \
                 did you mean iptablesRefreshInterval?",
            ),
            (
                "gpu",
                number(1),
                28,
                "FelixConfiguration of Calico v3.28.4 has no field gpu; remove it, or correct its name",
            ),
            (
                "nftablesMode",
                text("Enabled"),
                28,
                "Calico v3.28.4 does not have the field nftablesMode yet: it came with 3.29; remove it until then",
            ),
            (
                "iptablesLockTimeout",
                text("0s"),
                32,
                "Calico v3.32.4 does not have the field iptablesLockTimeout any more: 3.31 was the last that did; \
                 remove it",
            ),
            ("xdpEnabled", text("yes"), 28, "the field xdpEnabled of Calico v3.28.4 wants true or false"),
            (
                "iptablesBackend",
                text("nft"),
                28,
                "the field iptablesBackend of Calico v3.28.4 wants Auto or Legacy or NFT",
            ),
            (
                "netlinkTimeout",
                text("1.5s"),
                28,
                "the field netlinkTimeout of Calico v3.28.4 wants whole numbers with units: 90s, 1m30s",
            ),
            (
                "iptablesMarkMask",
                number(0xffff_0000),
                28,
                "the field iptablesMarkMask of Calico v3.28.4 wants a whole number up to 2147483647",
            ),
            (
                "logSeverityScreen",
                text("Debug"),
                28,
                "the field logSeverityScreen of Calico v3.28.4 is not for extra: set spec.network.calico.felix.log",
            ),
            (
                "bpfEnabled",
                FelixValue::Switch(true),
                28,
                "the field bpfEnabled of Calico v3.28.4 is not for extra: \
                 the eBPF data plane wants to be kube-proxy, which is there already",
            ),
        ] {
            assert_eq!(told(field, value, minor), message);
        }
        assert!(told("routeTableRanges", FelixValue::Texts(Vec::new()), 28).contains("with kubectl"));
    }

    #[test]
    fn what_a_field_holds_is_taken() {
        for (field, value) in [
            ("xdpEnabled", FelixValue::Switch(false)),
            ("vxlanPort", FelixValue::Number(4790)),
            ("natPortRange", text("32768:65535")),
            ("natPortRange", FelixValue::Number(40_000)),
            ("externalNodesList", FelixValue::Texts(vec!["10.9.0.0/16".to_owned()])),
            ("iptablesRefreshInterval", text("1m30s")),
            ("iptablesBackend", text("NFT")),
            ("mtuIfacePattern", text("bond.*")),
        ] {
            assert_eq!(told(field, value, 28), "", "{field}");
        }
    }

    #[test]
    fn durations_are_whole_numbers_with_units() {
        for (text, good) in [
            ("0s", true),
            ("90s", true),
            ("50ms", true),
            ("1h30m5s", true),
            ("", false),
            ("90", false),
            ("s", false),
            ("1.5s", false),
            ("1d", false),
            ("1m s", false),
        ] {
            assert_eq!(is_duration(text), good, "{text}");
        }
    }

    #[test]
    fn what_follows_from_something_else_is_a_field() {
        for (name, instead) in OURS {
            assert!(FIELDS.iter().any(|field| field.name == *name) && !instead.ends_with('.'), "{name}");
        }
    }
}

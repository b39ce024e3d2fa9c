//! Words that have a form of their own: addresses, networks, DNS names, logins, host keys.

use std::net::{IpAddr, Ipv4Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;

use crate::inventory::problems::Fault;
use crate::inventory::tree::Path;

use super::Context;

/// An address that one host can have.
pub(super) fn address(text: &str) -> Result<IpAddr, Fault> {
    let Ok(address) = text.parse::<IpAddr>() else {
        let hint = match text.split_once('/') {
            Some((before, _)) if before.parse::<IpAddr>().is_ok() => format!("leave out the prefix length: {before}"),
            _ => match without_zeros(text) {
                Some(plain) => format!("leave out leading zeros, with which some read it as octal: {plain}"),
                None => "write an IPv4 or IPv6 address, such as 10.1.0.11".into(),
            },
        };
        return Err(Fault::new(format!("{text:?} is not an IP address"), hint));
    };
    reachable(address)
}

/// The address, unless none that is reached has it.
pub(super) fn reachable(address: IpAddr) -> Result<IpAddr, Fault> {
    // 0.0.0.0/8 stands for no host, and 240.0.0.0/4 with the broadcast address is reserved.
    let nobodys = matches!(address, IpAddr::V4(v4) if v4.octets()[0] == 0 || v4.octets()[0] >= 240);
    if address.is_unspecified() || address.is_loopback() || address.is_multicast() || nobodys {
        let hint = "write the address by which the other hosts reach it";
        return Err(Fault::new(format!("{address} is not an address that others can reach"), hint));
    }
    match address {
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => Err(Fault::new(format!("{address} is an IPv4 address in disguise"), format!("write {v4}"))),
            None => Ok(address),
        },
        IpAddr::V4(_) => Ok(address),
    }
}

/// The IPv4 address that was meant by one with leading zeros.
fn without_zeros(text: &str) -> Option<Ipv4Addr> {
    let parts: Option<Vec<u8>> = text.split('.').map(|part| part.parse().ok()).collect();
    let parts: [u8; 4] = parts?.try_into().ok()?;
    Some(parts.into())
}

/// A network in CIDR form, without host bits.
pub(super) fn network(text: &str) -> Result<IpNet, Fault> {
    let Ok(network) = text.parse::<IpNet>() else {
        let hint = match text.parse::<IpAddr>() {
            Ok(address) => format!("add the prefix length: {}", as_network(address)),
            Err(_) => "write ADDRESS/PREFIX, such as 10.244.0.0/16".into(),
        };
        return Err(Fault::new(format!("{text:?} is not a network"), hint));
    };
    if network.addr().is_ipv4() && network.to_string() != text {
        let hint = format!("leave them out, some read them as octal: {network}");
        return Err(Fault::new(format!("{text:?} has leading zeros"), hint));
    }
    if network.addr() != network.network() {
        let hint = format!("the network is {}", network.trunc());
        return Err(Fault::new(format!("{text:?} has bits set behind its prefix"), hint));
    }
    Ok(network)
}

/// The network that is likely meant by its address alone: one without host bits.
fn as_network(address: IpAddr) -> IpNet {
    let prefixes: &[u8] = if address.is_ipv4() { &[16, 24] } else { &[48, 64, 112] };
    let mut networks = prefixes.iter().filter_map(|prefix| IpNet::new(address, *prefix).ok());
    networks.find(|network| network.network() == address).unwrap_or_else(|| address.into())
}

/// The networks of a list, each with its fault where it is none.
pub(super) fn networks(texts: &[String], path: &Path, context: &mut Context<'_>) -> Vec<IpNet> {
    let texts = texts.iter().enumerate();
    texts.filter_map(|(index, text)| context.take(&path.index(index), network(text))).collect()
}

/// A DNS name in lower case, without trailing dot.
pub(super) fn dns_name(text: &str) -> Result<String, Fault> {
    if is_dns_name(text) {
        return Ok(text.to_owned());
    }
    let plain = text.trim_end_matches('.').to_lowercase();
    let longest = text.split('.').map(str::len).max().unwrap_or_default();
    let hint = if text.len() > LONGEST_NAME {
        format!("DNS allows {LONGEST_NAME} characters, and this has {}", text.len())
    } else if is_dns_name(&plain) {
        format!("write it in lower case and without a dot at its end: {plain}")
    } else if longest > LONGEST_LABEL {
        format!("it is too long: DNS allows {LONGEST_LABEL} characters between dots, and this has {longest}")
    } else {
        "use lower-case letters, digits and '-', in parts separated by dots".to_owned()
    };
    Err(Fault::new(format!("{text:?} is not a DNS name"), hint))
}

const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

fn is_dns_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && label.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= LONGEST_NAME && text.split('.').all(label)
}

/// A DNS name that nobody takes for an address: its last part is not a number.
pub(super) fn domain(text: &str) -> Result<String, Fault> {
    let name = dns_name(text)?;
    let last = name.rsplit('.').next().unwrap_or_default();
    if last.chars().all(|c| c.is_ascii_digit()) {
        let hint = "write a name, such as example.com";
        return Err(Fault::new(format!("{text:?} ends in a number, as addresses do and names do not"), hint));
    }
    Ok(name)
}

/// A DNS name that is not an IP address.
pub(super) fn host_name_only(text: &str) -> Result<String, Fault> {
    if text.parse::<IpAddr>().is_ok() {
        let hint =
            "write a name; the address belongs in `vip` or `address`, so that it can change without new certificates";
        return Err(Fault::new(format!("{text:?} is an address, not a name"), hint));
    }
    domain(text)
}

/// A subject alternative name: an address, or a DNS name that may begin with `*.`.
pub(super) fn subject_name(text: &str) -> Result<String, Fault> {
    if text.parse::<IpAddr>().is_ok() {
        return Ok(text.to_owned());
    }
    domain(text.strip_prefix("*.").unwrap_or(text)).map(|_| text.to_owned())
}

/// A login name.
pub(super) fn user(text: &str) -> Result<String, Fault> {
    if let Some((name, _)) = text.split_once(':') {
        let hint = "write the name only; the password does not belong here";
        return Err(Fault::new(format!("\"{}:(secret)\" is not a login name", name.escape_debug()), hint));
    }
    let good = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '$' | '\\' | '+');
    if text.is_empty() || text.starts_with('-') || !text.chars().all(good) {
        return Err(Fault::new(format!("{text:?} is not a login name"), "write the name only, such as ops"));
    }
    Ok(text.to_owned())
}

/// A name or address to dial.
pub(super) fn dial(text: &str) -> Result<String, Fault> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let name = !text.is_empty() && text.len() <= 253 && !text.starts_with(['-', '.']) && text.chars().all(good);
    if name || text.parse::<IpAddr>().is_ok() {
        return Ok(text.to_owned());
    }
    Err(Fault::new(
        format!("{text:?} is not a host name or address"),
        "write the name or address only, such as jump.example",
    ))
}

/// `user@host:port`, `host`, `[fd00::1]:22`; what is left out is none.
pub(super) fn login(text: &str) -> Result<(Option<String>, String, Option<u16>), Fault> {
    let (name, rest) = match text.rsplit_once('@') {
        Some((name, rest)) => (Some(user(name)?), rest),
        None => (None, text),
    };
    let (host, number) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, after)) => (host, after.strip_prefix(':').or(Some(after))),
        // More than one colon without brackets: an IPv6 address.
        None if rest.matches(':').count() == 1 => {
            rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port)))
        }
        None => (rest, None),
    };
    let number = number.map(|number| port(number, text)).transpose()?;
    Ok((name, dial(host)?, number))
}

fn port(text: &str, whole: &str) -> Result<u16, Fault> {
    let wrong = || {
        Fault::new(format!("the port {text:?} of {whole:?} is not a number from 1 to 65535"), "write user@host:port")
    };
    text.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)
}

/// A public host key, comment left out.
pub(super) fn host_key(text: &str) -> Result<String, Fault> {
    let hint = "write it as in a .pub file: ssh-ed25519 AAAA…";
    let mut words = text.split_whitespace();
    let (Some(kind), Some(data)) = (words.next(), words.next()) else {
        return Err(Fault::new(format!("{text:?} is not a host key"), hint));
    };
    let known = ["ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"];
    if !known.contains(&kind) {
        let hint = if known.contains(&data) { "leave out the host name before the key" } else { hint };
        return Err(Fault::new(format!("{kind:?} is not a known type of host key"), hint));
    }
    let decoded = STANDARD.decode(data).unwrap_or_default();
    // The key repeats its type: a length of four bytes, then the name.
    let inner = decoded.get(..4).and_then(|length| {
        let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
        decoded.get(4..4_usize.checked_add(length)?)
    });
    if inner != Some(kind.as_bytes()) {
        return Err(Fault::new(format!("this {kind} key is damaged or cut off"), hint));
    }
    Ok(format!("{kind} {data}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFKB1zD4ZQoPzxLh6cd3Qm0eM1nVz2JTlAmhIuUGHTqC";

    #[test]
    fn addresses_can_be_reached() {
        for good in ["10.1.0.11", "fd00::1", "192.168.1.255"] {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "10.1",
            "010.1.0.1",
            "10.1.0.0/24",
            "0.0.0.0",
            "127.0.0.1",
            "::1",
            "224.0.0.1",
            "255.255.255.255",
            "0.1.2.3",
            "240.0.0.1",
            "::ffff:10.1.0.1",
            "m1",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
        assert!(address("10.1.0.08").unwrap_err().hint.ends_with(": 10.1.0.8"));
        assert_eq!(address("::ffff:10.1.0.1").unwrap_err().hint, "write 10.1.0.1");
        assert_eq!(address("10.1.0.11/24").unwrap_err().hint, "leave out the prefix length: 10.1.0.11");
    }

    #[test]
    fn networks_have_no_host_bits() {
        assert!(network("10.244.0.0/16").is_ok());
        assert!(network("fd00::/48").is_ok());
        assert_eq!(network("10.244.1.0/16").unwrap_err().hint, "the network is 10.244.0.0/16");
        assert_eq!(network("10.244.0.0").unwrap_err().hint, "add the prefix length: 10.244.0.0/16");
        for (address, meant) in [
            ("10.1.0.10", "10.1.0.10/32"),
            ("10.1.2.0", "10.1.2.0/24"),
            ("fd00::", "fd00::/48"),
            ("fd00::a", "fd00::a/128"),
        ] {
            assert_eq!(network(address).unwrap_err().hint, format!("add the prefix length: {meant}"));
            assert!(network(meant).is_ok(), "{meant}");
        }
        assert!(network("10.244.0.0/99").is_err());
        for zeros in ["010.244.0.0/16", "10.244.00.0/16", "10.0.0.0/08"] {
            assert!(network(zeros).is_err(), "{zeros}");
        }
    }

    #[test]
    fn logins_may_leave_out_user_and_port() {
        for (text, user, host, port) in [
            ("jump", None, "jump", None),
            ("ops@jump.example:2222", Some("ops"), "jump.example", Some(2222)),
            ("[fd00::1]:22", None, "fd00::1", Some(22)),
            ("ops@[fd00::1]", Some("ops"), "fd00::1", None),
            ("ops@fd00::1", Some("ops"), "fd00::1", None),
        ] {
            assert_eq!(login(text), Ok((user.map(str::to_owned), host.to_owned(), port)), "{text}");
        }
        for bad in [
            "",
            "@jump",
            "ops@",
            "jump:",
            "jump:0",
            "jump:70000",
            "jump:ssh",
            "[fd00::1]x",
            "-oProxyCommand=x",
            "a b",
            "o p@j",
        ] {
            assert!(login(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn host_keys_are_whole() {
        assert_eq!(host_key(&format!("{KEY} root@m1")), Ok(KEY.to_owned()));
        for (bad, why) in [
            (String::new(), "not a host key"),
            ("ssh-ed25519".into(), "not a host key"),
            (format!("m1 {KEY}"), "not a known type"),
            (KEY.replace("ssh-ed25519 ", "ssh-rsa "), "damaged"),
            ("ssh-ed25519 AAAA".into(), "damaged"),
            ("ssh-ed25519 !!!".into(), "damaged"),
        ] {
            assert!(host_key(&bad).unwrap_err().message.contains(why), "{bad}");
        }
    }

    #[test]
    fn names_follow_dns() {
        for good in ["api", "api.bj1.example", "a-1.b"] {
            assert!(dns_name(good).is_ok(), "{good}");
        }
        for bad in ["", "API", "a..b", "-a", "a-", "a_b", "a.", "*.a"] {
            assert!(dns_name(bad).is_err(), "{bad}");
        }
        for bad in ["1.2.3.4", "10.1.0.300", "k8s.1", "7"] {
            assert!(domain(bad).is_err() && host_name_only(bad).is_err(), "{bad}");
        }
        assert!(domain("168.192.in-addr.arpa").is_ok());
        assert!(dns_name("Corp.Example.").unwrap_err().hint.ends_with(": corp.example"));
        assert!(dns_name(&"a.".repeat(200)).unwrap_err().hint.contains("has 400"));
        assert!(host_name_only("10.1.0.1").is_err());
        assert!(subject_name("10.1.0.1").is_ok());
        assert!(subject_name("*.example").is_ok());
        assert!(subject_name("a.*.example").is_err());
    }
}

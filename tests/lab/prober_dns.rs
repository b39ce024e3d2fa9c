//! A DNS server that knows one name and counts who asks for it, in place of a cluster's own.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::UdpSocket;
use tokio::sync::watch;

/// Types of records.
const A: u16 = 1;
const NAME_ERROR: u8 = 3;

/// The one name that has an address.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    name: String,
    address: Ipv4Addr,
}

/// Reads `NAME=ADDRESS`.
pub(crate) fn known(text: &str) -> Result<Known, String> {
    let (name, address) = text.split_once('=').ok_or("it is no NAME=ADDRESS")?;
    let address = address.parse().map_err(|error| format!("{address}: {error}"))?;
    Ok(Known { name: name.to_owned(), address })
}

/// Answers until it is stopped; returns how often each name was asked for.
pub(crate) async fn serve(
    socket: UdpSocket,
    known: Known,
    mut stopped: watch::Receiver<bool>,
) -> BTreeMap<String, usize> {
    let mut asked = BTreeMap::new();
    let mut buffer = [0; 512];
    loop {
        let received: Result<(usize, SocketAddr), _> = tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => return asked,
            received = socket.recv_from(&mut buffer) => received,
        };
        let Ok((length, from)) = received else { continue };
        let Some((name, answer)) = answer(&buffer[..length], &known) else { continue };
        *asked.entry(name).or_default() += 1;
        // Who is no longer there does not need it.
        let _gone = socket.send_to(&answer, from).await;
    }
}

/// The name that a query asks for, and the answer to it; nothing for what is no query.
fn answer(query: &[u8], known: &Known) -> Option<(String, Vec<u8>)> {
    let (header, mut rest) = query.split_at_checked(12)?;
    if header[2] & 0x80 != 0 || header[4..6] != [0, 1] {
        return None;
    }
    let mut labels = Vec::new();
    loop {
        let (length, after) = rest.split_first()?;
        let (label, after) = after.split_at_checked(usize::from(*length))?;
        rest = after;
        if label.is_empty() {
            break;
        }
        labels.push(std::str::from_utf8(label).ok()?.to_ascii_lowercase());
    }
    let (asked_type, after) = rest.split_at_checked(4)?;
    let question = &query[12..query.len() - after.len()];
    let name = labels.join(".");
    let is_known = name == known.name;
    let has_address = is_known && asked_type[..2] == A.to_be_bytes();
    let mut answer = header[..2].to_vec();
    // A response, authoritative, recursion as it was asked for.
    answer.extend([0x84 | (header[2] & 1), if is_known { 0 } else { NAME_ERROR }]);
    answer.extend([0, 1, 0, u8::from(has_address), 0, 0, 0, 0]);
    answer.extend(question);
    if has_address {
        // The name of the question; A, IN, 5 s, four bytes.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4]);
        answer.extend(known.address.octets());
    }
    Some((name, answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(name: &str, asked_type: u16) -> Vec<u8> {
        let mut query = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            query.push(u8::try_from(label.len()).unwrap());
            query.extend(label.as_bytes());
        }
        query.push(0);
        query.extend(asked_type.to_be_bytes());
        query.extend([0, 1]);
        query
    }

    #[test]
    fn one_name_has_an_address() {
        let known = known("a.b=10.96.0.1").unwrap();
        let (name, reply) = answer(&query("A.b", A), &known).unwrap();
        assert_eq!(name, "a.b");
        assert_eq!(reply[..4], [0xab, 0xcd, 0x85, 0]);
        assert_eq!(reply[reply.len() - 4..], [10, 96, 0, 1]);
        let (_, v6) = answer(&query("a.b", 28), &known).unwrap();
        assert_eq!((v6[3], v6[7]), (0, 0), "it is there, but has no such address");
        let (_, unknown) = answer(&query("a.c", A), &known).unwrap();
        assert_eq!((unknown[3], unknown[7]), (NAME_ERROR, 0));
        assert!(answer(&query("a.b", A)[..14], &known).is_none());
    }
}

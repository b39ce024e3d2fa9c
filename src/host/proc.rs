//! Parsers of what the kernel tells under /proc: text in, values out.

/// A line of /proc/mounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MountLine {
    pub(super) source: String,
    pub(super) path: String,
    pub(super) kind: String,
    pub(super) options: String,
}

/// Mounts in the order in which they were made.
pub(super) fn mounts(text: &str) -> Vec<MountLine> {
    let line = |line: &str| {
        let mut fields = line.split(' ').map(unescape);
        Some(MountLine {
            source: fields.next()?,
            path: fields.next()?,
            kind: fields.next()?,
            options: fields.next().unwrap_or_default(),
        })
    };
    text.lines().filter_map(line).collect()
}

/// Devices and files in /proc/swaps.
pub(super) fn swaps(text: &str) -> Vec<String> {
    text.lines().skip(1).filter_map(|line| line.split_whitespace().next()).map(unescape).collect()
}

/// The same, with their priorities.
pub(super) fn swap_priorities(text: &str) -> Vec<(String, i32)> {
    let line = |line: &str| {
        let mut fields = line.split_whitespace();
        Some((unescape(fields.next()?), fields.nth(3)?.parse().ok()?))
    };
    text.lines().skip(1).filter_map(line).collect()
}

/// Whether /proc/net/ip_vs lists any virtual server: three lines of headings come first.
pub(super) fn has_virtual_servers(text: &str) -> bool {
    text.lines().count() > 3
}

/// Names in /proc/modules.
pub(super) fn modules(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.split_whitespace().next())
}

/// A socket that somebody listens on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listener<'t> {
    /// Its address in hexadecimal, as the kernel writes it.
    pub(super) address: &'t str,
    pub(super) port: u16,
    pub(super) inode: u64,
}

/// Listening sockets in /proc/net/tcp or tcp6.
pub(super) fn listening(text: &str) -> Vec<Listener<'_>> {
    let socket = |line| {
        let fields: Vec<&str> = str::split_whitespace(line).collect();
        let (socket, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        (*state == "0A").then_some(())?;
        let (address, port) = socket.rsplit_once(':')?;
        Some(Listener { address, port: u16::from_str_radix(port, 16).ok()?, inode: inode.parse().ok()? })
    };
    text.lines().skip(1).filter_map(socket).collect()
}

/// Parent process id in /proc/PID/stat; the name before it may hold spaces and parentheses.
pub(super) fn parent(stat: &str) -> Option<i32> {
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// The kernel writes space, tab, newline and backslash as `\ooo`.
pub(super) fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_read_with_their_escapes() {
        let text = "/dev/sda1 / ext4 rw,relatime 0 0\ntmpfs /mnt/with\\040space tmpfs rw 0 0\nshort\n";
        let read: Vec<(String, String)> = mounts(text).into_iter().map(|mount| (mount.path, mount.kind)).collect();
        assert_eq!(read, [("/".into(), "ext4".into()), ("/mnt/with space".into(), "tmpfs".into())]);
    }

    #[test]
    fn swaps_are_read() {
        let text = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/sda2                               partition\t999420\t\t0\t\t-2\n/swap\\040file file 1 0 -3\n";
        assert_eq!(swaps(text), ["/dev/sda2", "/swap file"]);
        assert_eq!(swaps("Filename Type Size Used Priority\n"), Vec::<String>::new());
        assert_eq!(swaps(""), Vec::<String>::new());
    }

    #[test]
    fn modules_are_read() {
        let text = "ip_vs_rr 16384 0 - Live 0xffffffffc0a00000\nip_vs 184320 2 ip_vs_rr, Live 0x0\n";
        assert_eq!(modules(text).collect::<Vec<_>>(), ["ip_vs_rr", "ip_vs"]);
    }

    #[test]
    fn only_listening_sockets_count() {
        let text = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            \x20  0: 0100007F:094B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 24680 1 0000000000000000 100 0 0 10 0\n\
            \x20  1: 0100007F:094B 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 24681 1\n\
            \x20  2: 00000000000000000000000000000000:192B 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 13579 1\n";
        let nowhere = "0".repeat(32);
        let local = Listener { address: "0100007F", port: 2379, inode: 24680 };
        assert_eq!(listening(text), [local, Listener { address: &nowhere, port: 6443, inode: 13579 }]);
    }

    #[test]
    fn the_parent_stands_behind_the_last_parenthesis() {
        assert_eq!(parent("42 (a) b (c)) S 7 42 42 0 -1"), Some(7));
        assert_eq!(parent("42 (sh"), None);
    }
}

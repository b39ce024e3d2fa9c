//! Where packages for the hosts come from: wherever this machine's own come from.

use super::command;

/// The repository to take `release` from, as this machine's apt has it configured. None leaves it to mmdebstrap, which
/// knows Debian's own.
pub(super) fn find(release: &str) -> Option<String> {
    let format = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)";
    let arguments = ["indextargets", "--format", format, "Created-By: Packages"];
    command::run(command::new("apt-get").args(arguments), "").ok().and_then(|text| choose(&text, release))
}

/// The repository that has `release` itself, else the first of Debian's that has a whole release.
fn choose(targets: &str, release: &str) -> Option<String> {
    let targets: Vec<[&str; 4]> = targets
        .lines()
        .filter_map(|line| <[&str; 4]>::try_from(line.split('|').collect::<Vec<_>>()).ok())
        .filter(|[_, _, component, _]| *component == "main")
        .collect();
    let same = targets.iter().find(|[_, suite, ..]| *suite == release);
    let other = || targets.iter().find(|[_, suite, _, origin]| *origin == "Debian" && !suite.contains(['-', '/']));
    same.or_else(other).map(|[uri, ..]| (*uri).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGETS: &str = "\
http://tools.example/apt|stable|main|Tools
http://mirror.example/debian-security|bookworm-security|main|Debian
http://mirror.example/debian|bookworm|contrib|Debian
http://mirror.example/debian|bookworm-updates|main|Debian
http://mirror.example/debian|bookworm|main|Debian
broken line";

    #[test]
    fn the_machine_s_own_repository_is_taken() {
        assert_eq!(choose(TARGETS, "bookworm").as_deref(), Some("http://mirror.example/debian"));
        assert_eq!(choose(TARGETS, "trixie").as_deref(), Some("http://mirror.example/debian"));
        assert_eq!(choose("http://tools.example/apt|stable|main|Tools", "bookworm"), None);
        assert_eq!(choose("", "bookworm"), None);
    }
}

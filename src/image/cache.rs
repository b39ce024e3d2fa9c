//! Where downloads, unpacked archives and built layers are kept. It may be deleted at any time.

use std::ffi::OsString;
use std::path::PathBuf;

use super::ImageError;

/// `$KUBEWRIGHT_CACHE`, or `kubewright` in `$XDG_CACHE_HOME` or `~/.cache`.
pub fn cache_directory() -> Result<PathBuf, ImageError> {
    find(|name| std::env::var_os(name))
}

fn find(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, ImageError> {
    let set = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("KUBEWRIGHT_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|base| base.join("kubewright")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/kubewright")))
        .ok_or(ImageError::NoCacheDirectory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_decides() {
        let home = |name: &str| (name == "HOME").then(|| "/root".into());
        assert_eq!(find(home).unwrap(), PathBuf::from("/root/.cache/kubewright"));
        let xdg = |name: &str| (name != "KUBEWRIGHT_CACHE").then(|| "/x".into());
        assert_eq!(find(xdg).unwrap(), PathBuf::from("/x/kubewright"));
        let all = |name: &str| Some(if name == "KUBEWRIGHT_CACHE" { "/own" } else { "/x" }.into());
        assert_eq!(find(all).unwrap(), PathBuf::from("/own"));
        let empty = |name: &str| (name == "KUBEWRIGHT_CACHE").then(OsString::new);
        assert!(matches!(find(empty), Err(ImageError::NoCacheDirectory)));
    }
}

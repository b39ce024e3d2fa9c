//! Where labs keep their files.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{LabError, LabName};

/// The directories of all labs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// What costs time to make and never changes: `$KUBEWRIGHT_CACHE`, or `kubewright` in the user's cache directory.
    pub cache: PathBuf,
    /// A directory per lab: `$KUBEWRIGHT_LAB_DIR`, or `kubewright/lab` in the user's state directory.
    pub state: PathBuf,
    /// The `kubewright` program that watches over the hosts, and that commands inside the lab find.
    pub program: PathBuf,
}

impl Places {
    /// The places that the environment names.
    pub fn from_environment() -> Result<Self, LabError> {
        let program = env::current_exe().map_err(LabError::file("find", "the running program"))?;
        Self::from(&|name| env::var_os(name).filter(|value| !value.is_empty()), program)
    }

    fn from(variable: &dyn Fn(&str) -> Option<OsString>, program: PathBuf) -> Result<Self, LabError> {
        let path = |name| variable(name).map(PathBuf::from);
        let home = path("HOME").unwrap_or_else(|| PathBuf::from("/root"));
        let cache = path("KUBEWRIGHT_CACHE")
            .unwrap_or_else(|| path("XDG_CACHE_HOME").unwrap_or_else(|| home.join(".cache")).join("kubewright"));
        let state = path("KUBEWRIGHT_LAB_DIR").unwrap_or_else(|| {
            path("XDG_STATE_HOME").unwrap_or_else(|| home.join(".local/state")).join("kubewright/lab")
        });
        Ok(Self { cache: usable(cache)?, state: usable(state)?, program })
    }

    /// The directory of one lab.
    pub fn lab(&self, name: &LabName) -> PathBuf {
        self.state.join(name.as_str())
    }

    /// Where base images of hosts are.
    pub fn base_images(&self) -> PathBuf {
        self.cache.join("lab")
    }

    /// The cluster image that a lab's inventory names unless told otherwise.
    pub fn default_image(&self) -> String {
        format!("oci:{}", self.cache.join("images/debian-12").display())
    }

    /// Where the cluster image's build keeps its programs, kubectl among them.
    pub fn programs(&self) -> PathBuf {
        self.cache.join("debian-12/v1.20.2")
    }
}

/// An absolute path that the kernel's command line, ssh's options and the inventory can carry as it is.
fn usable(path: PathBuf) -> Result<PathBuf, LabError> {
    let path = std::path::absolute(&path).map_err(LabError::file("find", &path))?;
    let plain =
        |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, ',' | ':' | '"' | '\'' | '$' | '%' | '\\');
    if Path::to_str(&path).is_some_and(|text| text.chars().all(plain)) {
        return Ok(path);
    }
    Err(LabError::Machine {
        what: format!("the path {} holds spaces, quotes or one of , : $ % \\", path.display()),
        hint: "name other directories in KUBEWRIGHT_CACHE and KUBEWRIGHT_LAB_DIR".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(variables: &[(&str, &str)]) -> Result<Places, LabError> {
        let find = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        Places::from(&find, "/bin/kubewright".into())
    }

    #[test]
    fn the_environment_names_the_places() {
        let default = places(&[("HOME", "/home/a")]).unwrap();
        assert_eq!(default.cache, Path::new("/home/a/.cache/kubewright"));
        assert_eq!(default.state, Path::new("/home/a/.local/state/kubewright/lab"));
        let xdg = places(&[("HOME", "/home/a"), ("XDG_CACHE_HOME", "/c"), ("XDG_STATE_HOME", "/s")]).unwrap();
        assert_eq!((xdg.cache, xdg.state), ("/c/kubewright".into(), "/s/kubewright/lab".into()));
        let own = places(&[("KUBEWRIGHT_CACHE", "/c"), ("KUBEWRIGHT_LAB_DIR", "/l")]).unwrap();
        assert_eq!((own.cache.as_path(), own.lab(&"x".parse().unwrap())), (Path::new("/c"), "/l/x".into()));
    }

    #[test]
    fn a_path_that_a_command_line_cannot_carry_is_refused() {
        for bad in ["/a b", "/a,b", "/a:b", "/a\"b", "/${b}"] {
            assert!(places(&[("HOME", "/h"), ("KUBEWRIGHT_CACHE", bad)]).is_err(), "{bad}");
        }
    }
}

//! Taking a lab down, whatever state it is in.

use std::fs;

use super::error::for_each;
use super::layout::{Layout, Record};
use super::machine::Machine;
use super::namespace::Namespace;
use super::{Lab, LabError, LabName, Places, inside, lab, network, requirements, up};

impl Lab {
    /// Ends the lab called `name`: its commands, its hosts, its namespace, its files. Returns whether there was one. It
    /// needs no readable record, so that a damaged lab can be ended, too.
    pub fn down(places: &Places, name: &LabName) -> Result<bool, LabError> {
        requirements::root()?;
        let layout = Layout { directory: places.lab(name) };
        let namespace = Namespace::new(name.namespace());
        if !layout.directory.is_dir() {
            return if namespace.exists() { Err(up::foreign(&namespace, &layout)) } else { Ok(false) };
        }
        let _lock = lab::lock(&layout, name)?;
        inside::end_all(&layout);
        let hosts = match fs::read_dir(layout.hosts()) {
            Ok(entries) => entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(LabError::file("list", layout.hosts())(error)),
        };
        let machines: Vec<Machine> = hosts.iter().map(|host| Machine::new(&layout, &namespace, host)).collect();
        for_each(&machines, Machine::stop)?;
        // A namespace of that name belongs to this lab only if the lab got so far as to make one.
        if !matches!(Record::read(&layout), Ok(None)) {
            inside::end_rest(&namespace);
            network::remove(&namespace)?;
        }
        fs::remove_dir_all(&layout.directory).map_err(LabError::file("remove", &layout.directory))?;
        Ok(true)
    }
}

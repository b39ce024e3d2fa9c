//! Bringing a lab up. Every step looks at what is there first, so a lab whose `up` was interrupted, or whose machine
//! was restarted, is finished by the next one.

use super::error::for_each;
use super::inventory::{Inventory, known_hosts, with_keys};
use super::layout::{Layout, Record};
use super::machine::Machine;
use super::namespace::Namespace;
use super::network::{self, Links};
use super::topology::{self, LabHost};
use super::uml::Uml;
use super::{Lab, LabError, Options, Places, Progress, base_image, files, kernel, lab, requirements, seed, wait};

/// What `up` has found and done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Up {
    /// Hosts were started.
    Started,
    /// Everything was there.
    Already,
}

impl Lab {
    /// Brings up the lab that `options` describe and returns when every host answers SSH.
    pub fn up(places: &Places, options: &Options, progress: Progress<'_>) -> Result<(Self, Up), LabError> {
        options.check()?;
        requirements::root()?;
        let layout = Layout { directory: places.lab(&options.name) };
        let namespace = Namespace::new(options.name.namespace());
        files::make_directory(&layout.directory)?;
        let _lock = lab::lock(&layout, &options.name)?;

        let record = match Record::read(&layout)? {
            Some(record) if record.options == *options => {
                requirements::programs(&record.kernel)?;
                record
            }
            Some(record) => {
                return Err(LabError::Different { name: options.name.to_string(), there: record.options.to_string() });
            }
            None => design(places, &layout, &namespace, options, progress).inspect_err(|_| {
                // Empty, unless it was there before: what has failed leaves nothing behind.
                let _ = std::fs::remove_dir(&layout.directory);
            })?,
        };
        let built = (!record.kernel.is_packaged()).then_some(&record.kernel.program);
        if let Some(gone) = [&record.base].into_iter().chain(built).find(|path| !path.is_file()) {
            return Err(LabError::Machine {
                what: format!("{} is gone, which the hosts of this lab start from", gone.display()),
                hint: format!("end the lab with `kubewright lab down --name {}` and start anew", options.name),
            });
        }
        let lab = Self { places: places.clone(), layout, namespace, record };
        let outcome = lab.finish(progress)?;
        Ok((lab, outcome))
    }

    /// Brings whatever is missing.
    fn finish(&self, progress: Progress<'_>) -> Result<Up, LabError> {
        self.write_files()?;
        let connected = self.namespace.exists() && {
            let links = Links::read(&self.namespace)?;
            self.hosts().iter().all(|host| links.is_connected(host))
        };
        network::ensure(&self.namespace, self.hosts())?;
        let hosts: Vec<(LabHost, Machine)> =
            self.hosts().iter().map(|host| (host.clone(), self.machine(&host.name))).collect();
        let off: Vec<_> = hosts.iter().filter(|(_, machine)| !machine.is_supervised()).cloned().collect();
        if !off.is_empty() {
            progress(&format!("starting {} hosts", off.len()));
        }
        for_each(&off, |(_, machine)| machine.start(&self.places.program).map(drop))?;
        // Also when all of them run: whoever started them may have been interrupted before they answered.
        wait::until_ssh(&self.namespace, &hosts, progress)?;
        Ok(if off.is_empty() && connected { Up::Already } else { Up::Started })
    }

    /// Keys, seeds, and the files for whoever uses the lab; what is there stays as it is.
    fn write_files(&self) -> Result<(), LabError> {
        let names: Vec<String> = self.hosts().iter().map(|host| host.name.clone()).collect();
        let keys = self.layout.keys();
        keys.ensure(&names)?;
        for host in self.hosts() {
            let machine = self.machine(&host.name);
            files::make_directory(&machine.directory)?;
            if !machine.seed().exists() {
                files::write(&machine.seed(), seed::archive(host, &keys)?, 0o600)?;
            }
        }
        let hosts = with_keys(self.hosts(), &keys)?;
        for machine in self.hosts().iter().map(|host| self.machine(&host.name)) {
            for (index, size) in self.record.options.disks.iter().enumerate() {
                files::reserve(&machine.directory.join(kernel::data_disk(index)), size.bytes())?;
            }
        }
        if !self.layout.known_hosts().exists() {
            files::write(&self.layout.known_hosts(), known_hosts(&hosts), 0o600)?;
        }
        if self.inventory().exists() {
            return Ok(());
        }
        let options = &self.record.options;
        let inventory = Inventory {
            name: &options.name,
            image: &options.image.clone().unwrap_or_else(|| self.places.default_image()),
            endpoint: options.endpoint,
            identity_file: &keys.login().display().to_string(),
            hosts,
        };
        files::write(&self.inventory(), inventory.to_string(), 0o600)
    }
}

/// Decides what a new lab is made of, and writes it down before anything of it exists.
fn design(
    places: &Places,
    layout: &Layout,
    namespace: &Namespace,
    options: &Options,
    progress: Progress<'_>,
) -> Result<Record, LabError> {
    if namespace.exists() {
        return Err(foreign(namespace, layout));
    }
    let kernel = Uml::find(places);
    requirements::programs(&kernel)?;
    let hosts = topology::hosts(options);
    if let Some(warning) = requirements::space(places, &hosts)? {
        progress(&format!("warning: {warning}"));
    }
    let base = base_image::ensure(places, &options.release, &kernel, progress)?;
    let record = Record { options: options.clone(), base, kernel, hosts };
    record.write(layout)?;
    Ok(record)
}

pub(super) fn foreign(namespace: &Namespace, layout: &Layout) -> LabError {
    LabError::Foreign { namespace: namespace.name().to_owned(), directory: layout.directory.clone() }
}

//! What the units do that kubewright leaves on a host: tell the kernel again what it forgets at a reboot. They take the
//! resources that the installer has left in a file, and the way that every resource goes.

use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, thread};

use super::converge;
use super::irq::Survey;
use super::machine::Machine;
use super::protocol::{Event, Failure, PartChanges, QueueRow};
use crate::cluster::Spread;
use crate::desired::state::{PartState, Resource};

/// How long a card that has just come may take to go up.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(500);

/// Brings about what the file says. With a card's name, that card is waited for.
pub fn tune(root: &Path, settings: &Path, wait_for: Option<&str>) -> Result<Vec<PartChanges>, Failure> {
    let machine = Machine::at(root.to_owned());
    let parts = read(settings)?;
    if let Some(card) = wait_for {
        wait(&machine, card, &spread_of(&parts))?;
    }
    let (mut made, mut failures) = (Vec::new(), Vec::new());
    // Each on its own: a governor that is not taken must not keep interrupts where they are.
    for state in &parts {
        for resource in &state.resources {
            let alone = [PartState { part: state.part, resources: vec![resource.clone()] }];
            match converge::converge(&machine, &alone, &mut |_: Event| {}) {
                Ok(changes) => made.extend(changes),
                Err(failure) => failures.push(failure),
            }
        }
    }
    Failure::all(failures).map_or(Ok(made), Err)
}

/// Every queue of every network card, and how the file says that they are spread; without the file, as by default.
pub fn queues(root: &Path, settings: Option<&Path>) -> Result<Vec<QueueRow>, Failure> {
    let machine = Machine::at(root.to_owned());
    let parts = settings.map_or_else(|| Ok(Vec::new()), read)?;
    Survey::new(&machine, &spread_of(&parts))?.rows(&machine)
}

fn read(settings: &Path) -> Result<Vec<PartState>, Failure> {
    let failed = |why: String| {
        Failure::new(format!("reading {}", settings.display()), why).hint("`kubewright install` writes it anew")
    };
    let text = fs::read_to_string(settings).map_err(|error| failed(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| failed(error.to_string()))
}

fn spread_of(parts: &[PartState]) -> Spread {
    let mut resources = parts.iter().flat_map(|state| &state.resources);
    let found = resources.find_map(|resource| match resource {
        Resource::Interrupts(spread) => Some(spread.clone()),
        _ => None,
    });
    found.unwrap_or_default()
}

/// Until the card is up. One that never is has nothing to be spread, which is no failure.
fn wait(machine: &Machine, card: &str, spread: &Spread) -> Result<(), Failure> {
    let since = Instant::now();
    while since.elapsed() < PATIENCE {
        if Survey::new(machine, spread)?.nics.iter().any(|nic| nic.name == card) {
            return Ok(());
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::state::{Attribute, Part};

    #[test]
    fn what_fails_keeps_nothing_else_from_being_set() {
        let root = tempfile::tempdir().unwrap();
        let attribute = |name: &str, value: &str| {
            fs::write(root.path().join(name), "off\n").unwrap();
            Resource::Attribute(Attribute {
                path: format!("/{name}"),
                value: value.into(),
                accepts: Vec::new(),
                required: true,
                hint: String::new(),
                restarts: Vec::new(),
            })
        };
        // What is read back of the first one is another value.
        let resources = vec![attribute("first", "[4] of 8"), attribute("second", "on")];
        let settings = root.path().join("boot.json");
        let state = [PartState { part: Part::Tuning, resources }];
        fs::write(&settings, serde_json::to_string(&state).unwrap()).unwrap();
        let failure = tune(root.path(), &settings, None).unwrap_err();
        assert!(failure.to_string().contains("/first"), "{failure}");
        assert_eq!(fs::read_to_string(root.path().join("second")).unwrap(), "on");
        fs::write(&settings, "[{").unwrap();
        let failure = tune(root.path(), &settings, None).unwrap_err();
        assert!(failure.hint.unwrap().contains("kubewright install"));
    }
}

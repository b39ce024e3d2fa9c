//! Gives back the units of the distribution that were stopped.

use super::super::protocol::Action;
use super::super::resource::stopped;
use super::Work;
use crate::desired::state::Part;

/// Each as its note says.
pub(super) fn give_back(work: &mut Work) {
    let machine = work.machine;
    for name in work.look(stopped::noted(machine)) {
        let note = work.look(machine.text(&format!("{}/{name}", stopped::notes()))).unwrap_or_default();
        work.step(Part::Kernel, format!("unit {name}"), Action::Update, stopped::told(&note), |machine| {
            stopped::give_back(machine, &name)
        });
    }
}

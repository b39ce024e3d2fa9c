//! What there is and what should be, as a table for people.

use super::super::machine::Machine;
use super::super::protocol::{Failure, QueueRow};
use super::layout::Layout;
use super::nics::{INTERFACES, Nic, Vector};
use super::setting::{self, Setting, Value};
use super::{Survey, packets};
use crate::cluster::CpuSet;

impl Survey {
    /// A line for each interrupt of each queue.
    pub(in crate::host) fn rows(&self, machine: &Machine) -> Result<Vec<QueueRow>, Failure> {
        let mut rows = Vec::new();
        for (nic, layout) in self.nics.iter().zip(&self.layouts) {
            let packets = packets::read(machine, &nic.name);
            for (number, vector) in &nic.interrupts {
                let packets = packets.get(&vector.queue).copied();
                let row = row(machine, nic, layout, *number, vector)?;
                rows.push(QueueRow { managed: self.managed.contains(number), packets, ..row });
            }
        }
        Ok(rows)
    }
}

fn row(machine: &Machine, nic: &Nic, layout: &Layout, number: u32, vector: &Vector) -> Result<QueueRow, Failure> {
    let now = |path: String, like: Value| -> Result<String, Failure> {
        let now = Setting { path, interrupt: None, wanted: like }.now(machine)?;
        Ok(now.map_or_else(|| "-".to_owned(), |now| now.show()))
    };
    let mask = || Value::Mask(CpuSet::default());
    let wanted = Value::List(layout.interrupts.get(&number).copied().into_iter().collect());
    let queues = format!("{INTERFACES}/{}/queues", nic.name);
    Ok(QueueRow {
        nic: nic.name.clone(),
        master: nic.master.clone(),
        queue: vector.queue,
        interrupt: number,
        name: vector.name.clone(),
        wanted: wanted.show(),
        cpus: now(setting::affinity(number), wanted)?,
        managed: false,
        node: nic.node,
        receive: now(format!("{queues}/rx-{}/rps_cpus", vector.queue), mask())?,
        transmit: now(format!("{queues}/tx-{}/xps_cpus", vector.queue), mask())?,
        count: vector.count,
        packets: None,
    })
}

//! The layout on recorded hosts, and on any host at all. Recorded are trees of /proc and /sys as the kernel documents
//! them, made by the builder below; what comes out is a table that a person can check.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;

use super::super::testing::Scripted;
use super::cpus::{Cpu, Cpus};
use super::layout::layout;
use super::nics::{Nic, Vector};
use super::*;
use crate::cluster::CpuSet;

/// A host's tree: CPUs by node, cards, and /proc/interrupts.
struct Tree {
    host: Scripted,
    cpus: usize,
    lines: String,
    next: u32,
}

/// A card of a tree.
struct Card<'a> {
    name: &'a str,
    /// Directory of its PCI device.
    device: &'a str,
    node: i32,
    queues: (usize, usize),
    /// Names of its interrupts.
    interrupts: Vec<String>,
    virtio: bool,
}

impl Tree {
    /// `sockets` nodes of `cores` cores of two threads each, or of one: threads of one node first, siblings after all cores,
    /// as Intel's firmware numbers them.
    fn new(sockets: usize, cores: usize, threads: usize) -> Self {
        let host = Scripted::new();
        let total = sockets * cores * threads;
        host.put("/sys/devices/system/cpu/online", &format!("0-{}\n", total - 1));
        host.put("/sys/devices/system/cpu/isolated", "\n");
        for cpu in 0..total {
            let core = cpu % (sockets * cores);
            let siblings: Vec<String> =
                (0..threads).map(|thread| (core + thread * sockets * cores).to_string()).collect();
            let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
            host.put(&path, &format!("{}\n", siblings.join(",")));
        }
        for node in 0..sockets {
            let range = |thread: usize| {
                let first = node * cores + thread * sockets * cores;
                format!("{first}-{}", first + cores - 1)
            };
            let list: Vec<String> = (0..threads).map(range).collect();
            host.put(&format!("/sys/devices/system/node/node{node}/cpulist"), &format!("{}\n", list.join(",")));
        }
        host.put("/sys/class/net/lo/type", "772\n");
        Self { host, cpus: total, lines: String::new(), next: 24 }
    }

    fn line(&mut self, name: &str) -> u32 {
        let number = self.next;
        self.next += 1;
        let counts: String = (0..self.cpus).map(|cpu| format!(" {:>10}", if cpu == 0 { 7 } else { 0 })).collect();
        writeln!(self.lines, "{number:>4}:{counts}  IR-PCI-MSI {}-edge      {name}", 524_288 + number).unwrap();
        self.host.put(&format!("/proc/irq/{number}/smp_affinity_list"), &format!("0-{}\n", self.cpus - 1));
        number
    }

    fn card(&mut self, card: &Card<'_>) -> &mut Self {
        let interface = format!("/sys/class/net/{}", card.name);
        for (file, text) in [("flags", "0x1003\n"), ("type", "1\n")] {
            self.host.put(&format!("{interface}/{file}"), text);
        }
        for (direction, count) in [("rx", card.queues.0), ("tx", card.queues.1)] {
            for queue in 0..count {
                let files: &[&str] = if direction == "rx" { &["rps_cpus", "rps_flow_cnt"] } else { &["xps_cpus"] };
                for file in files {
                    self.host.put(&format!("{interface}/queues/{direction}-{queue}/{file}"), "0\n");
                }
            }
        }
        for name in &card.interrupts {
            let number = self.line(name);
            self.host.put(&format!("{}/msi_irqs/{number}", card.device), "msix\n");
        }
        self.host.put(&format!("{}/numa_node", card.device), &format!("{}\n", card.node));
        let target = if card.virtio { format!("{}/virtio0", card.device) } else { card.device.to_owned() };
        std::fs::create_dir_all(self.host.at(&target)).unwrap();
        std::os::unix::fs::symlink(self.host.at(&target), self.host.at(&format!("{interface}/device"))).unwrap();
        self
    }

    fn enslave(&mut self, card: &str, bond: &str) -> &mut Self {
        self.host.put(&format!("/sys/class/net/{bond}/type"), "1\n");
        let link = self.host.at(&format!("/sys/class/net/{card}/master"));
        std::os::unix::fs::symlink(format!("../{bond}"), link).unwrap();
        self
    }

    fn survey(&self, leave: &str) -> Survey {
        let header: String = (0..self.cpus).map(|cpu| format!("       CPU{cpu}")).collect();
        self.host
            .put("/proc/interrupts", &format!("{header}\n{} NMI:          0   Non-maskable interrupts\n", self.lines));
        let spread = Spread { leave_cpus: CpuSet::parse_list(leave).unwrap(), ..Spread::default() };
        Survey::new(&self.host.machine, &spread).unwrap()
    }
}

fn names(count: usize, name: impl Fn(usize) -> String) -> Vec<String> {
    (0..count).map(name).collect()
}

/// Each card with its interrupts, and what RPS and XPS do.
fn show(survey: &Survey) -> String {
    let mut text = String::new();
    for (nic, layout) in survey.nics.iter().zip(&survey.layouts) {
        let master = nic.master.as_deref().map(|master| format!(" in {master}")).unwrap_or_default();
        writeln!(text, "{}{master}, node {}, {} cores", nic.name, nic.node, survey.cores(nic)).unwrap();
        let cpus: Vec<String> = layout.interrupts.iter().map(|(number, cpu)| format!("{number}→{cpu}")).collect();
        writeln!(text, "  interrupts {}", cpus.join(" ")).unwrap();
        let sets =
            |sets: &[CpuSet]| sets.iter().map(|set| Value::List(set.clone()).show()).collect::<Vec<_>>().join(" ");
        writeln!(text, "  rps {}; {} flows each", sets(&layout.receive), layout.flows).unwrap();
        writeln!(text, "  xps {}", sets(&layout.transmit)).unwrap();
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

#[test]
fn two_sockets_with_a_bond_and_more_queues_than_cores_of_a_node() {
    let mut tree = Tree::new(2, 12, 2);
    for (name, device) in
        [("ens1f0", "/sys/devices/pci0000:3a/0000:3b:00.0"), ("ens1f1", "/sys/devices/pci0000:3a/0000:3b:00.1")]
    {
        let mut interrupts = names(32, |queue| format!("i40e-{name}-TxRx-{queue}"));
        interrupts.insert(0, format!("i40e-{}:misc", &device[device.len() - 12..]));
        tree.card(&Card { name, device, node: 1, queues: (32, 32), interrupts, virtio: false });
        tree.enslave(name, "bond0");
    }
    let survey = tree.survey("");
    insta::assert_snapshot!(show(&survey));
    let all = survey.layouts.iter().flat_map(|layout| layout.interrupts.values());
    assert!(all.clone().all(|cpu| (12..24).contains(cpu) || (36..48).contains(cpu)), "the cards are on node 1");
}

#[test]
fn a_virtual_machine_with_one_queue_shares_the_work_of_receiving() {
    let mut tree = Tree::new(1, 4, 1);
    let interrupts = ["virtio0-config", "virtio0-input.0", "virtio0-output.0"].map(str::to_owned).to_vec();
    let device = "/sys/devices/pci0000:00/0000:00:03.0";
    tree.card(&Card { name: "eth0", device, node: -1, queues: (1, 1), interrupts, virtio: true });
    insta::assert_snapshot!(show(&tree.survey("")), @"
    eth0, node 0, 4 cores
      interrupts 25→0 26→0
      rps 1-3; 32768 flows each
      xps
    ");
    insta::assert_snapshot!(show(&tree.survey("0")), @"
    eth0, node 0, 3 cores
      interrupts 25→1 26→1
      rps 2-3; 32768 flows each
      xps
    ");
}

#[test]
fn interrupts_of_queues_that_are_not_used_take_no_cpu() {
    let mut tree = Tree::new(1, 2, 1);
    let interrupts = names(4, |queue| format!("virtio0-input.{queue}"));
    let device = "/sys/devices/pci0000:00/0000:00:03.0";
    tree.card(&Card { name: "eth0", device, node: -1, queues: (1, 1), interrupts, virtio: true });
    insta::assert_snapshot!(show(&tree.survey("")), @"
    eth0, node 0, 2 cores
      interrupts 24→0
      rps 1; 32768 flows each
      xps
    ");
}

#[test]
fn the_interrupts_of_disks_are_never_touched() {
    let mut tree = Tree::new(1, 4, 1);
    let disk: Vec<u32> = (0..5).map(|queue| tree.line(&format!("nvme0q{queue}"))).collect();
    let interrupts = names(4, |queue| format!("mlx5_comp{queue}@pci:0000:5e:00.0"));
    let interrupts = [vec!["mlx5_async0@pci:0000:5e:00.0".to_owned()], interrupts].concat();
    let device = "/sys/devices/pci0000:5d/0000:5e:00.0";
    tree.card(&Card { name: "ens2", device, node: 0, queues: (4, 4), interrupts, virtio: false });
    let survey = tree.survey("");
    insta::assert_snapshot!(show(&survey), @"
    ens2, node 0, 4 cores
      interrupts 30→0 31→1 32→2 33→3
      rps - - - -; 0 flows each
      xps 0 1 2 3
    ");
    assert!(survey.interrupts().is_disjoint(&disk.into_iter().collect()));
}

#[test]
fn more_queues_than_cpus_share_them() {
    let mut tree = Tree::new(1, 2, 1);
    let interrupts = names(4, |queue| format!("virtio1-input.{queue}"));
    let outputs = names(4, |queue| format!("virtio1-output.{queue}"));
    let interrupts = interrupts.into_iter().zip(outputs).flat_map(|(input, output)| [input, output]).collect();
    let device = "/sys/devices/pci0000:00/0000:00:04.0";
    tree.card(&Card { name: "eth1", device, node: -1, queues: (4, 4), interrupts, virtio: true });
    insta::assert_snapshot!(show(&tree.survey("")), @"
    eth1, node 0, 2 cores
      interrupts 24→0 25→0 26→1 27→1 28→0 29→0 30→1 31→1
      rps - - - -; 0 flows each
      xps 0 1 0 1
    ");
}

#[test]
fn fewer_queues_than_cores_leave_no_sender_without_one() {
    let mut tree = Tree::new(1, 8, 2);
    let interrupts = names(4, |queue| format!("eth0-TxRx-{queue}"));
    let device = "/sys/devices/pci0000:00/0000:02:00.0";
    tree.card(&Card { name: "eth0", device, node: 0, queues: (4, 4), interrupts, virtio: false });
    insta::assert_snapshot!(show(&tree.survey("")), @"
    eth0, node 0, 8 cores
      interrupts 24→0 25→1 26→2 27→3
      rps 4-15 4-15 4-15 4-15; 8192 flows each
      xps 0,4,8,12 1,5,9,13 2,6,10,14 3,7,11,15
    ");
}

#[test]
fn cards_that_are_down_or_not_real_are_left_out() {
    let mut tree = Tree::new(1, 2, 1);
    let device = "/sys/devices/pci0000:00/0000:03:00.0";
    let interrupts = vec!["eth0".to_owned()];
    tree.card(&Card { name: "eth0", device, node: 0, queues: (1, 1), interrupts, virtio: false });
    assert_eq!(tree.survey("").interrupts().len(), 1, "its only interrupt is a queue's, whatever it is called");
    tree.host.put("/sys/class/net/eth0/flags", "0x1002\n");
    tree.host.put("/sys/class/net/cali0/flags", "0x1003\n");
    tree.host.put("/sys/class/net/cali0/type", "1\n");
    tree.host.put("/sys/class/net/bonding_masters", "bond0\n");
    assert!(tree.survey("").nics.is_empty());
}

#[test]
fn differences_are_told_written_and_gone() {
    let mut tree = Tree::new(1, 4, 1);
    let interrupts = names(2, |queue| format!("eth0-TxRx-{queue}"));
    let device = "/sys/devices/pci0000:00/0000:02:00.0";
    tree.card(&Card { name: "eth0", device, node: 0, queues: (2, 2), interrupts, virtio: false });
    tree.host.put("/proc/sys/net/core/rps_sock_flow_entries", "0\n");
    let machine = tree.host.machine.clone();
    let differences = tree.survey("").differences(&machine).unwrap();
    let counts: Vec<_> = differences.iter().map(|found| (found.of.as_str(), found.settings.len())).collect();
    assert_eq!(counts, [("eth0", 8), (SHARED, 1)]);
    for (setting, _) in differences.iter().flat_map(|found| &found.settings) {
        assert_eq!(setting.write(&machine).unwrap(), Written::Done);
    }
    assert!(tree.survey("").differences(&machine).unwrap().is_empty());
    assert_eq!(tree.host.get("/sys/class/net/eth0/queues/rx-1/rps_cpus"), "0000000c\n");
    // More flows than we ask for are somebody's wish.
    tree.host.put("/proc/sys/net/core/rps_sock_flow_entries", "65536\n");
    assert!(tree.survey("").differences(&machine).unwrap().is_empty());
    // What the kernel keeps for itself is no difference, until the next boot.
    tree.host.put("/proc/irq/24/smp_affinity_list", "0-3\n");
    assert_eq!(tree.survey("").differences(&machine).unwrap().len(), 1);
    note_managed(&machine, 24).unwrap();
    let survey = tree.survey("");
    assert!(survey.differences(&machine).unwrap().is_empty());
    let rows = survey.rows(&machine).unwrap();
    assert_eq!((rows[0].managed, rows[0].cpus.as_str(), rows[0].wanted.as_str()), (true, "0-3", "0"));
    assert_eq!((rows[1].managed, rows[1].receive.as_str(), rows[1].count), (false, "2-3", 7));
}

proptest! {
    /// On any host: every queue has exactly one CPU, on its card's node, and no CPU has two queues more than another.
    #[test]
    fn loads_differ_by_at_most_one(
        nodes in 1_u32..4,
        cores in 1_u32..16,
        threads in 1_u32..3,
        cards in prop::collection::vec((0_u32..4, 1_usize..40, 1_usize..40), 1..6),
    ) {
        let cpus: Vec<Cpu> = (0..nodes * cores * threads)
            .map(|number| Cpu { number, node: number % (nodes * cores) / cores, core: number % (nodes * cores) })
            .collect();
        let cards: Vec<Nic> = cards.into_iter().enumerate().map(|(index, (node, queues, transmit))| Nic {
            name: format!("eth{index}"),
            master: None,
            node: node % nodes,
            receive: queues,
            transmit,
            interrupts: (0..queues)
                .map(|queue| {
                    let number = u32::try_from(index * 100 + queue).unwrap();
                    (number, Vector { queue, name: String::new(), count: 0 })
                })
                .collect(),
        }).collect();
        let mut loads: BTreeMap<u32, usize> = cpus.iter().map(|cpu| (cpu.number, 0)).collect();
        for (card, layout) in cards.iter().zip(layout(&Cpus::new(&cpus, &CpuSet::default()), &cards)) {
            prop_assert_eq!(layout.interrupts.len(), card.receive);
            let near: Vec<u32> = cpus.iter().filter(|cpu| cpu.node == card.node).map(|cpu| cpu.number).collect();
            for cpu in layout.interrupts.values() {
                prop_assert!(near.contains(cpu));
                *loads.get_mut(cpu).unwrap() += 1;
            }
            // Every CPU of the node has a queue to send by, and exactly one where there are no more queues than CPUs.
            if card.transmit > 1 {
                let mut senders: Vec<u32> = layout.transmit.iter().flat_map(|set| set.iter()).collect();
                prop_assert!(layout.transmit.iter().all(|set| !set.is_empty()));
                if card.transmit <= near.len() {
                    prop_assert_eq!(senders.len(), near.len());
                }
                senders.sort_unstable();
                senders.dedup();
                prop_assert_eq!(senders.len(), near.len());
            }
            for set in &layout.receive {
                prop_assert!(set.iter().all(|cpu| near.contains(&cpu) && !layout.interrupts.values().any(|busy| *busy == cpu)));
            }
        }
        for node in 0..nodes {
            let on_node = cpus.iter().filter(|cpu| cpu.node == node).map(|cpu| loads[&cpu.number]);
            let (least, most) = (on_node.clone().min().unwrap(), on_node.max().unwrap());
            prop_assert!(most - least <= 1, "node {}: {:?}", node, loads);
        }
    }
}

//! `kubewright hosts`.

use serde_json::json;

use super::{Exit, Failure, InventoryArgs};
use crate::cluster::{Cluster, DataDisk, DeviceRule, Host};
use crate::report::{self, Format};

/// List the hosts of an inventory, ranges expanded
#[derive(Debug, clap::Args)]
#[command(after_help = "For scripts and other tools: kubewright hosts -i cluster.yaml -o json | jq -r '.[].address'")]
pub(super) struct Args {
    #[command(flatten)]
    inventory: InventoryArgs,
    /// Output format
    #[arg(short, long, value_enum, default_value_t, env = "KUBEWRIGHT_OUTPUT")]
    output: Format,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let cluster = self.inventory.load()?;
        match self.output {
            Format::Human => report::print(&table(&cluster)),
            Format::Json => report::print(&serde_json::to_string_pretty(&as_json(&cluster))?),
        }
        Ok(Exit::Done)
    }
}

fn roles(host: &Host) -> Vec<&'static str> {
    host.roles.iter().map(|role| role.as_str()).collect()
}

fn table(cluster: &Cluster) -> String {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    let row = |host: &Host| {
        let (idc, rack) = (or_dash(&host.idc), or_dash(&host.rack));
        vec![host.name.to_string(), host.address.to_string(), roles(host).join(","), idc, rack]
    };
    let rows: Vec<_> = cluster.hosts.iter().map(row).collect();
    report::table(&["HOST", "ADDRESS", "ROLES", "IDC", "RACK"], &rows)
}

fn as_json(cluster: &Cluster) -> serde_json::Value {
    let host = |host: &Host| {
        json!({
            "name": host.name.as_str(),
            "address": host.address,
            "roles": roles(host),
            "idc": host.idc,
            "rack": host.rack,
            "disks": host.disks.iter().map(disk).collect::<Vec<_>>(),
        })
    };
    cluster.hosts.iter().map(host).collect()
}

/// What it is for, and which device: a path, or bounds of its size in bytes, where there are any.
fn disk(disk: &DataDisk) -> serde_json::Value {
    let (device, least, most) = match &disk.device {
        DeviceRule::Path(path) => (Some(path), None, None),
        DeviceRule::Size(rule) => {
            (None, Some(rule.least).filter(|least| *least > 0), Some(rule.most).filter(|most| *most < u64::MAX))
        }
    };
    json!({"for": disk.purpose.as_str(), "device": device, "least": least, "most": most})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_expanded() {
        let text = "apiVersion: kubewright.dev/v1alpha1\nkind: Cluster\nmetadata: {name: a}\nspec:\n  image: oci:x\n  \
            ssh: {user: root}\n  hosts:\n    - {name: \"m[1-3]\", address: \"10.1.0.[11-13]\", roles: [control-plane, etcd], rack: \"r[1-3]\"}\n    \
            - {name: n1, address: 10.1.1.1, roles: [worker], idc: bj1}\n";
        let cluster = crate::inventory::parse("a.yaml", text, &|_| None).unwrap();
        insta::assert_snapshot!(table(&cluster));
        assert_eq!(
            as_json(&cluster)[1],
            json!({
                "name": "m2", "address": "10.1.0.12", "roles": ["control-plane", "etcd"], "idc": null, "rack": "r2", "disks": [],
            })
        );
    }

    #[test]
    fn machines_can_be_given_the_disks_that_the_inventory_wants() {
        let text = "apiVersion: kubewright.dev/v1alpha1\nkind: Cluster\nmetadata: {name: a}\nspec:\n  image: oci:x\n  \
            disks: [{for: etcd, device: /dev/vdb}]\n  hosts:\n    \
            - {name: m1, address: 10.1.0.11, roles: [control-plane, etcd, worker], disks: [{for: logs, size: \">=10GiB\"}]}\n";
        let cluster = crate::inventory::parse("a.yaml", text, &|_| None).unwrap();
        let mut disks = as_json(&cluster)[0]["disks"].as_array().unwrap().clone();
        disks.sort_by_key(|disk| disk["for"].to_string());
        assert_eq!(disks[0], json!({"for": "etcd", "device": "/dev/vdb", "least": null, "most": null}));
        assert_eq!(disks[1], json!({"for": "logs", "device": null, "least": 10_u64 << 30, "most": null}));
    }
}

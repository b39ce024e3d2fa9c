//! Deletes the interfaces and routes that pods and service addresses lived on.

use super::super::machine::Machine;
use super::super::protocol::{Action, Failure};
use super::super::tool::tool;
use super::Work;
use crate::desired::state::Part;

const NAMES: [&str; 5] = ["cni0", "kube-ipvs0", "nodelocaldns", "vxlan.calico", "flannel.1"];
const PREFIXES: [&str; 2] = ["kubewright", "cali"];
/// Batch of `ip` with the routes to the pods of the other nodes.
const ROUTES: &str = "/etc/kubernetes/network/routes";

pub(super) fn delete(work: &mut Work) {
    routes(work);
    let links = work.look(work.machine.names("/sys/class/net"));
    let ours =
        |name: &&String| NAMES.contains(&name.as_str()) || PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    for name in links.iter().filter(ours) {
        let resource = format!("link {name}");
        work.step(Part::Network, &resource, Action::Remove, "deleted", |machine| {
            let command = tool(machine, "ip").args(["link", "delete", "dev", name]);
            Work::run(machine, &resource, &command)
        });
    }
}

fn routes(work: &mut Work) {
    let machine = work.machine;
    let Some(batch) = work.look(machine.text(ROUTES)) else { return };
    let family = if batch.contains("::") { "-6" } else { "-4" };
    let listed = work.look(list(machine, family));
    let batch = deletions(&batch, &listed);
    let count = batch.lines().count();
    if count == 0 {
        return;
    }
    work.step(
        Part::Network,
        "routes to the pods of other nodes",
        Action::Remove,
        format!("{count} deleted"),
        |machine| {
            let command = tool(machine, "ip").args([family, "-batch", "-"]);
            let fed = machine.system.feed(&command, &mut batch.as_bytes());
            fed.map(drop).map_err(|error| Failure::command("routes", &error))
        },
    );
}

fn list(machine: &Machine, family: &str) -> Result<String, Failure> {
    let listed = machine.system.run(&tool(machine, "ip").args([family, "route", "show"]));
    listed.map(|output| output.text()).map_err(|error| Failure::command("routes", &error))
}

/// The batch that deletes what the batch `made` has made, as far as it is `listed`.
fn deletions(made: &str, listed: &str) -> String {
    let there = |route: &&str| listed.lines().any(|line| line.starts_with(&format!("{route} ")) || line == *route);
    let routes = made.lines().filter_map(|line| line.trim().strip_prefix("route replace "));
    routes.filter(there).map(|route| format!("route delete {route}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_routes_that_are_there_are_deleted() {
        let made = "route replace 10.244.1.0/24 via 10.0.0.2\nroute replace 10.244.2.0/24 via 10.0.0.3\n";
        let listed = "default via 10.0.0.1 dev eth0\n10.244.1.0/24 via 10.0.0.2 dev eth0 \n10.244.2.0/24 via 10.0.0.33 dev eth0\n";
        assert_eq!(deletions(made, listed), "route delete 10.244.1.0/24 via 10.0.0.2\n");
    }
}

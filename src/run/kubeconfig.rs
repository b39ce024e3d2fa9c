//! The administrator's kubeconfig, read from a master.

use std::net::SocketAddr;

use super::failure::{HostFailure, RunError};
use super::fleet::{Fleet, unexpected};
use super::subject::Subject;
use crate::cluster::{Endpoint, EndpointMode, Role};
use crate::host::protocol::{Reply, ToAgent};
use crate::report::Events;

const ADMIN: &str = "/etc/kubernetes/admin.conf";

/// Reads it from whichever master answers. `server` replaces the server in it; without one, a `local` endpoint, which
/// exists on the hosts only, is replaced by the first master's own address.
pub async fn kubeconfig(subject: &Subject<'_>, server: Option<&str>, events: &Events) -> Result<String, RunError> {
    let masters = subject.cluster.with_role(Role::ControlPlane);
    let (fleet, mut failures) = Fleet::connect(masters, subject.connector, subject.parallel, events).await;
    let outcomes = fleet
        .each(
            |_| true,
            async |member| match member.ask("read the kubeconfig", ToAgent::Read { paths: vec![ADMIN.into()] }).await? {
                Reply::Files { mut files } => Ok(files.remove(ADMIN).flatten()),
                other => Err(unexpected("read the kubeconfig", &other)),
            },
        )
        .await;
    let answered = outcomes.ok.len();
    let Some(text) = outcomes.ok.into_values().flatten().next() else {
        failures.extend(outcomes.failed);
        failures.push(none(answered));
        return Err(RunError::Failed(failures));
    };
    let own = subject.cluster.with_role(Role::ControlPlane).next();
    let server = match (server, &subject.cluster.endpoint.mode, own) {
        (Some(server), _, _) => Some(server.to_owned()),
        (None, EndpointMode::Local, Some(host)) => {
            Some(format!("https://{}", SocketAddr::new(host.address, Endpoint::APISERVER_PORT)))
        }
        _ => None,
    };
    Ok(server.map_or_else(|| text.clone(), |server| with_server(&text, &server)))
}

/// That there is none, where so many masters `answered`: of those that did not, nobody knows what they have.
fn none(answered: usize) -> HostFailure {
    const WHAT: &str = "read the kubeconfig";
    match answered {
        0 => HostFailure::cluster(WHAT, "no master could be asked"),
        _ => HostFailure::cluster(WHAT, "no master that answers has one").hint("run `kubewright install`"),
    }
}

/// Replaces the value of the one `server:` line.
fn with_server(text: &str, server: &str) -> String {
    let line = |line: &str| match line.find("server: ") {
        Some(at) if line[..at].chars().all(|c| c == ' ' || c == '-') => format!("{}server: {server}", &line[..at]),
        _ => line.to_owned(),
    };
    text.lines().map(line).map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_masters_that_answer_make_it_a_cluster_to_install() {
        let told = |answered| super::RunError::Failed(vec![super::none(answered)]).to_string();
        assert!(told(0).contains("no master could be asked") && !told(0).contains("install"), "{}", told(0));
        assert!(told(2).contains("has one") && told(2).contains("run `kubewright install`"), "{}", told(2));
    }

    #[test]
    fn only_the_server_changes() {
        let text = "clusters:\n- cluster:\n    server: https://api:6443\n  name: x # server: y\n";
        assert_eq!(
            super::with_server(text, "https://10.0.0.1:6443"),
            "clusters:\n- cluster:\n    server: https://10.0.0.1:6443\n  name: x # server: y\n"
        );
    }
}

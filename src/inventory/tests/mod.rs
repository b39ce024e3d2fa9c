//! Whole inventories: what good ones mean, and what is said about bad ones.

mod bad;
mod good;
mod hints;
mod many;
mod random;

use crate::cluster::Cluster;

use super::{Report, parse};

/// The variables that tests see.
fn environment(name: &str) -> Option<String> {
    match name {
        "HOME" => Some("/home/me".into()),
        "SSH_USER" => Some("ops".into()),
        "PORT" => Some("2222".into()),
        "TRICKY" => Some("x, roles: [worker]}\n- evil: true # ${HOME}".into()),
        _ => None,
    }
}

fn load(text: &str) -> Result<Cluster, Report> {
    parse("/inv/cluster.yaml", text, &environment)
}

/// A valid inventory whose `spec` begins with `sections`, and whose hosts are a single one.
fn single(sections: &str) -> String {
    with_hosts(sections, "    - {name: m1, address: 10.1.0.11, roles: [control-plane, etcd, worker]}\n")
}

fn with_hosts(sections: &str, hosts: &str) -> String {
    format!(
        "apiVersion: kubewright.dev/v1alpha1\nkind: Cluster\nmetadata: {{name: test}}\nspec:\n  image: oci:k8s\n\
         {sections}  hosts:\n{hosts}"
    )
}

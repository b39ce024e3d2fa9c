//! Variables of kubespray that are known and have no field in our inventory, and what to do about each.

use crate::migrate::draft::NEEDLESS;

const MIRRORS: &str =
    "registries of workloads are not configured: write files below /etc/containerd/certs.d/ on the hosts";
const ADDON: &str = "an add-on: bring its manifests under `addons`";
const STORAGE: &str = "storage is an add-on: bring its manifests under `addons`";
const CLOUD: &str = "kubewright is for bare hosts: a cloud's controllers are add-ons";
const RUNTIME: &str = "containerd is set up by kubewright";
const RESERVE: &str = "kubewright sets what is reserved and evicted on nodes itself";
const SYSTEM: &str =
    "kubewright installs no packages and does not change the host's own services, except under `services`";
const WEBHOOK: &str = "needs a file on the masters, and kubewright brings none there";
const DNS: &str = "CoreDNS is set up by `network.dns`: upstreams, stubDomains, cache, replicas, nodeLocal";
const VIP: &str = "keepalived moves the address, by VRRP in one layer-2 network";
const PLUGIN: &str = "belongs to a network plugin that kubewright does not bring";
const CALICO: &str = "Calico is set up by `network.calico`, which has no field for it; see `felix.extra`";
const CERTIFICATES: &str = "certificates are renewed by every install and upgrade; `pki` has algorithm and lifetimes";

/// Names, and why they are left out. `*` stands for anything, at one end. The first one that fits counts.
const TABLE: &[(&str, &str)] = &[
    ("metrics_server*", "an add-on: inventories/addons/ has an example for metrics-server"),
    ("ingress_nginx*", "an add-on: inventories/addons/ has an example for ingress-nginx"),
    ("ingress_*", ADDON),
    ("node_problem_detector*", "an add-on: inventories/addons/ has an example for node-problem-detector"),
    ("node_feature_discovery*", ADDON),
    ("cert_manager*", ADDON),
    ("argocd*", ADDON),
    ("dashboard*", ADDON),
    ("metallb*", ADDON),
    ("registry_host", NEEDLESS),
    ("registry_*", ADDON),
    ("scheduler_plugins*", ADDON),
    ("gateway_api*", ADDON),
    ("prometheus_operator*", ADDON),
    ("deploy_netchecker", "`kubewright check network` tries the network from within pods"),
    ("netchecker*", "`kubewright check network` tries the network from within pods"),
    ("helm_enabled", NEEDLESS),
    ("krew*", NEEDLESS),
    ("local_path_provisioner*", STORAGE),
    ("local_volume_provisioner*", STORAGE),
    ("cephfs_*", STORAGE),
    ("rbd_*", STORAGE),
    ("csi_*", STORAGE),
    ("*_csi_enabled", STORAGE),
    ("persistent_volumes*", STORAGE),
    ("snapshot_controller*", STORAGE),
    ("volume_cross_zone_attachment", CLOUD),
    ("cloud_provider", CLOUD),
    ("external_cloud_provider", CLOUD),
    ("external_*", CLOUD),
    ("openstack_*", CLOUD),
    ("cinder_*", CLOUD),
    ("vsphere_*", CLOUD),
    ("aws_*", CLOUD),
    ("azure_*", CLOUD),
    ("kube_oidc_ca_file", WEBHOOK),
    ("kube_webhook_*", WEBHOOK),
    ("kube_token_auth", WEBHOOK),
    ("kubernetes_audit*", "audit needs a policy file on the masters, and kubewright brings none there"),
    ("audit_*", "audit needs a policy file on the masters, and kubewright brings none there"),
    ("kube_encrypt*", "secrets are not encrypted in etcd by kubewright; snapshots of etcd are, with `recipients`"),
    ("podsecuritypolicy*", "gone from Kubernetes since 1.25"),
    ("kube_pod_security_*", WEBHOOK),
    (
        "kube_apiserver_enable_admission_plugins",
        "write `controlPlane.extraArgs.kube-apiserver.enable-admission-plugins`",
    ),
    (
        "kube_apiserver_disable_admission_plugins",
        "write `controlPlane.extraArgs.kube-apiserver.disable-admission-plugins`",
    ),
    ("kube_apiserver_admission*", WEBHOOK),
    ("kube_apiserver_node_port_range*", "NodePorts are 30000 to 32767"),
    ("kube_apiserver_port", "API servers listen on 6443; `endpoint.port` is what clients dial"),
    ("kube_apiserver_ip", NEEDLESS),
    ("kube_apiserver_bind_address", NEEDLESS),
    ("kube_apiserver_*", "write flags under `controlPlane.extraArgs`"),
    ("kube_controller_*", "write flags under `controlPlane.extraArgs`"),
    ("kube_scheduler_*", "write flags under `controlPlane.extraArgs`"),
    ("tls_*", "write flags under `controlPlane.extraArgs`"),
    ("kube_api_anonymous_auth", "write flags under `controlPlane.extraArgs`"),
    ("kube_profiling", "write flags under `controlPlane.extraArgs`"),
    ("kube_log_level", "write flags under `controlPlane.extraArgs`"),
    ("kube_feature_gates", "write `feature-gates` under `controlPlane.extraArgs`; kubelets have no gates of yours"),
    ("kubelet_*", RESERVE),
    ("kube_reserved*", RESERVE),
    ("system_reserved*", RESERVE),
    ("*_reserved", RESERVE),
    ("eviction_*", RESERVE),
    (
        "kube_proxy_*",
        "kube-proxy is set up by `network.proxy`: mode, scheduler, timeouts, excludeCidrs, nodePortAddresses",
    ),
    ("kube_network_plugin_multus", PLUGIN),
    ("multus_*", PLUGIN),
    ("cilium_*", PLUGIN),
    ("flannel_*", PLUGIN),
    ("kube_ovn_*", PLUGIN),
    ("kube_router_*", PLUGIN),
    ("weave_*", PLUGIN),
    ("macvlan_*", PLUGIN),
    ("kube_vip_*", VIP),
    ("calico_*", CALICO),
    ("typha_*", "`network.calico.typha` says how many Typhas there are; they always speak TLS"),
    ("nat_outgoing_ipv6", "clusters of kubewright have one address family"),
    ("*_ipv6", "clusters of kubewright have one address family"),
    ("nodelocaldns_*", "`network.dns.nodeLocal` answers at 169.254.20.10 and takes its zones from `network.dns`"),
    ("enable_nodelocaldns_secondary", DNS),
    ("coredns_*", DNS),
    ("enable_coredns_*", DNS),
    ("dns_*", DNS),
    ("enable_dns_autoscaler", DNS),
    ("manual_dns_server", DNS),
    ("skydns_server*", NEEDLESS),
    ("ndots", NEEDLESS),
    ("searchdomains", DNS),
    ("remove_default_searchdomains", DNS),
    ("nameservers", DNS),
    ("resolvconf_mode", NEEDLESS),
    ("etcd_data_dir", "etcd's data are in /var/lib/etcd; `disks: [{for: etcd, …}]` puts them on a disk of their own"),
    ("etcd_*", "etcd is set up by kubewright; `etcd` has heartbeat, election, quota and snapshots"),
    ("container_manager*", RUNTIME),
    ("containerd_registries_mirrors", MIRRORS),
    ("containerd_insecure_registries", MIRRORS),
    ("containerd_registry_auth", MIRRORS),
    ("*_registries*", MIRRORS),
    ("docker_*", NEEDLESS),
    ("containerd_*", RUNTIME),
    ("crio_*", NEEDLESS),
    ("kata_*", RUNTIME),
    ("gvisor_*", RUNTIME),
    ("crun_*", RUNTIME),
    ("nvidia_*", "drivers and runtimes for GPUs are yours to install"),
    ("*_image_repo", NEEDLESS),
    ("*_image_tag", NEEDLESS),
    ("*_version", NEEDLESS),
    ("*_download_url", NEEDLESS),
    ("*_checksum*", NEEDLESS),
    ("files_repo", NEEDLESS),
    ("*_repo", NEEDLESS),
    ("download_*", NEEDLESS),
    ("local_release_dir", NEEDLESS),
    ("http_proxy", "image build and pull take HTTPS_PROXY from the environment; the hosts fetch nothing"),
    ("https_proxy", "image build and pull take HTTPS_PROXY from the environment; the hosts fetch nothing"),
    ("*no_proxy*", "image build and pull take HTTPS_PROXY from the environment; the hosts fetch nothing"),
    ("kubeconfig_localhost*", NEEDLESS),
    ("kubectl_localhost", NEEDLESS),
    ("auto_renew_certificates*", CERTIFICATES),
    ("cert_management", CERTIFICATES),
    ("kube_external_ca_mode", CERTIFICATES),
    ("kubeadm_*", NEEDLESS),
    ("upgrade_*", "`upgrade` has maxUnavailable and drain"),
    ("drain_*", "`upgrade` has maxUnavailable and drain"),
    ("serial", "`upgrade` has maxUnavailable and drain"),
    ("ntp_*", SYSTEM),
    ("disable_swap", "`kernel.swap` says what nodes do with swap"),
    ("preinstall_*", SYSTEM),
    ("rh_subscription_*", SYSTEM),
    ("*_packages", SYSTEM),
    ("firewalld*", "`services: {firewalld: stop}` stops it"),
    ("loadbalancer_apiserver*", NEEDLESS),
    ("enable_dual_stack_networks", "clusters of kubewright have one address family"),
    ("*_dir", NEEDLESS),
    ("kube_owner", NEEDLESS),
    ("kube_cert_group", NEEDLESS),
    ("kube_*_ns", NEEDLESS),
    ("retry_stagger", NEEDLESS),
    ("ignore_assert_errors", "`--ignore-preflight NAME` takes the findings of one check for warnings"),
    ("unsafe_show_logs", NEEDLESS),
    ("deploy_container_engine", NEEDLESS),
    ("k8s_image_pull_policy", NEEDLESS),
    ("ping_access_ip", NEEDLESS),
    ("ansible_*", NEEDLESS),
];

/// Why the variable `name` is left out, where that is known.
pub(super) fn why(name: &str) -> Option<&'static str> {
    TABLE.iter().find(|(pattern, _)| fits(pattern, name)).map(|(_, why)| *why)
}

/// Whether `false` of this variable asks for nothing.
pub(super) fn is_switch(name: &str) -> bool {
    name.contains("enable") || name.starts_with("deploy_") || why(name).is_some()
}

fn fits(pattern: &str, name: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(_), Some(_)) => name.contains(pattern.trim_matches('*')),
        (Some(end), None) => name.ends_with(end),
        (None, Some(start)) => name.starts_with(start),
        (None, None) => match pattern.split_once('*') {
            Some((start, end)) => name.starts_with(start) && name.ends_with(end),
            None => name == pattern,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_can_be_reached() {
        let sample = |pattern: &str| pattern.replace('*', "x");
        for (pattern, why_here) in TABLE {
            assert_eq!(why(&sample(pattern)), Some(*why_here), "a row before it hides {pattern}");
        }
        assert_eq!(why("something_else"), None);
        assert!(is_switch("x_enabled") && is_switch("kubelet_x") && !is_switch("other"));
    }
}

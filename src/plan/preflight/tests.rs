//! Each check against a cluster that has exactly what it looks for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::*;
use crate::cluster::{
    CacheAt, Calico, DistributionMode, DnsServer, Handling, Ipvs, Mount, NetworkPlugin, Overlay, Parts, ProxyMode,
    Route, Selinux, Service, SettingLine, Swap, Transport, Typha,
};
use crate::desired::fixture::Fixture;

/// A cluster in which nothing is wrong, and what a test makes wrong about it.
struct Scene {
    fixture: Fixture,
    measured: Measured,
    incoming: BTreeMap<HostName, u64>,
}

impl Scene {
    fn new(minor: u32) -> Self {
        let mut fixture = Fixture::new(minor);
        // IPVS is something to tell of in later ones.
        fixture.change(|parts| {
            parts.network.proxy.mode = ProxyMode::Iptables;
            parts.network.dns.server = DnsServer::None;
        });
        let names: Vec<String> = fixture.cluster.hosts.iter().map(|host| host.name.to_string()).collect();
        let mut measured = Measured::default();
        for name in &names {
            let facts = fixture.facts_of(name);
            facts.arch = "x86_64".into();
            facts.systemd = 252;
            facts.machine_id = format!("id of {name}");
            facts.product_uuid = "00000000-0000-0000-0000-000000000000".into();
            let (size, free, inodes, inodes_free) = (100 << 30, 80 << 30, 6_000_000, 5_900_000);
            let root = Mount {
                path: "/".into(),
                kind: "ext4".into(),
                options: "rw,relatime".into(),
                size,
                free,
                inodes,
                inodes_free,
            };
            facts.mounts = vec![root];
            facts.hostname = name.clone();
            facts.units.insert("chrony.service".into(), "active".into());
            facts.routes = vec![Route { destination: "0.0.0.0/0".parse().unwrap(), interface: "eth0".into() }];
            measured.clocks.insert(HostName::parse(name).unwrap(), 3);
        }
        Self { fixture, measured, incoming: BTreeMap::new() }
    }

    fn facts(&mut self, host: &str) -> &mut Facts {
        self.fixture.facts_of(host)
    }

    fn findings(&self) -> Vec<Finding> {
        self.findings_but(&[])
    }

    fn findings_but(&self, ignored: &[&'static str]) -> Vec<Finding> {
        // A host without its address cannot be rendered.
        let state = |host: &Host| Some((host.name.clone(), self.fixture.try_state(host.name.as_str()).ok()?));
        let states = self.fixture.cluster.hosts.iter().filter_map(state).collect();
        let subject = Subject {
            cluster: &self.fixture.cluster,
            image: &self.fixture.image,
            facts: &self.fixture.facts,
            states: &states,
            incoming: &self.incoming,
            measured: &self.measured,
        };
        check(&subject, &ignored.iter().copied().collect::<BTreeSet<_>>())
    }
}

fn name(text: &str) -> HostName {
    HostName::parse(text).unwrap()
}

/// Makes one thing wrong and returns the only finding.
#[track_caller]
fn only(minor: u32, wrong: impl FnOnce(&mut Scene)) -> String {
    let mut scene = Scene::new(minor);
    assert_eq!(scene.findings(), [], "nothing is wrong to begin with");
    wrong(&mut scene);
    let findings = scene.findings();
    assert_eq!(findings.len(), 1, "{findings:#?}");
    let Finding { check, severity, host, message, hint } = &findings[0];
    assert!(!hint.is_empty());
    format!("{severity} {check} {}: {message}", host.as_ref().map_or("cluster", |host| host.as_str()))
}

fn slow_disk(milliseconds: u64) -> String {
    only(36, |scene| {
        scene.measured.syncs.insert(name("m2"), Duration::from_millis(milliseconds));
    })
}

#[test]
fn each_check_finds_what_it_looks_for() {
    let mut lines = Vec::new();
    let mut on_n1 = |wrong: &dyn Fn(&mut Facts)| lines.push(only(36, |scene| wrong(scene.facts("n1"))));
    on_n1(&|facts| facts.systemd = 0);
    on_n1(&|facts| facts.arch = "aarch64".into());
    on_n1(&|facts| facts.kernel = "4.18.0-553.el8".into());
    on_n1(&|facts| facts.cgroup_version = 1);
    on_n1(&|facts| facts.memory = 500 << 20);
    on_n1(&|facts| facts.interfaces.get_mut("eth0").unwrap().addresses = vec!["10.9.9.9/24".into()]);
    on_n1(&|facts| facts.machine_id = "id of m1".into());
    on_n1(&|facts| drop(facts.listening.insert(10250, "java".into())));
    on_n1(&|facts| facts.interfaces.get_mut("eth0").unwrap().mtu = 9000);
    on_n1(&|facts| facts.routes.push(Route { destination: "10.244.7.0/24".parse().unwrap(), interface: "wg0".into() }));
    on_n1(&|facts| facts.mounts[0].free = 10 << 20);
    on_n1(&|facts| {
        facts.mounts.push(Mount { path: "/opt".into(), options: "rw,noexec".into(), ..facts.mounts[0].clone() })
    });
    on_n1(&|facts| {
        let var = Mount { path: "/var".into(), options: "rw,nosuid,nodev".into(), ..facts.mounts[0].clone() };
        facts.mounts.extend([Mount { path: "/var/lib/kubelet".into(), options: "rw".into(), ..var.clone() }, var]);
    });
    on_n1(&|facts| facts.swaps = vec!["/swapfile".into()]);
    on_n1(&|facts| drop(facts.units.insert("firewalld.service".into(), "active".into())));
    on_n1(&|facts| drop(facts.units.insert("nftables.service".into(), "active".into())));
    on_n1(&|facts| facts.static_pods = vec!["etcd.yaml".into()]);
    on_n1(&|facts| facts.hostname = "n2".into());
    on_n1(&|facts| facts.units.clear());
    on_n1(&|facts| facts.entropy = Some(60));
    on_n1(&|facts| facts.nameservers.clear());
    on_n1(&|facts| facts.nameservers.push("127.0.0.53".into()));
    on_n1(&|facts| facts.nameservers.extend(["10.1.0.3", "10.1.0.4", "10.1.0.5"].map(str::to_owned)));
    on_n1(&|facts| facts.security.selinux = Selinux::Enforcing);
    on_n1(&|facts| facts.security.apparmor = true);
    on_n1(&|facts| {
        facts.security.apparmor_parser = true;
        facts.security.apparmor = true;
        facts.security.restricts_user_namespaces = true;
    });
    lines.push(only(36, |scene| {
        scene.fixture.change(|parts| {
            parts.hosts[3].kernel.sysctls.insert("net.ipv4.ip_forward".into(), "0".into());
        });
    }));
    lines.push(only(36, |scene| scene.facts("m1").cpus = 1));
    lines.push(only(36, |scene| {
        scene.facts("n1").mounts[0].inodes_free = 1000;
        scene.incoming.insert(name("n1"), 1 << 20);
    }));
    lines.push(only(36, |scene| {
        scene.measured.clocks.insert(name("n2"), -1700);
    }));
    lines.push(slow_disk(12));
    lines.push(slow_disk(140));
    lines.push(only(36, |scene| drop(scene.measured.missing_modules.insert(name("n1"), vec!["ip_vs_sh".into()]))));
    lines.push(only(36, |scene| {
        let target = targets(&scene.fixture.cluster, scene.fixture.host("n1")).remove(0);
        scene.measured.unreachable.insert(name("n1"), vec![(target, "no answer for 2 s".into())]);
    }));
    lines.push(only(36, |scene| {
        scene.fixture.change(|parts| {
            parts.hosts[3].kernel.sysctls.insert("vm.swapiness".into(), "1".into());
        });
        scene.measured.missing_settings.insert(name("n1"), vec!["/proc/sys/vm/swapiness".into()]);
    }));
    lines.push(only(36, |scene| {
        scene.fixture.change(|parts| parts.hosts[3].kernel.tuning.hugepages.extend([(2 << 20, 64)]));
        scene.measured.missing_settings.insert(name("n1"), vec!["/sys/kernel/mm/hugepages/hugepages-2048kB".into()]);
    }));
    lines.push(only(36, |scene| {
        scene.fixture.change(|parts| parts.hosts[3].kernel.tuning.hugepages.extend([(1 << 30, 1000)]));
    }));
    lines.push(only(36, |scene| {
        let message = "disk for etcd: /dev/vdb (500 GiB) is not blank: it holds an XFS file system".into();
        scene.measured.unusable_disks.insert(name("m1"), vec![Problem { message, hint: "wipe it".into() }]);
    }));
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_service_is_told_with_the_line_that_handles_it() {
    for service in Service::ALL {
        let mut scene = Scene::new(36);
        let unit = service.units()[0];
        scene.facts("n1").units.insert(unit.into(), "active".into());
        let findings = scene.findings();
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(findings[0].severity, Severity::Warning);
        assert!(findings[0].hint.contains(&format!("services: {{{service}: stop}}")), "{}", findings[0].hint);
        scene.facts("n1").units.insert(unit.into(), "idle".into());
        assert_eq!(scene.findings(), [], "{service} that has nothing to do");
        scene.facts("n1").units.insert(unit.into(), "active".into());
        scene.fixture.change(|parts| parts.hosts[3].services.set(service, Handling::Stop));
        let severities: Vec<_> = scene.findings().into_iter().map(|finding| finding.severity).collect();
        assert_eq!(severities, [Severity::Note], "{service} is stopped by the run itself");
        let ignored: Vec<_> = scene.findings_but(&["services"]).into_iter().map(|finding| finding.severity).collect();
        assert_eq!(ignored, [Severity::Note], "ignoring makes nothing worse");
    }
}

#[test]
fn a_way_that_a_firewall_closes_counts_until_the_run_stops_it() {
    let mut scene = Scene::new(36);
    let from = scene.fixture.host("n1");
    let (one, other) = {
        let targets = targets(&scene.fixture.cluster, from);
        let of = |name: &str| targets.iter().find(|target| target.host.as_str() == name).unwrap().clone();
        (of("m1"), of("m2"))
    };
    scene.measured.unreachable.insert(name("n1"), vec![(one, "refused".into()), (other, "no answer".into())]);
    scene.facts("m1").units.insert("firewalld.service".into(), "active".into());
    let reachable = |scene: &Scene| {
        let found = scene.findings().into_iter().filter(|finding| finding.check == "reachable");
        found.map(|finding| format!("{} {}: {}", finding.severity, finding.message, finding.hint)).collect::<Vec<_>>()
    };
    assert_eq!(reachable(&scene).len(), 1);
    assert!(reachable(&scene)[0].starts_with("error") && reachable(&scene)[0].contains("m1"));
    scene.fixture.change(|parts| {
        parts.hosts.iter_mut().for_each(|host| host.services.set(Service::Firewalld, Handling::Stop));
    });
    let found = reachable(&scene);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].starts_with("error") && found[0].contains("m2") && !found[0].contains("m1"), "{}", found[0]);
    assert!(found[1].starts_with("warning") && found[1].contains("firewalld on m1 may be why"), "{}", found[1]);
}

#[test]
fn swap_that_the_inventory_allows_is_nothing_to_tell() {
    let mut scene = Scene::new(36);
    scene.facts("n1").swaps = vec!["/dev/zram0".into()];
    scene.fixture.change(|parts| parts.hosts[3].kernel.swap = Swap::Limited);
    assert_eq!(scene.findings(), []);
}

#[test]
fn every_check_has_a_case_or_is_named_here() {
    let tested = include_str!("snapshots/kubewright__plan__preflight__tests__each_check_finds_what_it_looks_for.snap");
    let elsewhere = ["sysctls", "proxy", "cluster-dns", "network-plugin", "living-network", "dns-cache"];
    for check in CHECKS {
        assert!(tested.contains(&format!(" {} ", check.name)) || elsewhere.contains(&check.name), "{}", check.name);
    }
}

#[test]
fn a_later_file_that_says_less_is_named_with_its_line() {
    let line = |key: &str, value: &str| SettingLine {
        file: "/etc/sysctl.d/99-local.conf".into(),
        line: 3,
        key: key.into(),
        value: value.into(),
    };
    let found = only(36, |scene| scene.facts("n1").later_sysctls = vec![line("net.core.somaxconn", "128")]);
    insta::assert_snapshot!(found, @"error sysctls n1: /etc/sysctl.d/99-local.conf:3 sets net.core.somaxconn = 128 after kubewright's file at boot; 32768 is wanted");
    let found = only(36, |scene| scene.facts("n1").later_sysctls = vec![line("net.ipv4.conf.*.rp_filter", "2")]);
    assert!(found.contains("net.ipv4.conf.*.rp_filter = 2"), "{found}");

    // Whoever wants more, or nothing that concerns us, may say so.
    let mut scene = Scene::new(36);
    scene.facts("n1").later_sysctls =
        vec![line("net.core.somaxconn", "128"), line("net.core.somaxconn", "65535"), line("kernel.sysrq", "1")];
    assert_eq!(scene.findings(), []);
    // And whoever has told the inventory.
    scene.facts("n1").later_sysctls = vec![line("net.core.somaxconn", "128")];
    scene.fixture.change(|parts: &mut Parts| {
        for host in &mut parts.hosts {
            host.kernel.sysctls.insert("net.core.somaxconn".into(), "128".into());
        }
    });
    assert_eq!(scene.findings(), []);
}

#[test]
fn hosts_have_the_processor_that_the_image_is_for() {
    let mut scene = Scene::new(36);
    scene.fixture.image.architecture = crate::image::Architecture::Arm64;
    let refused = scene.findings();
    assert!(refused.iter().all(|found| found.message == "the host is x86_64, the cluster image is for aarch64"));
    assert_eq!(refused.len(), scene.fixture.cluster.hosts.len());
    scene.fixture.facts.values_mut().for_each(|facts| facts.arch = "aarch64".into());
    assert_eq!(scene.findings(), []);
}

#[test]
fn an_ignored_error_is_a_warning() {
    let mut scene = Scene::new(36);
    scene.facts("n1").systemd = 0;
    scene.facts("n1").arch = "aarch64".into();
    let severities: Vec<_> =
        scene.findings_but(&["init"]).into_iter().map(|finding| (finding.check, finding.severity)).collect();
    assert_eq!(severities, [("init", Severity::Warning), ("architecture", Severity::Error)]);
}

#[test]
fn six_things_wrong_are_six_findings() {
    let mut scene = Scene::new(36);
    let facts = scene.facts("n1");
    facts.arch = "aarch64".into();
    facts.memory = 100 << 20;
    facts.cgroup_version = 1;
    facts.swaps = vec!["/dev/sda2".into()];
    facts.mounts[0].free = 0;
    facts.listening.insert(10250, "java".into());
    let checks: Vec<_> = scene.findings().into_iter().map(|finding| finding.check).collect();
    assert_eq!(checks, ["architecture", "cgroup", "memory", "ports", "disk", "swap"]);
}

#[test]
fn what_a_living_cluster_has_itself_is_nobody_elses() {
    let mut scene = Scene::new(36);
    let facts = scene.facts("m1");
    facts.components.insert("etcd/3.5".into(), "ff".into());
    facts.has_etcd_data = true;
    facts.static_pods = vec!["kube-apiserver.yaml".into()];
    facts.units.insert("kubelet.service".into(), "active".into());
    facts.routes.push(Route { destination: "10.244.7.0/24".parse().unwrap(), interface: "eth0".into() });
    facts.listening =
        [(6443, "kube-apiserver".to_owned()), (2379, "etcd".to_owned()), (10257, "kube-controller".to_owned())].into();
    assert_eq!(scene.findings(), []);
}

#[test]
fn every_host_tries_the_ways_that_its_roles_use() {
    let fixture = Fixture::with_etcd_host(36);
    let of = |host: &str| {
        let targets = targets(&fixture.cluster, fixture.host(host));
        targets.iter().map(|target| format!("{}:{}", target.host, target.address.port())).collect::<Vec<_>>()
    };
    assert!(of("n1").iter().all(|target| target.ends_with(":6443")), "{:?}", of("n1"));
    assert!(of("m1").contains(&"n1:10250".to_owned()) && !of("m1").iter().any(|target| target.starts_with("m1:")));
    assert!(of("e1").iter().all(|target| target.ends_with(":2380")), "{:?}", of("e1"));
}

#[test]
fn calico_wants_its_ports_and_the_ways_of_its_mesh() {
    let mut scene = Scene::new(32);
    let bird = |scene: &Scene, host: &str| -> Vec<String> {
        let targets = targets(&scene.fixture.cluster, scene.fixture.host(host)).into_iter();
        targets.filter(|target| target.program == "bird").map(|target| target.host.to_string()).collect()
    };
    let taken = |scene: &mut Scene| -> Vec<String> {
        scene.facts("n1").listening = [179, 5473, 9091, 9098, 9099].map(|port| (port, "java".to_owned())).into();
        scene.findings().into_iter().map(|finding| finding.message).collect()
    };
    assert!(taken(&mut scene).is_empty() && bird(&scene, "n1").is_empty(), "without Calico they are free");
    scene.fixture.change(|parts| {
        let mut calico = Calico::new(parts.network.pod_cidr);
        calico.felix.metrics_port = Some(9091);
        parts.network.plugin = NetworkPlugin::Calico(Box::new(calico));
    });
    assert_eq!(bird(&scene, "n1"), ["m1", "m2", "m3", "n2"]);
    let needs = |port: u16, program: &str| format!("port {port} is taken by java; {program} needs it");
    let of_node = [needs(9099, "calico-node"), needs(9091, "calico-node")];
    assert_eq!(taken(&mut scene), [&of_node[..], &[needs(179, "bird")]].concat());
    scene.fixture.change_calico(|calico| {
        calico.transport = Transport::Vxlan(Overlay::Always);
        calico.typha = Typha::Replicas(2);
    });
    assert!(bird(&scene, "n1").is_empty());
    let of_typha = [needs(5473, "calico-typha"), needs(9098, "calico-typha")];
    assert_eq!(taken(&mut scene), [of_node, of_typha].concat());
    scene.facts("n1").listening = [(9099, "calico-node".to_owned()), (5473, "calico-typha".to_owned())].into();
    assert_eq!(scene.findings(), []);
}

#[test]
fn a_living_cluster_keeps_its_network() {
    let mut scene = Scene::new(32);
    let found = |scene: &mut Scene, files: &[&str]| -> Vec<String> {
        scene.facts("n1").cni = files.iter().map(|name| (*name).to_owned()).collect();
        let findings = scene.findings().into_iter().filter(|finding| finding.check == "network-plugin");
        findings.map(|finding| finding.message).collect()
    };
    assert!(found(&mut scene, &["10-kubewright.conflist", "99-other.conflist"]).is_empty());
    assert!(found(&mut scene, &["05-cilium.conflist"])[0].contains("05-cilium.conflist comes before"));
    assert!(found(&mut scene, &["10-calico.conflist"])[0].contains("Calico's network"));
    scene.fixture.change(|parts| {
        parts.network.plugin = NetworkPlugin::Calico(Box::new(Calico::new(parts.network.pod_cidr)));
    });
    assert!(found(&mut scene, &["10-calico.conflist"]).is_empty());
    assert!(found(&mut scene, &["10-kubewright.conflist"])[0].contains("`network.plugin: bridge`"));
}

#[test]
fn a_living_cluster_keeps_its_services_and_its_domain() {
    let mut scene = Scene::new(32);
    let (cidr, domain) = {
        let network = &scene.fixture.cluster.network;
        (network.service_cidr.to_string(), network.domain.to_string())
    };
    let mut found = |service: &str, name: &str| -> Vec<String> {
        let facts = scene.facts("m1");
        (facts.service_cidr, facts.domain) = (Some(service.to_owned()), Some(name.to_owned()));
        let findings = scene.findings().into_iter().filter(|finding| finding.check == "living-network");
        findings.map(|finding| finding.message).collect()
    };
    assert!(found(&cidr, &domain).is_empty());
    assert!(found("10.97.0.0/16", &domain)[0].contains("network.serviceCidr 10.97.0.0/16"));
    assert!(found(&cidr, "other.local")[0].contains("network.domain other.local"));
}

#[test]
fn a_network_of_kubewright_is_not_left_to_nobody() {
    let mut scene = Scene::new(32);
    scene.fixture.change(|parts| parts.network.plugin = NetworkPlugin::None);
    let mut found = |file: &str| -> Vec<String> {
        scene.facts("n1").cni = vec![file.to_owned()];
        let findings = scene.findings().into_iter().filter(|finding| finding.check == "network-plugin");
        findings.map(|finding| finding.message).collect()
    };
    assert!(found("10-kubewright.conflist")[0].contains("`network.plugin: bridge`"));
    assert!(found("10-calico.conflist").is_empty() && found("05-cilium.conflist").is_empty());
}

#[test]
fn hosts_that_give_blobs_to_each_other_try_one_of_their_rack() {
    let mut fixture = Fixture::new(36);
    let blobs = |fixture: &Fixture, host: &str| {
        let targets = targets(&fixture.cluster, fixture.host(host));
        targets.into_iter().find(|target| target.address.port() == 10380)
    };
    assert_eq!(blobs(&fixture, "n1"), None);
    fixture.change(|parts| {
        parts.distribution.mode = DistributionMode::Peers;
        for (host, rack) in parts.hosts.iter_mut().zip(["r1", "r2", "r1", "r3", "r2"]) {
            host.rack = Some(rack.to_owned());
        }
    });
    let names = ["m1", "m2", "m3", "n1", "n2"].map(|host| blobs(&fixture, host).unwrap().host.to_string());
    assert_eq!(names, ["m3", "n2", "m1", "n2", "m2"]);

    let mut scene = Scene::new(36);
    let target = blobs(&fixture, "n1").unwrap();
    scene.measured.unreachable.insert(name("n1"), vec![(target, "no answer".into())]);
    let found: Vec<_> = scene.findings().into_iter().map(|finding| (finding.severity, finding.message)).collect();
    let message = "it does not reach kubewright, for blobs, on n2 (10.1.1.2:10380): no answer";
    assert_eq!(found, [(Severity::Warning, message.to_owned())]);
}

#[test]
fn the_mode_of_kube_proxy_wants_its_kernel_and_its_time() {
    let told = |minor, mode: ProxyMode, kernel: &str| {
        let mut scene = Scene::new(minor);
        scene.fixture.change(|parts| parts.network.proxy.mode = mode);
        scene.facts("n1").kernel = kernel.into();
        let findings = scene.findings().into_iter().filter(|finding| finding.check == "proxy");
        findings.map(|finding| format!("{} {}", finding.severity, finding.message)).collect::<Vec<_>>()
    };
    let (old, new) = ("5.10.0-30-amd64", "6.1.0-18-amd64");
    let too_old = "error Linux 5.10.0-30-amd64 is too old for kube-proxy's mode nftables (5.13)";
    assert_eq!(told(36, ProxyMode::Nftables, old), [too_old]);
    assert!(told(36, ProxyMode::Nftables, new).is_empty());
    assert!(told(36, ProxyMode::Iptables, old).is_empty());
    assert!(told(34, ProxyMode::Ipvs(Ipvs::default()), new).is_empty());
    let deprecated = "warning kube-proxy v1.35.0 calls its mode ipvs deprecated";
    assert_eq!(told(35, ProxyMode::Ipvs(Ipvs::default()), new), [deprecated]);
}

#[test]
fn a_dns_that_the_image_does_not_have_is_told() {
    let mut scene = Scene::new(36);
    scene.fixture.change(|parts| parts.network.dns.server = DnsServer::Coredns);
    let findings = scene.findings();
    let told = format!("{} {}", findings[0].severity, findings[0].message);
    let image = &scene.fixture.image.name;
    assert_eq!(told, format!("warning the cluster image {image} has no CoreDNS: the cluster gets no DNS"));
    scene.fixture.add_images("coredns", "v1.14.2", &["registry.k8s.io/coredns/coredns"]);
    assert_eq!(scene.findings(), []);
}

#[test]
fn the_address_of_a_cache_on_each_node_is_free() {
    let told = |cache_at: CacheAt, holder: &str| -> Vec<String> {
        let mut scene = Scene::new(36);
        scene.fixture.change(|parts| parts.network.dns.cache_at = cache_at);
        scene.facts("n1").name_server = Some(holder.to_owned());
        let findings = scene.findings().into_iter().filter(|finding| finding.check == "dns-cache");
        findings.map(|finding| format!("{} {}", finding.severity, finding.message)).collect()
    };
    let taken = "error port 53 of 169.254.20.10, where the node's cache for the DNS answers, is taken by ";
    assert_eq!(told(CacheAt::Nodes, "dnsmasq"), [format!("{taken}dnsmasq")]);
    assert!(told(CacheAt::Nodes, "node-cache").is_empty() && told(CacheAt::Nodes, "").is_empty());
    assert!(told(CacheAt::Servers, "dnsmasq").is_empty());
}

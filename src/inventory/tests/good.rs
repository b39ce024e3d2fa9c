//! What good inventories mean.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{environment, load, single, with_hosts};
use crate::cluster::{
    AddressDetection, Affinity, Become, DiskLayout, DistributionMode, Drain, EndpointMode, Evictable, FelixValue, Ipvs,
    IpvsScheduler, KeyAlgorithm, LabelValue, MaxUnavailable, NetworkPlugin, Overlay, ProxyMode, QualityOfService,
    Queues, Rings, Role, SecretSource, Service, Swap, TaintEffect, ThinPool, Transport, Upgrade,
};
use crate::cluster::{Keep, SnapshotPlace};
use crate::inventory::{Error, parse, schema, starter};

#[test]
fn the_shortest_inventory_gets_every_default() {
    let cluster = load(&single("")).unwrap();
    assert_eq!(cluster.image.0, "oci:/inv/k8s");
    assert_eq!((cluster.endpoint.host.as_str(), cluster.endpoint.port), ("api.test.kubewright.internal", 6443));
    assert_eq!(cluster.endpoint.mode, EndpointMode::Local);
    let network = &cluster.network;
    assert_eq!(
        (&network.plugin, network.node_prefix, network.domain.as_str()),
        (&NetworkPlugin::Bridge, 24, "cluster.local")
    );
    assert_eq!(network.pod_cidr.to_string(), "10.244.0.0/16");
    assert_eq!(network.service_cidr.to_string(), "10.96.0.0/16");
    assert_eq!(network.proxy.mode, ProxyMode::Ipvs(Ipvs::default()));
    assert_eq!(cluster.etcd.heartbeat, Duration::from_millis(100));
    assert_eq!(cluster.etcd.election, Duration::from_millis(1000));
    assert_eq!(cluster.etcd.quota_bytes, 8 << 30);
    assert_eq!(cluster.control_plane.quality_of_service, QualityOfService::Burstable);
    assert_eq!(cluster.kubelet.max_pods, 110);
    assert_eq!(cluster.pki.algorithm, KeyAlgorithm::EcdsaP256);
    assert_eq!(cluster.pki.ca_lifetime, Duration::from_secs(3650 * 86_400));
    assert_eq!(cluster.pki.leaf_lifetime, Duration::from_secs(365 * 86_400));
    let ssh = &cluster.hosts[0].ssh;
    assert_eq!((ssh.host.as_str(), ssh.port, ssh.user.as_str()), ("10.1.0.11", 22, "root"));
    assert_eq!((&ssh.become_root, ssh.identities_only), (&Become::Root, false));
    assert!(ssh.identity_files.is_empty() && ssh.jumps.is_empty() && ssh.host_keys.is_empty());
}

/// The defaults that the schema tells the user are those that hold.
#[test]
fn every_default_of_the_schema_may_be_written_out() {
    let expected = load(&single("")).unwrap();
    let schema = schema();
    let mut sections = String::new();
    for (section, definition) in [
        ("ssh", "SpecSsh"),
        ("endpoint", "SpecEndpoint"),
        ("network", "SpecNetwork"),
        ("etcd", "SpecEtcd"),
        ("controlPlane", "SpecControlPlane"),
        ("kubelet", "SpecKubelet"),
        ("pki", "SpecPki"),
        ("upgrade", "SpecUpgrade"),
        ("distribution", "SpecDistribution"),
        ("kernel", "SpecKernel"),
        ("services", "SpecServices"),
    ] {
        sections.push_str(&format!("  {section}:\n"));
        let mut count = 0;
        for (key, field) in schema["$defs"][definition]["properties"].as_object().unwrap() {
            if let Some(default) = field.get("default") {
                sections.push_str(&format!("    {key}: {default}\n"));
                count += 1;
            }
        }
        assert!(count > 0, "{definition} tells no default");
    }
    assert_eq!(load(&single(&sections)).unwrap(), expected);
}

#[test]
fn ranges_become_hosts() {
    let hosts = "    - {name: \"m[1-3]\", address: \"10.1.0.[11-13]\", roles: [control-plane, etcd], idc: bj1, rack: \"r[1-3]\"}\n\
                 \x20   - name: n[08-10,12]\n      address: 10.1.1.[1-4]\n      roles: [worker]\n      ssh: {host: \"jump-[1-4]\"}\n";
    let cluster = load(&with_hosts("", hosts)).unwrap();
    let names: Vec<&str> = cluster.hosts.iter().map(|host| host.name.as_str()).collect();
    assert_eq!(names, ["m1", "m2", "m3", "n08", "n09", "n10", "n12"]);
    assert_eq!(cluster.hosts[6].address.to_string(), "10.1.1.4");
    assert_eq!((cluster.hosts[2].idc.as_deref(), cluster.hosts[2].rack.as_deref()), (Some("bj1"), Some("r3")));
    assert_eq!((cluster.hosts[1].ssh.host.as_str(), cluster.hosts[6].ssh.host.as_str()), ("10.1.0.12", "jump-4"));
    assert_eq!(cluster.with_role(Role::Worker).count(), 4);
}

#[test]
fn every_field_arrives() {
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFKB1zD4ZQoPzxLh6cd3Qm0eM1nVz2JTlAmhIuUGHTqC";
    let sections = format!(
        "  ssh:
    user: ${{SSH_USER}}
    port: ${{PORT}}
    identityFiles: [~/.ssh/id, keys/id]
    identitiesOnly: true
    becomePassword: {{file: secrets/sudo}}
    bastion:
      - jump1.example:2200
      - {{host: \"fd00::2\", user: hop, hostKeys: [\"{key} comment\"]}}
  endpoint: {{host: api.example, port: 8443, mode: vip, vip: 10.1.0.10, interface: bond0, routerId: 51}}
  network: {{plugin: none, podCidr: 172.16.0.0/14, serviceCidr: 172.20.0.0/20, nodePrefix: 25, domain: k8s.example, proxy: {{mode: ipvs, scheduler: wrr}}}}
  etcd: {{heartbeat: 250ms, election: 5s, quota: 4GiB}}
  controlPlane:
    qualityOfService: guaranteed
    certSans: [\"*.api.example\", 192.0.2.1]
    extraArgs:
      kube-apiserver: {{v: 2, profiling: false, event-ttl: 2h}}
  kubelet: {{maxPods: 60}}
  pki: {{algorithm: rsa-4096, caLifetime: 87600h, leafLifetime: 30d}}
  upgrade: {{maxUnavailable: 2, drain: {{timeout: 90s, emptyDirs: refuse, unmanaged: evict}}}}
  distribution: {{mode: peers, rateLimit: 100MiB, port: 9380, retain: 3}}
  kernel: {{sysctls: {{net.core.somaxconn: 65535, net.ipv4.tcp_rmem: 4096 131072 16777216}}, modules: [dummy], irq: {{leaveCpus: \"0,12-13\", queues: cores, rings: 2048}}, hugepages: {{2MiB: 512}}}}
  labels: {{topology.kubernetes.io/region: bj, team: infra}}
"
    );
    let hosts = format!(
        "    - name: m1
      address: 10.1.0.11
      roles: [control-plane, etcd, worker]
      labels: {{team: \"7\"}}
      taints: [{{key: dedicated, value: db, effect: NoExecute}}, {{key: a, effect: NoSchedule}}]
      ssh: {{user: root, bastion: [], identityFile: /key, hostKeys: [\"{key}\"]}}
    - {{name: w1, address: 10.1.0.12, roles: [worker], kernel: {{irq: {{affinity: leave, rings: max}}, hugepages: {{1GiB: 2}}}}}}
"
    );
    let cluster = load(&with_hosts(&sections, &hosts)).unwrap();
    let (master, worker) = (&cluster.hosts[0], &cluster.hosts[1]);
    assert_eq!((worker.ssh.user.as_str(), worker.ssh.port, worker.ssh.identities_only), ("ops", 2222, true));
    assert_eq!(worker.ssh.identity_files, [PathBuf::from("/home/me/.ssh/id"), PathBuf::from("/inv/keys/id")]);
    let file = SecretSource::File("/inv/secrets/sudo".into());
    assert_eq!(worker.ssh.become_root, Become::Sudo { password: Some(file) });
    let jumps: Vec<_> =
        worker.ssh.jumps.iter().map(|jump| (jump.user.as_str(), jump.host.as_str(), jump.port)).collect();
    assert_eq!(jumps, [("ops", "jump1.example", 2200), ("hop", "fd00::2", 22)]);
    assert_eq!(worker.ssh.jumps[1].host_keys, [key]);
    assert_eq!((master.ssh.user.as_str(), master.ssh.port), ("root", 2222));
    assert!(master.ssh.jumps.is_empty());
    assert_eq!(master.ssh.identity_files, [PathBuf::from("/key")]);
    assert_eq!(master.ssh.host_keys, [key]);
    let vip = EndpointMode::Vip { vip: "10.1.0.10".parse().unwrap(), interface: Some("bond0".into()), router_id: 51 };
    assert_eq!((&cluster.endpoint.mode, cluster.endpoint.port), (&vip, 8443));
    assert_eq!((&cluster.network.plugin, cluster.network.node_prefix), (&NetworkPlugin::None, 25));
    let ipvs = cluster.network.proxy.mode.ipvs().unwrap();
    assert_eq!(ipvs.scheduler, IpvsScheduler::Wrr);
    assert_eq!(cluster.network.domain, "k8s.example");
    assert_eq!((cluster.etcd.election, cluster.etcd.quota_bytes), (Duration::from_secs(5), 4 << 30));
    let args = &cluster.control_plane.extra_args["kube-apiserver"];
    assert_eq!((args["v"].as_str(), args["profiling"].as_str(), args["event-ttl"].as_str()), ("2", "false", "2h"));
    assert_eq!(cluster.control_plane.cert_sans, ["*.api.example", "192.0.2.1"]);
    assert_eq!(cluster.control_plane.quality_of_service, QualityOfService::Guaranteed);
    assert_eq!((cluster.kubelet.max_pods, cluster.pki.algorithm), (60, KeyAlgorithm::Rsa4096));
    let drain = Drain { timeout: Duration::from_secs(90), empty_dirs: Evictable::Refuse, unmanaged: Evictable::Evict };
    assert_eq!(cluster.upgrade, Upgrade { max_unavailable: MaxUnavailable::Count(2), drain });
    let distribution = &cluster.distribution;
    assert_eq!((distribution.mode, distribution.port), (DistributionMode::Peers, 9380));
    assert_eq!((distribution.rate_limit, distribution.retain.get()), (100 << 20, 3));
    assert_eq!(cluster.hosts[0].kernel.sysctls["net.core.somaxconn"], "65535");
    assert_eq!(cluster.hosts[0].kernel.sysctls["net.ipv4.tcp_rmem"], "4096 131072 16777216");
    assert_eq!(cluster.hosts[0].kernel.modules, ["dummy"]);
    let tuning = [&master.kernel.tuning, &worker.kernel.tuning];
    assert_eq!(tuning.map(|tuning| tuning.affinity), [None, Some(Affinity::Leave)]);
    assert_eq!(tuning.map(|tuning| tuning.spread.leave_cpus.to_string()), ["0,12-13", "0,12-13"]);
    assert_eq!(tuning.map(|tuning| tuning.spread.queues), [Some(Queues::Cores); 2]);
    assert_eq!(tuning.map(|tuning| tuning.spread.rings), [Some(Rings::Number(2048)), Some(Rings::Max)]);
    assert_eq!(tuning.map(|tuning| tuning.hugepages.len()), [1, 2], "a host's own are added to those of all");
    let label = |value| LabelValue::parse(value).unwrap();
    let team = |index: usize| {
        cluster.hosts[index].labels.iter().find(|(key, _)| key.as_str() == "team").map(|(_, value)| value.clone())
    };
    assert_eq!((team(0), team(1)), (Some(label("7")), Some(label("infra"))));
    assert_eq!((master.taints.len(), master.taints[0].effect), (2, TaintEffect::NoExecute));
}

#[test]
fn disks_of_the_cluster_go_to_hosts_that_have_a_use_for_them() {
    let common = "  disks:\n    - {for: etcd, device: /dev/nvme1n1}\n    - {for: containerd, size: \">=500GiB\", rotational: false}\n";
    let hosts = "    - {name: m1, address: 10.1.0.11, roles: [control-plane, etcd]}\n\
                 \x20   - {name: e1, address: 10.1.0.12, roles: [worker], disks: [{for: logs, device: /dev/sdb}, \
                 {for: containerd, device: /dev/disk/by-id/x, filesystem: ext4}]}\n";
    let cluster = load(&with_hosts(common, hosts)).unwrap_or_else(|report| panic!("{report}"));
    let disks = |index: usize| {
        let disks = cluster.hosts[index].disks.iter();
        disks.map(|disk| format!("{} {} {}", disk.purpose, disk.device, disk.filesystem)).collect::<Vec<_>>()
    };
    let size = "containerd a disk of at least 500 GiB that does not spin xfs";
    assert_eq!(disks(0), ["etcd /dev/nvme1n1 ext4", size]);
    assert_eq!(disks(1), ["containerd /dev/disk/by-id/x ext4", "logs /dev/sdb xfs"]);
}

#[test]
fn a_disk_for_containerd_may_have_a_thin_pool() {
    let layout = |more: &str| {
        let hosts = format!(
            "    - {{name: m1, address: 10.1.0.11, roles: [control-plane, etcd]}}\n    \
             - {{name: e1, address: 10.1.0.12, roles: [worker], disks: [{{for: containerd, device: /dev/sdb{more}}}]}}\n"
        );
        let cluster = load(&with_hosts("", &hosts)).unwrap_or_else(|report| panic!("{report}"));
        cluster.hosts[1].disks[0].layout
    };
    let pool = |gibibytes: u64| DiskLayout::ThinPool(ThinPool { base_image_size: gibibytes << 30 });
    assert_eq!(layout(", snapshotter: overlayfs"), DiskLayout::Plain);
    assert_eq!(layout(", snapshotter: overlayfs, lvm: true"), DiskLayout::Lvm);
    assert_eq!(layout(", snapshotter: devmapper, lvm: true"), pool(10));
    assert_eq!(layout(", snapshotter: devmapper, lvm: true, baseImageSize: 20GiB"), pool(20));
}

#[test]
fn sudo_is_for_any_user_but_root() {
    let become_of = |ssh: &str| load(&single(&format!("  ssh: {ssh}\n"))).unwrap().hosts[0].ssh.become_root.clone();
    assert_eq!(become_of("{user: root}"), Become::Root);
    assert_eq!(become_of("{user: ops}"), Become::Sudo { password: None });
    assert_eq!(become_of("{user: root, become: sudo}"), Become::Sudo { password: None });
    let prompt = Become::Sudo { password: Some(SecretSource::Prompt) };
    assert_eq!(become_of("{user: ops, becomePassword: {prompt: true}}"), prompt);
    let variable = Become::Sudo { password: Some(SecretSource::Environment("SUDO".into())) };
    assert_eq!(become_of("{user: ops, becomePassword: {env: SUDO}}"), variable);
}

#[test]
fn a_variable_is_one_value_and_never_yaml() {
    let cluster = load(&single("  kernel: {sysctls: {kernel.a: \"${TRICKY:-}\"}}\n")).map(|_| ());
    // The line break is refused, not read.
    assert!(cluster.unwrap_err().to_string().contains("control character"));
    let quoted = single("  labels: {a: \"${PORT}\", b: '$${PORT', c: x}\n  # ${NOT_SET} in a comment\n");
    let report = load(&quoted).unwrap_err().to_string();
    assert!(report.contains("\"${PORT\"") && report.contains("1 error in"), "{report}");
}

#[test]
fn byte_order_mark_and_crlf_do_not_matter() {
    let text = format!("\u{feff}{}", single("").replace('\n', "\r\n"));
    assert_eq!(load(&text).unwrap(), load(&single("")).unwrap());
}

#[test]
fn anchors_share_what_is_the_same() {
    let hosts = "    - {name: m1, address: 10.1.0.11, roles: &all [control-plane, etcd, worker]}\n\
                 \x20   - {name: m2, address: 10.1.0.12, roles: [worker], labels: &l {a: b}}\n\
                 \x20   - {name: m3, address: 10.1.0.13, roles: [worker], labels: *l}\n";
    assert_eq!(load(&with_hosts("", hosts)).unwrap().hosts[2].labels.len(), 1);
}

#[test]
fn the_starter_is_valid_and_tells_defaults_that_hold() {
    assert!(parse("starter.yaml", starter(), &environment).is_ok());
    // With every comment that is YAML made YAML, it is still valid.
    let mut text = String::new();
    for line in starter().lines() {
        let bare = line.trim_start();
        let indent = &line[..line.len() - bare.len()];
        match bare.strip_prefix("# ") {
            Some(below)
                if indent.len() >= 2 && below.trim_start().split(' ').next().is_some_and(|key| key.ends_with(':')) =>
            {
                text.push_str(&format!("{indent}{below}\n"));
            }
            _ => text.push_str(&format!("{line}\n")),
        }
    }
    assert!(text.contains("\n    become: sudo") && text.contains("\n  endpoint:\n    host:"), "{text}");
    let text = text.replace("user: root", "user: ops");
    let cluster = parse("starter.yaml", &text, &environment).unwrap_or_else(|report| panic!("{report}"));
    assert!(matches!(cluster.endpoint.mode, EndpointMode::Vip { router_id: 51, .. }));
    assert_eq!(cluster.hosts[4].taints.len(), 1);
}

#[test]
fn every_example_is_valid() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("inventories");
    let mut count = 0;
    for entry in std::fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        // Beside them are the files that they name.
        if path.is_dir() {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let cluster = parse(&path.display().to_string(), &text, &environment);
        let cluster = cluster.unwrap_or_else(|report| panic!("{report}"));
        assert_eq!(Some(cluster.name.as_str()), path.file_stem().and_then(|stem| stem.to_str()));
        count += 1;
    }
    assert!(count >= 5, "{count}");
}

#[test]
fn files_are_loaded_and_missing_ones_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.yaml");
    std::fs::write(&path, single("")).unwrap();
    let cluster = crate::inventory::load(&path).unwrap();
    assert_eq!(cluster.image.0, format!("oci:{}/k8s", directory.path().display()));

    std::fs::write(&path, b"apiVersion: x\nkind: \xff\xfe\n").unwrap();
    let Err(Error::Invalid(report)) = crate::inventory::load(&path) else { panic!("not refused") };
    assert_eq!(report.findings().next().map(|finding| (finding.line, finding.column)), Some((2, 7)));
    assert!(report.to_string().contains("not UTF-8"));

    for missing in [directory.path().join("none.yaml"), directory.path().to_owned()] {
        let error = crate::inventory::load(&missing).unwrap_err();
        assert!(matches!(error, Error::Read { .. }));
        assert!(error.to_string().contains(&missing.display().to_string()), "{error}");
    }
}

/// The contract with editors: a change here changes what users may write.
#[test]
fn the_schema_is_stable() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&schema()).unwrap());
}

#[test]
fn layout_is_a_matter_of_taste() {
    let expected = load(&single("")).unwrap();
    let json = r#"{"apiVersion":"kubewright.dev/v1alpha1","kind":"Cluster","metadata":{"name":"test"},
"spec":{"image":"oci:k8s","hosts":[
    {"name":"m1","address":"10.1.0.11","roles":["control-plane","etcd","worker"]}
]}}"#;
    let flush = "---\nkind: Cluster\napiVersion: 'kubewright.dev/v1alpha1'\nspec:\n  hosts:\n  - roles: [\n      control-plane, etcd,\n      worker,\n    ]\n    \
                 name: m1 # the only one\n    address: >-\n      10.1.0.11\n  image: oci:k8s\nmetadata:\n    name: test\n...\n";
    for text in [json, flush] {
        assert_eq!(load(text).unwrap_or_else(|report| panic!("{report}")), expected);
    }
}

#[test]
fn services_and_swap_are_decided_for_all_and_for_each() {
    let sections = "  services: {firewalld: stop, systemd-oomd: stop}\n  kernel: {swap: limited}\n";
    let hosts = "    - {name: m1, address: 10.1.0.11, roles: [control-plane, etcd, worker]}
    - {name: w1, address: 10.1.0.12, roles: [worker], services: {firewalld: leave, ufw: stop}, kernel: {swap: off}}
";
    let cluster = load(&with_hosts(sections, hosts)).unwrap();
    let of = |index: usize| {
        let host = &cluster.hosts[index];
        (host.services.stopped().map(Service::as_str).collect::<Vec<_>>(), host.kernel.swap)
    };
    assert_eq!(of(0), (vec!["firewalld", "systemd-oomd"], Swap::Limited));
    assert_eq!(of(1), (vec!["ufw", "systemd-oomd"], Swap::Off));
}

#[test]
fn snapshots_are_read_with_their_defaults() {
    let section = "  etcd:
    snapshots:
      every: 15m
      keep: {last: 4, weekly: 2}
      targets:
        - {directory: /var/backups/etcd}
        - {s3: {endpoint: 'https://s3.example', bucket: backups, prefix: /prod/etcd/, credentialsFile: s3.credentials}}
";
    let cluster = load(&single(section)).unwrap();
    let snapshots = &cluster.etcd.snapshots;
    assert_eq!(snapshots.every, Some(Duration::from_secs(900)));
    assert_eq!(snapshots.max_age, Some(Duration::from_secs(2700)), "three turns");
    assert_eq!(snapshots.keep, Some(Keep { last: 4, weekly: 2, ..Keep::default() }));
    let places: Vec<_> = snapshots.places.iter().map(ToString::to_string).collect();
    assert_eq!(places, ["/var/backups/etcd", "s3://backups/prod/etcd"]);
    let SnapshotPlace::Bucket(bucket) = &snapshots.places[1] else { unreachable!() };
    assert_eq!((bucket.region.as_str(), bucket.path_style), ("us-east-1", true));
    assert_eq!(bucket.credentials, Some("/inv/s3.credentials".into()));
}

#[test]
fn calico_peers_by_topology() {
    let text = r#"
  network:
    plugin: calico
    podCidr: 10.0.0.0/8
    serviceCidr: 172.20.0.0/16
    calico:
      mode: ipip
      pools:
        - {name: bj, cidr: 10.128.0.0/10, blockSize: 25, nodeSelector: "topology.kubewright.dev/idc == 'bj1'"}
        - {name: spare, cidr: 10.192.0.0/10, natOutgoing: false}
      addressDetection: {networks: [192.168.0.0/16]}
      felix: {log: Warning, metricsPort: 9091, extra: {wireguardEnabled: true, natPortRange: "32768:65535"}}
      bgp:
        asNumber: 65001
        racks: {r1: {peers: [{ip: 192.168.1.1, as: 65100, passwordFile: bgp.key}, {ip: 192.168.1.2, port: 1790, as: 65100}]}}
        services: {clusterAddresses: true, externalAddresses: [203.0.113.0/24]}
"#;
    let host = "    - {name: m1, address: 192.168.1.11, rack: r1, idc: bj1, roles: [control-plane, etcd, worker]}\n";
    let cluster = load(&with_hosts(text, host)).unwrap();
    let calico = cluster.network.calico().unwrap();
    let Transport::Bgp { bgp, ipip: Some(Overlay::CrossSubnet) } = &calico.transport else { panic!("{calico:?}") };
    let pools: Vec<_> = calico.pools.iter().map(|pool| (pool.block_size, pool.nat_outgoing)).collect();
    assert_eq!(pools, [(25, true), (26, false)]);
    assert_eq!(calico.detection, AddressDetection::Networks(vec!["192.168.0.0/16".parse().unwrap()]));
    assert_eq!(calico.felix.extra["wireguardEnabled"], FelixValue::Switch(true));
    let routers: Vec<_> = calico.routers("r1").iter().map(|router| (router.port, &router.password)).collect();
    assert_eq!(routers, [(None, &Some(PathBuf::from("/inv/bgp.key"))), (Some(1790), &None)]);
    assert!(!bgp.is_meshed(1) && bgp.services.cluster && bgp.as_number == 65_001);
}

#[test]
fn a_bastion_without_host_keys_is_taken() {
    for (bastion, count) in [
        ("jump.example", 1),
        ("{host: jump.example}", 1),
        ("[{host: jump.example}, {host: jump2.example, user: ops}, jump3.example]", 3),
    ] {
        let cluster = load(&single(&format!("  ssh: {{bastion: {bastion}}}\n"))).unwrap();
        let jumps = &cluster.hosts[0].ssh.jumps;
        assert_eq!(jumps.len(), count, "{bastion}");
        assert!(jumps.iter().all(|jump| jump.host_keys.is_empty()), "{bastion}");
    }
    assert!(load(&single("  ssh: {bastion: {host: jump.example, hostKeys: []}}\n")).is_err());
}

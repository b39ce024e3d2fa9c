//! An example for each section of the reference of the inventory. A test asks that each key stands in one, and that all of
//! them are valid.

/// Place in the inventory, and what may stand there.
#[rustfmt::skip]
pub(crate) const EXAMPLES: &[(&str, &str)] = &[
    ("metadata", "apiVersion: kubewright.dev/v1alpha1\nkind: Cluster\nmetadata: {name: prod-bj1}\nspec:\n  image: oci:images/kubernetes\n  hosts:\n    - {name: m1, address: 10.1.0.11, roles: [control-plane, etcd, worker]}\n"),
    ("spec", "\
apiVersion: kubewright.dev/v1alpha1
kind: Cluster
metadata: {name: prod-bj1}
spec:
  image: registry.example/ops/kubernetes:v1.36.4
  imageTrust: {keys: [image.pub]}
  ssh: {user: ops}
  endpoint: {host: api.bj1.example, mode: local}
  network: {plugin: bridge, podCidr: 10.244.0.0/16, serviceCidr: 10.96.0.0/16}
  etcd: {quota: 8GiB}
  controlPlane: {certSans: [api.example]}
  kubelet: {maxPods: 200}
  kernel: {swap: off}
  services: {firewalld: stop}
  disks: [{for: etcd, device: /dev/vdb}]
  distribution: {retain: 2}
  pki: {leafLifetime: 365d}
  upgrade: {maxUnavailable: 10%}
  labels: {topology.kubernetes.io/region: bj}
  addons: [{name: limits, path: addons/limits.yaml, template: true}]
  hosts:
    - {name: \"m[1-3]\", address: \"10.1.0.[11-13]\", roles: [control-plane, etcd], idc: bj1, rack: \"r[1-3]\"}
    - {name: \"n[001-040]\", address: \"10.1.1.[1-40]\", roles: [worker], idc: bj1, rack: r4}
"),
    ("spec.addons[]", "\
spec:
  addons:
    - {name: limits, path: addons/limits.yaml, template: true}
    - {name: dashboards, path: addons/dashboards, namespace: monitoring, after: [limits]}
"),
    ("spec.controlPlane", "\
spec:
  controlPlane:
    certSans: [api.example, 203.0.113.7]
    qualityOfService: guaranteed
    extraArgs: {kube-apiserver: {event-ttl: 2h}}
"),
    ("spec.controlPlane.extraArgs", "\
spec:
  controlPlane:
    extraArgs:
      kube-apiserver: {event-ttl: 2h, profiling: false}
      kube-controller-manager: {node-monitor-grace-period: 30s}
      kube-scheduler: {profiling: false}
"),
    ("spec.disks[]", "\
spec:
  disks:
    - {for: etcd, device: /dev/disk/by-id/nvme-eui.0025388b01, filesystem: ext4}
    - {for: kubelet, size: \">=500GiB\", rotational: false}
    - {for: containerd, device: /dev/vdc, lvm: true, snapshotter: devmapper, baseImageSize: 10GiB}
"),
    ("spec.distribution", "spec:\n  distribution: {mode: auto, rateLimit: 400MiB, port: 10380, retain: 2}\n"),
    ("spec.endpoint", "\
spec:
  endpoint:
    host: api.bj1.example
    port: 6443
    mode: vip
    vip: 10.1.0.10
    interface: bond0
    routerId: 51
    # address: 192.0.2.10     only with mode: external
"),
    ("spec.etcd", "spec:\n  etcd:\n    heartbeat: 250ms\n    election: 2500ms\n    quota: 8GiB\n    snapshots: {targets: [{directory: /var/backups/etcd}]}\n"),
    ("spec.etcd.snapshots", "\
spec:
  etcd:
    snapshots:
      every: 1h
      maxAge: 3h
      proveEvery: 7d
      keep: {last: 24, daily: 14}
      recipients: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]
      include: [pki]
      targets: [{directory: /var/backups/etcd}]
      webhook: https://alerts.example.com/etcd
      command: [/usr/local/bin/alert, etcd]
"),
    ("spec.etcd.snapshots.keep", "spec:\n  etcd:\n    snapshots:\n      targets: [{directory: /var/backups/etcd}]\n      keep: {last: 24, hourly: 48, daily: 14, weekly: 8}\n"),
    ("spec.etcd.snapshots.targets[]", "\
spec:
  etcd:
    snapshots:
      targets:
        - directory: /var/backups/etcd
        - s3: {endpoint: https://s3.example.com, bucket: backups, credentialsFile: s3.credentials}
"),
    ("spec.etcd.snapshots.targets[].s3", "\
spec:
  etcd:
    snapshots:
      targets:
        - s3:
            endpoint: https://s3.example.com
            bucket: backups
            prefix: prod/etcd
            region: us-east-1
            pathStyle: true
            serverSideEncryption: AES256
            caFile: s3-ca.pem
            credentialsFile: s3.credentials
"),
    ("spec.hosts[]", "\
spec:
  hosts:
    - name: \"n[001-040]\"
      address: \"10.1.1.[1-40]\"
      roles: [worker]
      idc: bj1
      rack: r4
      labels: {function: online}
      taints: [{key: dedicated, value: online, effect: NoSchedule}]
      ssh: {port: 2222}
      kernel: {sysctls: {net.core.somaxconn: 65535}}
      services: {tuned: stop}
      disks: [{for: logs, device: /dev/vdd}]
"),
    ("spec.hosts[].taints[]", "spec:\n  hosts:\n    - name: gpu1\n      address: 10.1.2.1\n      roles: [worker]\n      taints: [{key: dedicated, value: gpu, effect: NoSchedule}]\n"),
    ("spec.imageTrust", "spec:\n  imageTrust: {keys: [image.pub]}\n"),
    ("spec.kernel", "\
spec:
  kernel:
    profile: default
    sysctls: {vm.swappiness: 1}
    modules: [dummy]
    swap: off
    irq: {irqbalance: stop}
    transparentHugepage: madvise
    cpuGovernor: performance
    hugepages: {2MiB: 1024}
"),
    ("spec.kernel.irq", "spec:\n  kernel:\n    irq: {affinity: spread, leaveCpus: \"0,12-13\", irqbalance: stop, queues: cores, rings: max}\n"),
    ("spec.kubelet", "spec:\n  kubelet: {maxPods: 200}\n"),
    ("spec.network", "\
spec:
  network:
    plugin: calico
    podCidr: 10.128.0.0/12
    serviceCidr: 172.20.0.0/16
    nodePrefix: 24
    domain: cluster.local
    calico: {mode: vxlan}
    dns: {replicas: 3}
    proxy: {mode: nftables}
    untracked: [{cidr: 203.0.113.0/24, port: 443}]
"),
    ("spec.network.calico", "\
spec:
  network:
    plugin: calico
    calico:
      mode: ipip
      encapsulation: CrossSubnet
      mtu: 1480
      pools: [{name: all, cidr: 10.244.0.0/16}]
      addressDetection: {interfaces: [bond0]}
      felix: {log: Warning}
      typha: {replicas: 3}
      bgp: {asNumber: 64512}
"),
    ("spec.network.calico.addressDetection", "\
spec:
  network:
    plugin: calico
    calico:
      addressDetection: {interfaces: [\"bond0\", \"eth.*\"]}    # or networks: [10.1.0.0/16]
"),
    ("spec.network.calico.bgp", "\
spec:
  network:
    plugin: calico
    calico:
      bgp:
        asNumber: 64512
        mesh: off
        racks: {r1: {peers: [{ip: 10.1.1.254, as: 65001}]}}
        routeReflectors: {hosts: [m1, m2]}
        services: {clusterAddresses: true}
"),
    ("spec.network.calico.bgp.racks.NAME", "spec:\n  network:\n    plugin: calico\n    calico:\n      bgp:\n        racks: {r1: {peers: [{ip: 10.1.1.253, as: 65001}, {ip: 10.1.1.254, as: 65001}]}}\n"),
    ("spec.network.calico.bgp.racks.NAME.peers[]", "spec:\n  network:\n    plugin: calico\n    calico:\n      bgp:\n        racks: {r1: {peers: [{ip: 10.1.1.254, port: 179, as: 65001, passwordFile: r1.key}]}}\n"),
    ("spec.network.calico.bgp.routeReflectors", "spec:\n  network:\n    plugin: calico\n    calico:\n      bgp:\n        routeReflectors: {perIdc: 2}    # or hosts: [m1, m2]\n"),
    ("spec.network.calico.bgp.services", "\
spec:
  network:
    plugin: calico
    calico:
      bgp:
        racks: {r1: {peers: [{ip: 10.1.1.254, as: 65001}]}}
        services:
          clusterAddresses: true
          externalAddresses: [203.0.113.0/28]
          loadBalancerAddresses: [203.0.113.16/28]
"),
    ("spec.network.calico.felix", "spec:\n  network:\n    plugin: calico\n    calico:\n      felix: {log: Warning, metricsPort: 9091, extra: {routeRefreshInterval: 60s}}\n"),
    ("spec.network.calico.pools[]", "\
spec:
  network:
    plugin: calico
    podCidr: 10.128.0.0/12
    calico:
      pools:
        - {name: bj1, cidr: 10.128.0.0/14, blockSize: 26, natOutgoing: true, nodeSelector: \"topology.kubewright.dev/idc == 'bj1'\"}
"),
    ("spec.network.calico.typha", "spec:\n  network:\n    plugin: calico\n    calico:\n      typha: {replicas: 3}\n"),
    ("spec.network.dns", "\
spec:
  network:
    dns:
      server: coredns
      upstreams: [10.0.0.2, 10.0.0.3]
      stubDomains: {corp.example: [10.0.0.53]}
      cache: 30s
      nodeLocal: true
      replicas: 3    # or autoscale: {}
"),
    ("spec.network.dns.autoscale", "spec:\n  network:\n    dns:\n      autoscale: {coresPerReplica: 256, nodesPerReplica: 16, min: 2, max: 20}\n"),
    ("spec.network.proxy", "\
spec:
  network:
    proxy:
      mode: ipvs
      scheduler: wrr
      excludeCidrs: [10.1.0.10/32]
      nodePortAddresses: [10.1.0.0/16]
      timeouts: {tcp: 15m}
"),
    ("spec.network.proxy.timeouts", "spec:\n  network:\n    proxy: {mode: ipvs, timeouts: {tcp: 15m, tcpFin: 2m, udp: 90s}}\n"),
    ("spec.network.untracked[]", "spec:\n  network:\n    untracked: [{cidr: 203.0.113.0/24, port: 443, protocol: tcp}]\n"),
    ("spec.pki", "spec:\n  pki: {algorithm: ecdsa-p256, caLifetime: 3650d, leafLifetime: 365d}\n"),
    ("spec.services", "spec:\n  services: {firewalld: stop, ufw: stop, fapolicyd: stop, tuned: stop, systemd-oomd: stop}\n"),
    ("spec.ssh", "\
spec:
  ssh:
    user: ops
    port: 22
    identityFile: ~/.ssh/id_ed25519    # or identityFiles: [a, b]
    identitiesOnly: true
    become: sudo
    becomePassword: {prompt: true}
    bastion: ops@jump.example
  hosts:
    - name: n9
      address: 10.1.1.9
      roles: [worker]
      ssh:
        host: n9.mgmt.example
        hostKeys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJR8uaUVwXxrGfJfHgrlsdxSjg4m0vNRzMGK1Hfjt+4k]
"),
    ("spec.ssh.bastion", "\
spec:
  ssh:
    bastion:
      - ops@outer.example
      - host: inner.example
        port: 2222
        user: ops
        hostKeys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJR8uaUVwXxrGfJfHgrlsdxSjg4m0vNRzMGK1Hfjt+4k]
"),
    ("spec.ssh.becomePassword", "spec:\n  ssh:\n    user: ops\n    becomePassword: {env: SUDO_PASSWORD}    # or file: sudo.password, or prompt: true\n"),
    ("spec.upgrade", "spec:\n  upgrade: {maxUnavailable: 10%, drain: {timeout: 5m}}\n"),
    ("spec.upgrade.drain", "spec:\n  upgrade: {drain: {timeout: 5m, emptyDirs: evict, unmanaged: refuse}}\n"),
];

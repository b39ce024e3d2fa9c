//! What `pki` issues, judged by openssl; and what openssl makes, taken over by `pki`.

// `allow-unwrap-in-tests` covers the tests themselves, not their helpers.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use jiff::Timestamp;
use kubewright::cluster::{
    Become, Cluster, ClusterName, ControlPlane, Endpoint, EndpointMode, Etcd, Host, HostName, ImageReference,
    ImageTrust, Kernel, KeyAlgorithm, KubeVersion, Kubelet, Labels, Network, Parts, Pki, QualityOfService, Role,
    Services, Snapshots, SshTarget,
};
use kubewright::pki::table::{self, Authority, Form, Leaf};
use kubewright::pki::{Existing, Keys, PkiError, Renewal, San, resolve};
use tempfile::TempDir;

const VERSION: KubeVersion = KubeVersion::new(1, 36, 4);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn host(name: &str, address: [u8; 4], roles: &[Role]) -> Host {
    Host {
        name: HostName::parse(name).unwrap(),
        address: address.into(),
        roles: roles.iter().copied().collect(),
        idc: None,
        rack: None,
        labels: Labels::new(),
        taints: Vec::new(),
        kernel: Kernel::default(),
        services: Services::default(),
        disks: Vec::new(),
        ssh: SshTarget {
            host: IpAddr::from(address).to_string(),
            port: 22,
            user: "root".into(),
            identity_files: Vec::new(),
            identities_only: false,
            become_root: Become::Root,
            jumps: Vec::new(),
            host_keys: Vec::new(),
        },
    }
}

fn cluster(algorithm: KeyAlgorithm) -> Cluster {
    Cluster::new(Parts {
        name: ClusterName::parse("prod").unwrap(),
        image: ImageReference("oci:image".into()),
        image_trust: ImageTrust::default(),
        hosts: vec![
            host("m1", [10, 1, 0, 11], &[Role::ControlPlane, Role::Etcd]),
            host("n1", [10, 1, 0, 21], &[Role::Worker]),
        ],
        endpoint: Endpoint { host: "api.example.test".into(), port: 6443, mode: EndpointMode::Local },
        network: Network::default(),
        etcd: Etcd {
            heartbeat: Duration::from_millis(100),
            election: Duration::from_secs(1),
            quota_bytes: 8 << 30,
            snapshots: Snapshots::default(),
        },
        control_plane: ControlPlane {
            extra_args: BTreeMap::new(),
            cert_sans: vec!["*.example.org".into(), "fd00::10".into()],
            quality_of_service: QualityOfService::Burstable,
        },
        kubelet: Kubelet { max_pods: 110 },
        pki: Pki { algorithm, ca_lifetime: 3650 * DAY, leaf_lifetime: 365 * DAY },
        upgrade: Default::default(),
        distribution: Default::default(),
        addons: Vec::new(),
    })
    .unwrap()
}

/// openssl, in a directory of its own.
struct Openssl(TempDir);

impl Openssl {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Runs openssl; its output when it succeeds, else its complaint.
    // The door of host::command belongs to the agent; a test asks openssl directly.
    #[allow(clippy::disallowed_methods)]
    fn try_run(&self, line: &str, files: &[&Path]) -> Result<String, String> {
        let output = std::process::Command::new("openssl")
            .args(line.split(' '))
            .args(files)
            .current_dir(self.0.path())
            .output()
            .expect("openssl is installed");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    fn run(&self, line: &str, files: &[&Path]) -> String {
        self.try_run(line, files).unwrap_or_else(|error| panic!("openssl {line} {files:?}: {error}"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Writes every file of every host below a directory of its name.
    fn write(&self, keys: &Keys) {
        for (host, files) in &keys.hosts {
            for file in files {
                let path = self.path(&format!("{host}{}", file.path));
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, &file.content).unwrap();
            }
        }
    }

    /// Certificate and key of `leaf`; a kubeconfig's are taken out of it.
    fn pair(&self, host: &Host, leaf: &Leaf) -> (PathBuf, PathBuf) {
        let path = |suffix: &str| self.path(&format!("{}{}{suffix}", host.name, leaf.path));
        if leaf.form != Form::Pair {
            let text = fs::read_to_string(path("")).unwrap();
            for (field, suffix) in [("client-certificate-data: ", ".crt"), ("client-key-data: ", ".key")] {
                let data = text.lines().find_map(|line| line.trim().strip_prefix(field)).unwrap();
                fs::write(path(suffix), base64::engine::general_purpose::STANDARD.decode(data).unwrap()).unwrap();
            }
        }
        (path(".crt"), path(".key"))
    }

    /// Everything that openssl has to say about `leaf`.
    fn judge(&self, host: &Host, leaf: &Leaf) {
        let (certificate, key) = self.pair(host, leaf);
        let ca = |authority| match authority {
            Authority::Kubernetes => self.path("m1/etc/kubernetes/pki/ca.crt"),
            Authority::FrontProxy => self.path("m1/etc/kubernetes/pki/front-proxy-ca.crt"),
            Authority::Etcd => self.path("m1/etc/etcd/pki/ca.crt"),
        };
        for (purpose, wanted) in [("sslserver", leaf.usage.server()), ("sslclient", leaf.usage.client())] {
            for authority in Authority::ALL {
                let line = format!("verify -x509_strict -purpose {purpose} -CAfile {}", ca(authority).display());
                let verified = self.try_run(&line, &[&certificate]);
                assert_eq!(verified.is_ok(), wanted && authority == leaf.authority, "{leaf:?} {line}: {verified:?}");
            }
        }
        for name in &leaf.names {
            let option = match name {
                San::Dns(name) => format!("-verify_hostname {}", name.replace('*', "any")),
                San::Ip(address) => format!("-verify_ip {address}"),
            };
            self.run(&format!("verify -CAfile {} {option}", ca(leaf.authority).display()), &[&certificate]);
        }

        let subject = self.run("x509 -noout -subject -nameopt RFC2253 -in", &[&certificate]);
        let organisation = leaf.organisation.map(|group| format!(",O={group}")).unwrap_or_default();
        assert_eq!(subject.trim(), format!("subject=CN={}{organisation}", leaf.common_name));
        let extensions =
            self.run("x509 -noout -ext keyUsage,basicConstraints,extendedKeyUsage,subjectAltName -in", &[&certificate]);
        let says = |text: &str| extensions.contains(text);
        assert!(says("Digital Signature, Key Encipherment\n") && says("CA:FALSE"), "{extensions}");
        assert_eq!(says("TLS Web Server Authentication"), leaf.usage.server(), "{extensions}");
        assert_eq!(says("TLS Web Client Authentication"), leaf.usage.client(), "{extensions}");
        let names = extensions.lines().skip_while(|line| !line.contains("Subject Alternative Name")).nth(1);
        assert_eq!(names.map_or(0, |line| line.split(", ").count()), leaf.names.len(), "{extensions}");

        let public = self.run("pkey -pubout -in", &[&key]);
        assert_eq!(public, self.run("x509 -noout -pubkey -in", &[&certificate]), "{leaf:?}");
        let serial = self.run("x509 -noout -serial -in", &[&certificate]);
        assert_eq!(serial.trim().len(), "serial=".len() + 32, "{serial}");
    }

    fn judge_all(&self, cluster: &Cluster, keys: &Keys) {
        self.write(keys);
        for host in &cluster.hosts {
            for leaf in table::leaves(cluster, host, VERSION).unwrap() {
                self.judge(host, &leaf);
            }
        }
    }
}

fn first(algorithm: KeyAlgorithm, kind: &str) {
    let openssl = Openssl::new();
    let cluster = cluster(algorithm);
    let keys = resolve(&cluster, VERSION, &Existing::default(), Timestamp::now(), Renewal::Due).unwrap();
    openssl.judge_all(&cluster, &keys);

    for name in ["ca", "front-proxy-ca", "etcd/ca", "apiserver"] {
        let path = openssl.path(&format!("m1/etc/kubernetes/pki/{name}.key"));
        let text = openssl.run("pkey -noout -text -in", &[&path]);
        assert!(text.contains(kind), "{name}: {}", text.lines().next().unwrap_or_default());
    }
    for name in ["ca", "front-proxy-ca", "etcd/ca"] {
        let path = openssl.path(&format!("m1/etc/kubernetes/pki/{name}.crt"));
        openssl.run(&format!("verify -x509_strict -CAfile {}", path.display()), &[&path]);
        let text = openssl.run("x509 -noout -ext basicConstraints,keyUsage -in", &[&path]);
        assert!(text.contains("CA:TRUE") && text.contains("Certificate Sign"), "{text}");
    }
    let key = openssl.path("m1/etc/kubernetes/pki/sa.key");
    assert_eq!(openssl.run("pkey -pubout -in", &[&key]), openssl.read("m1/etc/kubernetes/pki/sa.pub"));
    assert!(openssl.run("pkey -noout -text -in", &[&key]).contains("2048 bit"), "whatever the certificates use");
}

#[test]
fn openssl_accepts_ecdsa_p256() {
    first(KeyAlgorithm::EcdsaP256, "prime256v1");
}

#[test]
fn openssl_accepts_rsa_2048() {
    first(KeyAlgorithm::Rsa2048, "2048 bit");
}

#[test]
fn openssl_accepts_rsa_4096() {
    first(KeyAlgorithm::Rsa4096, "4096 bit");
}

/// What a master holds when all three CAs are openssl's: the key made by `key`, with `subject`.
fn foreign(openssl: &Openssl, key: &str, subject: &str) -> Existing {
    openssl.run(&format!("{key} -out ca.key"), &[]);
    let request = "req -x509 -new -key ca.key -days 3650 -out ca.crt -utf8 -subj";
    openssl.run(request, &[Path::new(subject)]);
    let mut files = BTreeMap::new();
    for stem in ["pki/ca", "pki/front-proxy-ca", "pki/etcd/ca"] {
        files.insert(format!("/etc/kubernetes/{stem}.crt"), openssl.read("ca.crt"));
        files.insert(format!("/etc/kubernetes/{stem}.key"), openssl.read("ca.key"));
    }
    openssl.run("genrsa -traditional -out sa.key 2048", &[]);
    files.insert("/etc/kubernetes/pki/sa.key".into(), openssl.read("sa.key"));
    Existing { hosts: [(HostName::parse("m1").unwrap(), files)].into(), cluster_exists: true, ..Existing::default() }
}

#[test]
fn keys_that_others_made_are_taken_over_as_they_are() {
    for (key, heading) in [
        ("genrsa -traditional", "BEGIN RSA PRIVATE KEY"),
        ("ecparam -genkey -name prime256v1", "BEGIN EC PRIVATE KEY"),
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384", "BEGIN PRIVATE KEY"),
    ] {
        let openssl = Openssl::new();
        let existing = foreign(&openssl, key, "/C=CN/O=Example GmbH/OU=Übung/CN=kubernetes");
        let cluster = cluster(KeyAlgorithm::EcdsaP256);
        let keys = resolve(&cluster, VERSION, &existing, Timestamp::now(), Renewal::Due).unwrap();
        let theirs = openssl.read("ca.key");
        assert!(theirs.contains(heading), "{key}");
        assert_eq!(keys.cache["pki/etcd/ca.key"].content, theirs);
        openssl.write(&keys);
        for host in &cluster.hosts {
            for leaf in table::leaves(&cluster, host, VERSION).unwrap() {
                let (certificate, _) = openssl.pair(host, &leaf);
                openssl.run("verify -CAfile ca.crt", &[&certificate]);
            }
        }
        assert_eq!(keys.cache["pki/sa.pub"].content, openssl.run("pkey -pubout -in sa.key", &[]));
    }
}

#[test]
fn a_ca_whose_name_cannot_be_repeated_is_refused() {
    for subject in ["/O=one/O=two/CN=kubernetes", "/OU=a/OU=b/CN=kubernetes", "/O=one+OU=two/CN=kubernetes"] {
        let openssl = Openssl::new();
        let existing = foreign(&openssl, "ecparam -genkey -name prime256v1", subject);
        let errors =
            resolve(&cluster(KeyAlgorithm::EcdsaP256), VERSION, &existing, Timestamp::now(), Renewal::Due).unwrap_err();
        assert_eq!(errors.len(), 3, "{errors:#?}");
        assert!(matches!(&errors[0], PkiError::Unusable { .. }), "{errors:#?}");
        assert!(errors[0].to_string().contains("CN=kubernetes"), "{}", errors[0]);
    }
}

#[test]
fn a_ca_whose_signatures_could_not_be_verified_later_is_refused() {
    let weak = "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024";
    for key in [weak, "ecparam -genkey -name secp521r1", "ecparam -genkey -name secp256k1"] {
        let openssl = Openssl::new();
        openssl.run(&format!("{key} -out ca.key"), &[]);
        openssl.run("req -x509 -new -key ca.key -days 3650 -out ca.crt -subj /CN=kubernetes", &[]);
        let mut files = BTreeMap::new();
        for suffix in ["crt", "key"] {
            files.insert(format!("/etc/kubernetes/pki/ca.{suffix}"), openssl.read(&format!("ca.{suffix}")));
        }
        let hosts = [(HostName::parse("m1").unwrap(), files)].into();
        let existing = Existing { hosts, ..Existing::default() };
        let errors =
            resolve(&cluster(KeyAlgorithm::EcdsaP256), VERSION, &existing, Timestamp::now(), Renewal::Due).unwrap_err();
        assert!(matches!(&errors[..], [PkiError::Unusable { .. } | PkiError::Unreadable { .. }]), "{key}: {errors:#?}");
    }
}

#[test]
fn a_certificate_signed_with_sha1_is_replaced() {
    let openssl = Openssl::new();
    let mut existing = foreign(&openssl, "genrsa -traditional", "/CN=kubernetes");
    let cluster = cluster(KeyAlgorithm::EcdsaP256);
    let sign = |digest: &str| {
        fs::write(openssl.path("extensions"), "extendedKeyUsage=clientAuth\n").unwrap();
        openssl
            .run("req -new -newkey rsa:2048 -nodes -keyout leaf.key -out leaf.csr -subj /CN=front-proxy-client", &[]);
        let line = "x509 -req -in leaf.csr -CA ca.crt -CAkey ca.key -days 365 -extfile extensions -out leaf.crt";
        openssl.run(&format!("{line} -{digest}"), &[]);
        openssl.read("leaf.crt")
    };
    for (digest, stays) in [("sha256", true), ("sha1", false)] {
        let certificate = sign(digest);
        let path = "/etc/kubernetes/pki/front-proxy-client";
        let files = existing.hosts.get_mut(&cluster.hosts[0].name).unwrap();
        files.insert(format!("{path}.crt"), certificate.clone());
        files.insert(format!("{path}.key"), openssl.read("leaf.key"));
        let keys = resolve(&cluster, VERSION, &existing, Timestamp::now(), Renewal::Due).unwrap();
        let file = keys.hosts[&cluster.hosts[0].name].iter().find(|file| file.path == format!("{path}.crt")).unwrap();
        assert_eq!(file.content == certificate, stays, "{digest}: {:?}", keys.notes);
    }
}

#[test]
fn while_a_ca_is_rotated_the_file_holds_two() {
    let openssl = Openssl::new();
    let mut existing = foreign(&openssl, "ecparam -genkey -name prime256v1", "/CN=old");
    let old = openssl.read("ca.crt");
    let newer = foreign(&openssl, "ecparam -genkey -name prime256v1", "/CN=new");
    let cluster = cluster(KeyAlgorithm::EcdsaP256);
    let before = resolve(&cluster, VERSION, &existing, Timestamp::now(), Renewal::Due).unwrap();

    let files = existing.hosts.get_mut(&cluster.hosts[0].name).unwrap();
    for file in &before.hosts[&cluster.hosts[0].name] {
        files.insert(file.path.clone(), file.content.clone());
    }
    for path in ["/etc/kubernetes/pki/ca.crt", "/etc/kubernetes/pki/ca.key"] {
        files.insert(path.into(), newer.hosts[&cluster.hosts[0].name][path].clone());
    }
    files.insert("/etc/kubernetes/pki/ca.crt".into(), format!("{old}{}", openssl.read("ca.crt")));
    files.remove("/etc/kubernetes/pki/apiserver.crt");
    let during = resolve(&cluster, VERSION, &existing, Timestamp::now(), Renewal::Due).unwrap();
    openssl.write(&during);
    let issuer = |name: &str| {
        let path = openssl.path(&format!("m1/etc/kubernetes/pki/{name}.crt"));
        openssl.run("x509 -noout -issuer -nameopt RFC2253 -in", &[&path]).trim().to_owned()
    };
    assert_eq!(issuer("apiserver"), "issuer=CN=new", "the key's certificate signs");
    assert_eq!(issuer("apiserver-kubelet-client"), "issuer=CN=old", "what is trusted stays");
    assert_eq!(
        openssl
            .run("storeutl -noout -certs", &[&openssl.path("n1/etc/kubernetes/pki/ca.crt")])
            .matches("Certificate")
            .count(),
        2
    );
}

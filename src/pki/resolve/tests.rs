//! Rule 1, scenario by scenario; and what makes a certificate stale.

use std::collections::BTreeSet;

use crate::cluster::{Cluster, KeyAlgorithm, Parts, Role};
use crate::pki::fixtures::*;
use crate::pki::{Existing, Keys, PkiError, Renewal, resolve};

/// `cluster` with its parts changed.
fn with(change: impl FnOnce(&mut Parts)) -> Cluster {
    let mut parts = parts();
    change(&mut parts);
    Cluster::new(parts).unwrap()
}

fn only(errors: Vec<PkiError>) -> PkiError {
    assert_eq!(errors.len(), 1, "{errors:#?}");
    errors.into_iter().next().unwrap()
}

fn refused(result: Result<Keys, Vec<PkiError>>) -> PkiError {
    only(result.unwrap_err())
}

#[test]
fn a_first_run_makes_everything() {
    let keys = first(&cluster());
    let ca = |host| content(&keys, host, "/etc/kubernetes/pki/ca.crt");
    assert_eq!((ca("m1"), ca("m2"), ca("n1")), (&*keys.ca, &*keys.ca, &*keys.ca));
    assert_eq!(content(&keys, "e1", "/etc/etcd/pki/ca.crt"), keys.etcd_ca);
    let account = |host| content(&keys, host, "/etc/kubernetes/pki/sa.key");
    assert_eq!(account("m1"), account("m2"));
    let apiserver = |host| content(&keys, host, "/etc/kubernetes/pki/apiserver.key");
    assert_ne!(apiserver("m1"), apiserver("m2"), "each host its own key");
    assert_eq!(keys.cache["pki/ca.crt"].content, keys.ca);
    assert_eq!(keys.cache["admin.conf"].content, content(&keys, "m1", "/etc/kubernetes/admin.conf"));
    assert!(keys.admin.certificate.starts_with("-----BEGIN CERTIFICATE-----"));
    assert!(keys.notes.is_empty(), "{:?}", keys.notes);
}

#[test]
fn a_second_run_gives_the_same_bytes() {
    let keys = first(&cluster());
    assert_eq!(again(&cluster(), &distributed(&keys)).unwrap(), keys);
}

#[test]
fn another_machine_reads_the_keys_back() {
    let keys = first(&cluster());
    let mut existing = distributed(&keys);
    existing.cache.clear();
    assert_eq!(again(&cluster(), &existing).unwrap(), keys);
}

#[test]
fn an_interrupted_first_run_is_taken_up_with_the_cached_keys() {
    let keys = first(&cluster());
    for cluster_exists in [false, true] {
        let existing = Existing { hosts: Default::default(), cluster_exists, ..distributed(&keys) };
        let next = again(&cluster(), &existing).unwrap();
        assert_eq!((&next.ca, &next.etcd_ca), (&keys.ca, &keys.etcd_ca));
        assert_eq!(
            content(&next, "m2", "/etc/kubernetes/pki/sa.key"),
            content(&keys, "m1", "/etc/kubernetes/pki/sa.key")
        );
    }
}

#[test]
fn another_ca_on_this_machine_is_refused() {
    let keys = first(&cluster());
    let mut existing = distributed(&keys);
    existing.cache = distributed(&first(&cluster())).cache;
    let errors = again(&cluster(), &existing).unwrap_err();
    assert_eq!(errors.len(), 7, "certificate and key of three CAs, and the service account key: {errors:#?}");
    let text = errors[0].to_string();
    for part in
        ["certificate of the Kubernetes CA", "m1:/etc/kubernetes/pki/ca.crt", "pki/ca.crt in the local", "hint: "]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_master_that_lost_its_files_gets_them_from_the_others() {
    let keys = first(&cluster());
    let mut existing = distributed(&keys);
    existing.cache.clear();
    files(&mut existing, "m1").clear();
    let next = again(&cluster(), &existing).unwrap();
    assert!(changed(&existing, &next).iter().all(|file| file.starts_with("m1:")));
    for path in ["/etc/kubernetes/pki/ca.key", "/etc/kubernetes/pki/etcd/ca.key", "/etc/kubernetes/pki/sa.pub"] {
        assert_eq!(content(&next, "m1", path), content(&keys, "m1", path));
    }
}

#[test]
fn masters_that_disagree_are_refused() {
    let mut existing = distributed(&first(&cluster()));
    existing.cache.clear();
    let other = distributed(&first(&cluster())).hosts.remove(&cluster().hosts[1].name).unwrap();
    let path = "/etc/kubernetes/pki/sa.key";
    files(&mut existing, "m2").insert(path.into(), other[path].clone());
    let PkiError::Differ { what, groups } = refused(again(&cluster(), &existing)) else { panic!() };
    assert_eq!(what, "the service account key");
    let places: Vec<String> = groups.iter().flat_map(|(_, places)| places).map(ToString::to_string).collect();
    assert_eq!(places, [format!("m1:{path}"), format!("m2:{path}")]);
}

#[test]
fn a_worker_of_another_cluster_is_refused() {
    let mut existing = distributed(&first(&cluster()));
    let other = first(&cluster()).ca;
    files(&mut existing, "n1").insert("/etc/kubernetes/pki/ca.crt".into(), other);
    assert!(refused(again(&cluster(), &existing)).to_string().contains("\n  n1:/etc/kubernetes/pki/ca.crt"));
}

#[test]
fn a_cluster_without_keys_is_refused() {
    let existing = Existing { cluster_exists: true, ..Existing::default() };
    let errors = again(&cluster(), &existing).unwrap_err();
    assert_eq!(errors.len(), 4, "{errors:#?}");
    assert!(errors.iter().all(|error| matches!(error, PkiError::Lost { .. })), "{errors:#?}");
    assert!(errors[0].to_string().contains("/etc/kubernetes/pki/ca.key"));
}

#[test]
fn one_lost_ca_of_a_live_cluster_is_refused_too() {
    let mut existing = distributed(&first(&cluster()));
    for files in existing.hosts.values_mut().chain([&mut existing.cache]) {
        files.retain(|path, _| !path.contains("front-proxy-ca"));
    }
    let error = refused(again(&cluster(), &existing));
    assert!(matches!(&error, PkiError::Lost { what, .. } if what == "the front-proxy CA"), "{error}");
}

#[test]
fn the_same_key_in_another_format_is_the_same() {
    let keys = first(&cluster());
    let mut existing = distributed(&keys);
    let path = "/etc/kubernetes/pki/ca.crt";
    let rewritten = format!("# the CA\n{}\n", keys.ca.replace('\n', "\r\n"));
    files(&mut existing, "m2").insert(path.into(), rewritten.clone());
    let next = again(&cluster(), &existing).unwrap();
    assert_eq!(content(&next, "m2", path), rewritten, "nothing changes over a line break");
    assert!(changed(&existing, &next).is_empty());
}

#[test]
fn without_its_key_a_ca_serves_while_nothing_must_be_issued() {
    let keys = first(&cluster());
    let mut existing = distributed(&keys);
    for files in existing.hosts.values_mut().chain([&mut existing.cache]) {
        files.retain(|path, _| !path.ends_with("ca.key"));
    }
    let next = again(&cluster(), &existing).unwrap();
    assert!(changed(&existing, &next).is_empty());
    assert!(next.hosts.values().flatten().all(|file| !file.path.ends_with("ca.key")));
    assert_eq!(next.notes.len(), 3, "{:?}", next.notes);
    assert!(next.notes.iter().all(|note| note.text.contains("nothing new can be signed")), "{:?}", next.notes);

    files(&mut existing, "m2").remove("/etc/kubernetes/pki/apiserver.key");
    files(&mut existing, "e1").remove("/etc/etcd/pki/peer.crt");
    let errors = again(&cluster(), &existing).unwrap_err();
    let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors.len(), 2, "{text:#?}");
    assert!(text[0].contains("m2:/etc/kubernetes/pki/apiserver.crt: its key is missing"), "{text:#?}");
    assert!(text[1].contains("e1:/etc/etcd/pki/peer.crt: its certificate is missing"), "{text:#?}");
}

#[test]
fn damaged_or_mismatched_ca_files_are_refused() {
    let keys = first(&cluster());
    let path = "/etc/kubernetes/pki/ca.key";
    let refuse = |content: &str| {
        let mut existing = distributed(&keys);
        existing.cache.remove("pki/ca.key");
        for host in ["m1", "m2"] {
            files(&mut existing, host).insert(path.into(), content.to_owned());
        }
        again(&cluster(), &existing).unwrap_err()
    };
    let damaged = format!("-----BEGIN PRIVATE KEY-----{}", "SECRET");
    let errors = refuse(&damaged);
    assert!(matches!(errors[..], [PkiError::Unreadable { .. }, PkiError::Unreadable { .. }]), "{errors:#?}");
    assert!(!format!("{errors:?}").contains("SECRET"), "{errors:?}");
    let other = first(&cluster());
    let error = only(refuse(content(&other, "m1", path)));
    assert!(matches!(error, PkiError::Mismatch { .. }), "{error}");
    let error = only(refuse(content(&other, "m1", "/etc/kubernetes/pki/etcd/ca.key")));
    assert!(
        error.to_string().contains("m1:/etc/kubernetes/pki/ca.key is not the key of m1:/etc/kubernetes/pki/ca.crt")
    );
}

#[test]
fn a_key_without_certificate_is_refused() {
    let mut existing = distributed(&first(&cluster()));
    for files in existing.hosts.values_mut().chain([&mut existing.cache]) {
        files.retain(|path, _| !path.ends_with("pki/ca.crt") || path.contains("etcd"));
    }
    let error = refused(again(&cluster(), &existing));
    assert!(matches!(error, PkiError::NoCertificate { .. }), "{error}");
}

#[test]
fn a_leaf_is_no_ca() {
    let keys = first(&cluster());
    let mut existing = distributed(&keys);
    let leaf = content(&keys, "m1", "/etc/kubernetes/pki/apiserver.crt").to_owned();
    for files in existing.hosts.values_mut().chain([&mut existing.cache]) {
        files.retain(|path, _| !path.ends_with("pki/ca.key"));
        files.entry("pki/ca.crt".into()).and_modify(|text| text.clone_from(&leaf));
        files.entry("/etc/kubernetes/pki/ca.crt".into()).and_modify(|text| text.clone_from(&leaf));
    }
    let error = refused(again(&cluster(), &existing));
    assert!(matches!(error, PkiError::NotAnAuthority { .. }), "{error}");
}

#[test]
fn a_ca_that_ran_out_is_refused_and_one_that_will_is_noted() {
    let keys = first(&cluster());
    let existing = distributed(&keys);
    let later = |days: u32| resolve(&cluster(), V1_36, &existing, now() + days * DAY, Renewal::Due);
    let errors = later(3650).unwrap_err();
    assert_eq!(errors.len(), 3);
    assert!(matches!(errors[0], PkiError::Expired { .. }), "{errors:#?}");
    assert!(later(3284).unwrap().notes.iter().all(|note| note.host.is_some()));
    let noted = later(3640).unwrap();
    assert_eq!(noted.ca, keys.ca);
    assert_eq!(noted.notes.iter().filter(|note| note.host.is_none()).count(), 3, "{:?}", noted.notes);

    // Certificates end with their CA, and are not renewed for it on every run.
    let settled = resolve(&cluster(), V1_36, &distributed(&noted), now() + 3641 * DAY, Renewal::Due).unwrap();
    assert!(changed(&distributed(&noted), &settled).is_empty());
}

#[test]
fn a_clock_that_is_behind_is_named() {
    let existing = distributed(&first(&cluster()));
    let errors = resolve(&cluster(), V1_36, &existing, now() - DAY, Renewal::Due).unwrap_err();
    assert!(matches!(errors[0], PkiError::NotYetValid { .. }), "{errors:#?}");
}

#[test]
fn a_damaged_leaf_is_issued_anew_and_nothing_else() {
    let keys = first(&cluster());
    let path = "/etc/kubernetes/pki/front-proxy-client";
    for damage in ["", "rubbish", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let mut existing = distributed(&keys);
        files(&mut existing, "m2").insert(format!("{path}.crt"), damage.into());
        let next = again(&cluster(), &existing).unwrap();
        assert_eq!(changed(&existing, &next), [format!("m2:{path}.crt"), format!("m2:{path}.key")]);
        assert_eq!(next.notes.len(), 1, "{:?}", next.notes);
        assert_eq!(next.notes[0].subject, format!("{path}.crt"));
    }
}

#[test]
fn a_leaf_with_anothers_key_or_subject_is_issued_anew() {
    let keys = first(&cluster());
    let path = "/etc/kubernetes/kubelet.conf";
    let mut existing = distributed(&keys);
    files(&mut existing, "n1").insert(path.into(), content(&keys, "m1", path).into());
    let next = again(&cluster(), &existing).unwrap();
    assert_eq!(changed(&existing, &next), [format!("n1:{path}")]);
    assert_eq!(
        next.notes[0].text,
        "issued anew: its subject is CN=system:node:m1 O=system:nodes, wanted is CN=system:node:n1 O=system:nodes"
    );

    let mut existing = distributed(&keys);
    let path = "/etc/etcd/pki/server";
    files(&mut existing, "e1").insert(format!("{path}.key"), content(&keys, "m1", "/etc/etcd/pki/server.key").into());
    let next = again(&cluster(), &existing).unwrap();
    assert_eq!(changed(&existing, &next), [format!("e1:{path}.crt"), format!("e1:{path}.key")]);
}

#[test]
fn a_leaf_of_another_ca_or_usage_is_issued_anew() {
    let keys = first(&cluster());
    let other = first(&cluster());
    let (client, server) = ("/etc/kubernetes/pki/apiserver-etcd-client", "/etc/etcd/pki/server");
    for (host, path, from, source) in [("m1", client, &other, client), ("e1", server, &keys, client)] {
        let mut existing = distributed(&keys);
        for suffix in ["crt", "key"] {
            let stolen = content(from, "m1", &format!("{source}.{suffix}")).to_owned();
            files(&mut existing, host).insert(format!("{path}.{suffix}"), stolen);
        }
        let next = again(&cluster(), &existing).unwrap();
        assert_eq!(changed(&existing, &next), [format!("{host}:{path}.crt"), format!("{host}:{path}.key")]);
    }
}

#[test]
fn leaves_are_renewed_when_little_of_them_remains() {
    let existing = distributed(&first(&cluster()));
    let later = |days: u32| resolve(&cluster(), V1_36, &existing, now() + days * DAY, Renewal::Due).unwrap();
    assert!(changed(&existing, &later(334)).is_empty());
    let renewed = later(336);
    let count = |keys: &Keys| keys.hosts.values().flatten().filter(|file| file.secret).count();
    let shared = 2 * 4;
    assert_eq!(renewed.notes.len(), count(&renewed) - shared, "every leaf");
    assert!(renewed.notes[0].text.contains("it expires at 2027-11-20T12:00:00Z"), "{:?}", renewed.notes[0]);

    // An upgrade is an occasion to renew what has less than 180 days left.
    let early = |days: u32| resolve(&cluster(), V1_36, &existing, now() + days * DAY, Renewal::Early).unwrap();
    assert!(changed(&existing, &early(184)).is_empty());
    assert_eq!(changed(&existing, &early(186)), changed(&existing, &renewed));

    // Of a lifetime of six days the last is the sixth, whatever 30 days say.
    let short = with(|parts| parts.pki.leaf_lifetime = 6 * DAY);
    let existing = distributed(&first(&short));
    let later = |hours: u32| resolve(&short, V1_36, &existing, now() + DAY / 24 * hours, Renewal::Due).unwrap();
    assert!(changed(&existing, &later(119)).is_empty());
    assert!(!changed(&existing, &later(121)).is_empty());
}

#[test]
fn a_new_name_of_the_api_concerns_the_api_servers_only() {
    let existing = distributed(&first(&cluster()));
    let named = with(|parts| parts.control_plane.cert_sans = vec!["api.example.org".into(), "192.0.2.1".into()]);
    let next = again(&named, &existing).unwrap();
    let path = "/etc/kubernetes/pki/apiserver";
    let pairs = ["m1", "m2"].map(|host| [format!("{host}:{path}.crt"), format!("{host}:{path}.key")]);
    assert_eq!(changed(&existing, &next), pairs.concat());
    assert_eq!(next.notes[0].text, "issued anew: it lacks DNS:api.example.org, IP:192.0.2.1");

    // And when it goes, it goes.
    let existing = distributed(&next);
    let next = again(&cluster(), &existing).unwrap();
    assert_eq!(changed(&existing, &next).len(), 4);
    assert!(next.notes[0].text.contains("it should not name DNS:api.example.org, IP:192.0.2.1"));
}

#[test]
fn a_moved_endpoint_keeps_the_identities() {
    let keys = first(&cluster());
    let existing = distributed(&keys);
    let moved = with(|parts| parts.endpoint.port = 9443);
    let next = again(&moved, &existing).unwrap();
    let confs: Vec<String> = changed(&existing, &next);
    let paths = ["m1:/etc/kubernetes/admin.conf", "m1:/etc/kubernetes/super-admin.conf"];
    assert_eq!(confs[..2], paths);
    assert_eq!(confs.last().unwrap(), "n1:/etc/kubernetes/kubelet.conf");
    assert_eq!(confs.len(), 5, "{confs:?}");
    assert!(next.notes.is_empty());
    assert_eq!(next.admin, keys.admin);
    assert!(content(&next, "n1", "/etc/kubernetes/kubelet.conf").contains("server: \"https://api.example.test:9443\""));
    assert!(content(&next, "m2", "/etc/kubernetes/kubelet.conf").contains("server: \"https://10.1.0.12:6443\""));
}

#[test]
fn the_upgrade_to_1_29_changes_groups() {
    let old = resolve(&cluster(), V1_20, &Existing::default(), now(), Renewal::Due).unwrap();
    let existing = distributed(&old);
    let next = again(&cluster(), &existing).unwrap();
    let on_m1 = changed(&existing, &next).into_iter().filter_map(|file| file.strip_prefix("m1:").map(str::to_owned));
    let expected = [
        "/etc/kubernetes/pki/apiserver-kubelet-client.crt",
        "/etc/kubernetes/pki/apiserver-kubelet-client.key",
        "/etc/kubernetes/pki/apiserver-etcd-client.crt",
        "/etc/kubernetes/pki/apiserver-etcd-client.key",
        "/etc/kubernetes/pki/etcd/healthcheck-client.crt",
        "/etc/kubernetes/pki/etcd/healthcheck-client.key",
        "/etc/kubernetes/admin.conf",
        "/etc/kubernetes/super-admin.conf",
    ];
    assert_eq!(on_m1.collect::<Vec<_>>(), expected);
    assert_ne!(old.admin, next.admin, "the installer's own identity stays in system:masters");
    assert_eq!(next.ca, old.ca);
}

#[test]
fn bad_names_are_refused_once() {
    let bad = with(|parts| parts.control_plane.cert_sans = vec!["10.0.0.0/8".into()]);
    let error = refused(again(&bad, &Existing::default()));
    assert_eq!(error, PkiError::Name { name: "10.0.0.0/8".into() });
}

#[test]
fn keys_of_another_algorithm_stay() {
    let existing = distributed(&first(&cluster()));
    let rsa = with(|parts| parts.pki.algorithm = KeyAlgorithm::Rsa2048);
    assert!(changed(&existing, &again(&rsa, &existing).unwrap()).is_empty());
}

#[test]
fn a_public_key_that_does_not_belong_is_refused() {
    let mut existing = distributed(&first(&cluster()));
    let other = first(&cluster());
    let path = "/etc/kubernetes/pki/sa.pub";
    files(&mut existing, "m2").insert(path.into(), content(&other, "m1", path).into());
    let error = refused(again(&cluster(), &existing));
    assert!(matches!(error, PkiError::Mismatch { .. }), "{error}");

    // While the key is rotated, there are two.
    let both = format!("{}{}", content(&other, "m1", path), existing.cache["pki/sa.pub"]);
    files(&mut existing, "m2").insert(path.into(), both);
    assert!(changed(&existing, &again(&cluster(), &existing).unwrap()).is_empty());
}

#[test]
fn debug_shows_no_secrets() {
    let keys = first(&cluster());
    let text = format!("{keys:?}");
    assert!(!text.contains("PRIVATE KEY") && !text.contains("client-key-data"));
}

#[test]
fn a_thousand_workers_each_get_their_own() {
    let big = with(|parts| {
        parts.network.pod_cidr = "10.128.0.0/10".parse().unwrap();
        let worker = |index: u32| host(&format!("w{index}"), 1000 + index, &[Role::Worker]);
        parts.hosts.extend((0..1000).map(worker));
    });
    let keys = first(&big);
    let own: BTreeSet<&str> =
        keys.hosts.values().flatten().filter(|file| file.secret).map(|file| &*file.content).collect();
    let shared = 2 * 4 - 4;
    assert_eq!(own.len() + shared, keys.hosts.values().flatten().filter(|file| file.secret).count());
    let existing = distributed(&keys);
    assert!(changed(&existing, &again(&big, &existing).unwrap()).is_empty(), "each its own, not its neighbour's");
}

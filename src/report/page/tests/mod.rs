//! The page as a whole: what it says, that it says nothing else, and that a browser shows it.

mod browser;
mod scene;

use super::{End, Stage, State};
use crate::host::protocol::{Action, Change};
use scene::{Scene, now, place, run};

fn change(resource: &str, action: Action, summary: &str, diff: Option<&str>) -> Change {
    let (resource, summary) = (resource.to_owned(), summary.to_owned());
    Change { resource, action, summary, diff: diff.map(str::to_owned) }
}

/// The small cluster, with one of everything that can be wrong.
fn unwell() -> Scene {
    let mut scene = Scene::small();
    scene.lose("n2", "connect: 10.1.1.2:22 does not answer within 10 s");
    scene.status("m2").etcd = Some("alarm NOSPACE on member 1f".to_owned());
    scene.status("m3").apiserver = Some("answers 500".to_owned());
    scene.status("n1").node = Some("Ready,SchedulingDisabled".to_owned());
    let facts = scene.overview.facts.get_mut(&"n1".parse_name()).unwrap();
    facts.versions.insert("kubelet".to_owned(), "v1.35.2".to_owned());
    scene.overview.path = crate::plan::path::path(&scene.fixture.cluster, &scene.fixture.image, &scene.overview.facts);
    let soon = &mut scene.overview.certificates.get_mut(&"m1".parse_name()).unwrap()[2];
    soon.not_after = "2026-12-11T09:00:00Z".to_owned();
    scene.status("m1").certificate = Some(scene.overview.certificates[&"m1".parse_name()][2].clone());
    let saved = scene.overview.saved.as_mut().unwrap();
    saved.places = vec![crate::run::PlaceStatus { too_old: true, ..place("2026-11-28T08:00:00Z", 100_800) }];
    saved.failures = vec!["m3: saving: No space left on device".to_owned()];
    let mut failed = run("upgrade");
    failed.end = End::Failed("m1: etcd: it does not come up\n    → journalctl -u etcd".to_owned());
    failed.stages.truncate(3);
    failed.stages[2].ok = false;
    let mut cut_off = run("install");
    cut_off.end = End::CutOff;
    cut_off.stages.push(Stage { name: "add-ons".into(), begins: 52.0, took: None, changed: 0, ok: false });
    scene.history.runs.splice(0..0, [failed, cut_off]);
    scene.history.skipped = vec!["20261129T050000Z-reset-1.log: its first line is no event".to_owned()];
    scene.history.looked = 12;
    scene
}

trait ParseName {
    fn parse_name(&self) -> crate::cluster::HostName;
}

impl ParseName for str {
    fn parse_name(&self) -> crate::cluster::HostName {
        crate::cluster::HostName::parse(self).unwrap()
    }
}

/// What a browser shows of the page, one line for each line and cell, without the style sheet.
fn text(html: &str) -> String {
    let body = html.split_once("<body>").unwrap().1;
    let mut text = String::new();
    let mut inside = false;
    for character in body.chars() {
        match character {
            '<' => inside = true,
            '>' => (inside, text) = (false, text + "\u{1}"),
            _ if !inside => text.push(character),
            _ => {}
        }
    }
    let lines = text.lines().map(|line| {
        let parts: Vec<_> = line.split('\u{1}').map(str::trim).filter(|part| !part.is_empty()).collect();
        parts.join(" | ")
    });
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n").replace("&#x2f;", "/")
}

#[test]
fn a_cluster_that_is_well_says_so_first() {
    let scene = Scene::small();
    let page = scene.page();
    assert_eq!((page.verdict.state, page.verdict.problems.len()), (State::Good, 0));
    assert!(scene.overview.status.is_well());
    assert_eq!(page.summary(), "prod-bj1 v1.36.0: everything is well");
    insta::assert_snapshot!(text(&page.html().unwrap()));
}

#[test]
fn what_is_not_well_is_said_first_and_the_page_is_made_all_the_same() {
    let scene = unwell();
    let page = scene.page();
    assert!(!scene.overview.status.is_well());
    insta::assert_snapshot!(text(&page.html().unwrap()));
}

#[test]
fn whatever_makes_status_fail_makes_the_page_say_not_well() {
    type Worsen = fn(&mut Scene);
    let worsen: [(&str, Worsen); 9] = [
        ("topology", |scene| scene.lose("n1", "no route to host")),
        ("topology", |scene| scene.status("m1").etcd = Some("no leader".to_owned())),
        ("topology", |scene| scene.status("m1").apiserver = Some("down".to_owned())),
        ("topology", |scene| scene.status("n1").kubelet = Some("down".to_owned())),
        ("topology", |scene| scene.status("n1").node = Some("NotReady".to_owned())),
        ("topology", |scene| scene.status("n1").node = None),
        ("changes", |scene| scene.status("n1").drift = Some(3)),
        ("changes", |scene| scene.overview.status.api_drift = Some(1)),
        ("control-plane", |scene| {
            scene.overview.status.api_unknown = Some("m1: connection refused".to_owned());
            scene.overview.status.hosts.iter_mut().for_each(|host| host.node = None);
        }),
    ];
    for (section, worsen) in worsen {
        let mut scene = Scene::small();
        worsen(&mut scene);
        assert!(!scene.overview.status.is_well());
        let verdict = scene.page().verdict;
        let first = &verdict.problems[0];
        assert_eq!((verdict.state, first.state, first.section), (State::Bad, State::Bad, section), "{verdict:?}");
        scene.page().html().unwrap();
    }
}

#[test]
fn nothing_at_all_is_known_and_there_is_a_page() {
    let mut scene = Scene::large();
    for host in scene.fixture.cluster.hosts.clone() {
        scene.lose(host.name.as_str(), "no route to host");
    }
    scene.overview.path.steps.clear();
    scene.overview.nodes.clear();
    scene.overview.saved.as_mut().unwrap().places[0] = crate::run::PlaceStatus {
        taken: None,
        age: None,
        member: None,
        revision: None,
        bytes: None,
        too_old: true,
        ..place("2026-11-28T08:00:00Z", 0)
    };
    scene.overview.status.api_unknown = Some("m1: not connected".to_owned());
    scene.history = super::History::default();
    let page = scene.page();
    assert!(page.verdict.problems.iter().any(|problem| problem.text.starts_with("200 of 200 hosts do not answer")));
    page.html().unwrap();
}

#[test]
fn markup_from_elsewhere_stays_text() {
    let evil = "<script>alert(1)</script><img src=x onerror='alert(2)'>\"'&";
    let mut scene = unwell();
    scene.fixture.change(|parts| {
        for host in &mut parts.hosts {
            (host.idc, host.rack) = (Some(evil.to_owned()), Some(evil.to_owned()));
        }
    });
    scene.status("n2").unreachable = Some(evil.to_owned());
    scene.status("m2").etcd = Some(evil.to_owned());
    scene.overview.status.api_unknown = Some(evil.to_owned());
    scene.overview.status.other_versions = Some(evil.to_owned());
    scene.overview.image = evil.to_owned();
    scene.overview.changes = vec![(evil.to_owned(), vec![change(evil, Action::Update, evil, Some(evil))])];
    scene.overview.saved.as_mut().unwrap().failures = vec![evil.to_owned()];
    scene.history.runs[0].verb = evil.to_owned();
    scene.history.runs[0].stages[0].name = evil.to_owned();
    scene.history.runs[0].end = End::Failed(evil.to_owned());
    scene.history.skipped = vec![evil.to_owned()];
    for dates in scene.overview.certificates.values_mut().flatten() {
        (dates.common_name, dates.path) = (evil.to_owned(), evil.to_owned());
    }
    let html = scene.page().html().unwrap();
    assert!(html.matches("&lt;script&gt;").count() > 20);
    for forbidden in ["<script", "<img", "onerror='"] {
        assert!(!html.to_lowercase().contains(forbidden), "{forbidden} is in the page");
    }
}

#[test]
fn the_page_asks_for_nothing_from_elsewhere() {
    let html = unwell().page().html().unwrap();
    for forbidden in ["src=", "<link", "@import", "url(", "<script", "<iframe", "<form", "http://", "https://"] {
        assert!(!html.contains(forbidden), "{forbidden} is in the page");
    }
    assert!(html.contains("Content-Security-Policy") && html.contains("default-src 'none'"));
}

#[test]
fn two_hundred_hosts_fit_into_a_page() {
    let mut scene = Scene::large();
    let diff = "+a line of a file that is rather long, as they are\n".repeat(400);
    for host in scene.fixture.cluster.hosts.clone() {
        let resource = |number: usize| format!("file /etc/kubernetes/{}-{number}", host.name);
        let changes = (0..60).map(|number| change(&resource(number), Action::Create, "content", Some(&diff)));
        scene.overview.changes.push((host.name.to_string(), changes.collect()));
        scene.status(host.name.as_str()).drift = Some(60);
    }
    let html = scene.page().html().unwrap();
    assert!(html.len() < 1_500_000, "{} bytes", html.len());
    for host in &scene.fixture.cluster.hosts {
        assert!(html.contains(&format!("id=\"host-{}\"", host.name)), "{}", host.name);
    }
}

#[test]
fn hosts_stand_in_their_racks() {
    let page = Scene::large().page();
    let racks: Vec<_> = page
        .idcs
        .iter()
        .flat_map(|idc| idc.racks.iter().map(move |rack| format!("{}/{}: {}", idc.name, rack.name, rack.boxes.len())))
        .collect();
    insta::assert_snapshot!(racks.join("\n"));
    assert_eq!(page.idcs.iter().map(|idc| idc.hosts).sum::<usize>(), 200);
    assert_eq!(page.made, now().strftime("%Y-%m-%d %H:%M UTC").to_string());
}

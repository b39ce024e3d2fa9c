//! The page in a real browser, which tells what it complains about and what it asks for.

#![allow(clippy::disallowed_methods)] // The hosts' door to programs is not for browsers.

use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use super::scene::Scene;
use super::{change, unwell};
use crate::host::protocol::Action;

/// Debian has it in a package of this name.
const BROWSER: &str = "chromium-headless-shell";

/// Whether this can be tried here: it takes the browser.
fn is_possible() -> bool {
    Command::new(BROWSER).arg("--version").output().is_ok()
}

/// The browser without anything that it does by itself; all that it asks for goes to `proxy`.
fn browser(home: &Path, proxy: &str) -> Command {
    let mut command = Command::new(BROWSER);
    command.arg(format!("--user-data-dir={}", home.display())).env("HOME", home).args([
        // Root has no other way, and the page is our own.
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
        "--enable-logging=stderr",
        &format!("--proxy-server={proxy}"),
        "--proxy-bypass-list=<-loopback>",
    ]);
    command
}

#[test]
fn a_browser_shows_every_host_and_asks_nobody_for_anything() {
    if !is_possible() {
        eprintln!("{BROWSER} is not installed, so this was not tried");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let requests = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut start = [0; 200];
            let length = (&stream).read(&mut start).unwrap_or(0);
            requests.lock().unwrap().push(String::from_utf8_lossy(&start[..length]).into_owned());
        }
    });
    let show = |html: &str| {
        let file = directory.path().join("page.html");
        std::fs::write(&file, html).unwrap();
        let address = format!("file://{}", file.display());
        let output = browser(directory.path(), &proxy).args(["--dump-dom", &address]).output().unwrap();
        let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{complaints}");
        let complaints = complaints.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect();
        (String::from_utf8(output.stdout).unwrap(), complaints)
    };

    // That it would be seen, were there anything to see.
    let (_, complaints): (_, Vec<String>) =
        show("<script>console.error('here')</script><img src=\"http://example.com/picture\">");
    assert!(complaints.iter().any(|line| line.contains("here")), "{complaints:?}");
    assert!(asked.lock().unwrap().iter().any(|request| request.contains("example.com/picture")), "{asked:?}");
    asked.lock().unwrap().clear();

    let scene = Scene::large();
    for (html, hosts) in [
        (scene.page().html().unwrap(), scene.fixture.cluster.hosts.clone()),
        (unwell().page().html().unwrap(), unwell().fixture.cluster.hosts.clone()),
    ] {
        let (dom, complaints) = show(&html);
        assert_eq!(complaints, Vec::<String>::new());
        assert_eq!(*asked.lock().unwrap(), Vec::<String>::new());
        for host in hosts {
            assert!(dom.contains(&format!("<a href=\"#host-{0}\">{0}</a>", host.name)), "{} is not shown", host.name);
            assert!(dom.contains(&format!("<tr id=\"host-{}\"", host.name)), "{} has no line", host.name);
        }
        assert!(dom.contains("</footer>"), "the page is not whole");
    }
}

/// Pages to open in a browser: `KUBEWRIGHT_PAGES=DIRECTORY cargo test --lib pages_to_look_at -- --ignored`.
#[test]
#[ignore = "for people: writes pages"]
fn pages_to_look_at() {
    let directory = std::env::var_os("KUBEWRIGHT_PAGES").expect("KUBEWRIGHT_PAGES names no directory");
    let directory = Path::new(&directory);
    let mut large = Scene::large();
    for (host, kubelet) in [("n017", "down"), ("n142", "answers 500")] {
        large.status(host).kubelet = Some(kubelet.to_owned());
        large.status(host).node = Some("NotReady".to_owned());
    }
    for host in ["n031", "n032", "n033", "n150"] {
        large.status(host).drift = Some(2);
        let changes = vec![
            change("sysctl net.ipv4.ip_forward", Action::Update, "0 → 1", None),
            change(
                "file /etc/sysctl.d/99-kubewright.conf",
                Action::Update,
                "content",
                Some("@@ -1,2 +1,2 @@\n a\n-b\n+c"),
            ),
        ];
        large.overview.changes.push((host.to_owned(), changes));
    }
    large.status("n088").node = Some("Ready,SchedulingDisabled".to_owned());
    let mut lost = Scene::large();
    for host in ["n101", "n102", "n103", "m2"] {
        lost.lose(host, "connect: no route to host");
    }
    for (name, scene) in [("small", unwell()), ("well", Scene::small()), ("large", large), ("lost", lost)] {
        let began = std::time::Instant::now();
        let html = scene.page().html().unwrap();
        println!("{name}: {} bytes in {:.3} s", html.len(), began.elapsed().as_secs_f64());
        let file = directory.join(format!("report-{name}.html"));
        std::fs::write(&file, html).unwrap();
    }
}

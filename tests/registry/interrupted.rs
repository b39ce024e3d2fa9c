//! A pull that is killed in the middle, and one whose connection breaks.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::command::{kubewright, ok, refused};
use crate::image::{noise, own_and_other, write};
use crate::server::Server;

/// What becomes of a connection after some bytes.
#[derive(Clone, Copy)]
enum Then {
    Break,
    Stall,
}

/// A way to `server` that carries so many bytes from it, all connections together; then it breaks once or stalls.
/// Returns its port.
fn way(server: u16, bytes: i64, then: Then) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let left = Arc::new(AtomicI64::new(bytes));
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, remote) = (client.unwrap(), TcpStream::connect(("127.0.0.1", server)).unwrap());
            let (mut up, mut up_to) = (client.try_clone().unwrap(), remote.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut up, &mut up_to));
            let left = Arc::clone(&left);
            thread::spawn(move || carry(remote, client, &left, then));
        }
    });
    port
}

fn carry(mut from: TcpStream, mut to: TcpStream, left: &AtomicI64, then: Then) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let before = left.fetch_sub(count as i64, Ordering::SeqCst);
        if before > 0 && before <= count as i64 || matches!(then, Then::Stall) && before <= 0 {
            match then {
                Then::Break => break,
                Then::Stall => thread::sleep(Duration::from_secs(3600)),
            }
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

const SIZE: usize = 4 << 20;

/// A registry with an image whose one layer is large.
fn prepared() -> (Server, String) {
    let server = Server::start();
    let (own, _) = own_and_other();
    let (_, layers) = write(&server.home().join("image"), "v1", &[own], &[("etcd", &noise(1, SIZE))]);
    ok(&server.home(), &["image", "push", "oci:image", &server.name("s:v1"), "--ca", &server.authority()]);
    server.forget();
    (server, layers.into_iter().next().unwrap().sha256)
}

/// Logs in to the registry by another way, too.
fn log_in(server: &Server, home: &std::path::Path, port: u16) {
    let file = home.join("docker/config.json");
    let text = fs::read_to_string(&file).unwrap().replace(&server.host(), &format!("127.0.0.1:{port}"));
    fs::write(file, text).unwrap();
}

fn partial_requests(server: &Server) -> usize {
    server.requests().iter().filter(|(_, path, status)| path.contains("/blobs/") && *status == 206).count()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
}

fn bytes_below(directory: &Path) -> u64 {
    files(directory).iter().map(|path| fs::metadata(path).unwrap().len()).sum()
}

/// Bytes of the layers and configurations in a store; manifests and indexes are read anew by every pull.
fn whole_blobs(directory: &Path) -> u64 {
    let is_blob = |content: &[u8]| match serde_json::from_slice::<serde_json::Value>(content) {
        Ok(document) => document["layers"].is_null() && document["manifests"].is_null(),
        Err(_) => true,
    };
    let contents = files(directory).into_iter().map(|path| fs::read(path).unwrap());
    contents.filter(|content| is_blob(content)).map(|content| content.len() as u64).sum()
}

#[test]
fn a_pull_that_was_killed_goes_on_where_it_stopped() {
    let (server, layer) = prepared();
    let home = server.other_home("killed");
    let port = way(server.port, SIZE as i64 / 2, Then::Stall);
    log_in(&server, &home, port);
    let ca = server.authority();
    let name = |port: u16| format!("127.0.0.1:{port}/kubewright/s:v1");
    let mut child = kubewright(&home).args(["image", "pull", &name(port), "--ca", &ca]).spawn().unwrap();
    let partial = home.join("cache/store/partial").join(&layer);
    let deadline = Instant::now() + Duration::from_secs(60);
    while fs::metadata(&partial).map_or(0, |meta| meta.len()) < SIZE as u64 / 4 {
        assert!(Instant::now() < deadline && child.try_wait().unwrap().is_none(), "nothing arrives");
        thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What came in part has no name.
    assert_eq!(ok(&home, &["image", "ls", "-o", "json"]).trim(), "[]");

    // The layer in part, and whichever of the small blobs beside it was faster.
    let there = bytes_below(&home.join("cache/store/partial")) + whole_blobs(&home.join("cache/store/blobs/sha256"));
    server.log_in("correct horse");
    fs::copy(server.home().join("docker/config.json"), home.join("docker/config.json")).unwrap();
    server.forget();
    let text = ok(&home, &["image", "pull", &name(server.port), "--ca", &ca]);
    assert_eq!(partial_requests(&server), 1);
    let expected = format!("{:.1} MB was there", there as f64 / 1e6);
    assert!(text.contains(&expected), "{expected}: {text}");
    assert!(!partial.exists());
    ok(&home, &["image", "verify", &name(server.port)]);

    // What is damaged on this machine comes anew.
    let stored = home.join("cache/store/blobs/sha256").join(&layer);
    let mut bytes = fs::read(&stored).unwrap();
    bytes[100] ^= 1;
    fs::write(&stored, bytes).unwrap();
    refused(&home, &["image", "verify", &name(server.port)], &["is damaged"]);
    ok(&home, &["image", "pull", &name(server.port), "--ca", &ca]);
    ok(&home, &["image", "verify", &name(server.port)]);
}

#[test]
fn a_connection_that_breaks_is_made_again() {
    let (server, _) = prepared();
    let home = server.other_home("broken");
    let port = way(server.port, SIZE as i64 / 2, Then::Break);
    log_in(&server, &home, port);
    let name = format!("127.0.0.1:{port}/kubewright/s:v1");
    ok(&home, &["image", "pull", &name, "--ca", &server.authority()]);
    assert_eq!(partial_requests(&server), 1);
    ok(&home, &["image", "verify", &name]);
}

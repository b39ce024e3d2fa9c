//! Who one is to the registry, and whom one believes.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::command::{kubewright, ok, refused};
use crate::image::{own_and_other, write};
use crate::server::Server;

#[test]
fn a_wrong_or_missing_password_is_told_with_whose_it_is() {
    let server = Server::start();
    let (home, ca, name) = (server.home(), server.authority(), server.name("sample:v1"));
    let (own, _) = own_and_other();
    write(&home.join("image"), "v1", &[own], &[("etcd", b"etcd")]);
    server.log_in("wrong");
    let log_in = format!("docker login {}", server.host());
    let file = home.join("docker/config.json");
    let parts = ["as \"ops\"", file.to_str().unwrap(), "401 Unauthorized", &log_in];
    let error = refused(&home, &["image", "push", "oci:image", &name, "--ca", &ca], &parts);
    assert!(!error.contains("wrong"), "{error}");
    fs::remove_file(&file).unwrap();
    refused(&home, &["image", "pull", &name, "--ca", &ca], &["without a login", file.to_str().unwrap(), &log_in]);
    fs::write(&file, "{").unwrap();
    refused(&home, &["image", "pull", &name, "--ca", &ca], &["cannot find the login", file.to_str().unwrap()]);
}

#[test]
fn an_unknown_authority_is_told_with_what_to_do() {
    let server = Server::start();
    let (home, name) = (server.home(), server.name("sample:v1"));
    let parts = [&server.host(), "nobody that this machine trusts has signed it", "--ca FILE"];
    refused(&home, &["image", "pull", &name], &parts);
    let other = Server::start();
    refused(&home, &["image", "pull", &name, "--ca", &other.authority()], &["the certificate of", "is not accepted"]);
    refused(&home, &["image", "pull", &name, "--ca", "gone.pem"], &["the certificate authority gone.pem"]);
}

#[test]
fn a_credential_helper_is_asked() {
    let server = Server::start();
    let (home, ca, name) = (server.home(), server.authority(), server.name("sample:v1"));
    let (own, _) = own_and_other();
    write(&home.join("image"), "v1", &[own], &[("etcd", b"etcd")]);
    fs::write(home.join("docker/config.json"), r#"{"credsStore": "test"}"#).unwrap();
    let programs = home.join("bin");
    fs::create_dir(&programs).unwrap();
    let program = programs.join("docker-credential-test");
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = get ] && [ \"$(cat)\" = {} ] || exit 9\n\
         echo '{{\"ServerURL\":\"x\",\"Username\":\"ops\",\"Secret\":\"correct horse\"}}'\n",
        server.host()
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let push = |path: &str| {
        let mut command = kubewright(&home);
        command.args(["image", "push", "oci:image", &name, "--ca", &ca]).env("PATH", path).output().unwrap()
    };
    let output = push(&path);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Without it, the program is named.
    let output = push("/nonexistent");
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot run docker-credential-test get"));
    // The store of docker on this machine is not needed for what is here.
    ok(&home, &["image", "verify", "oci:image"]);
}

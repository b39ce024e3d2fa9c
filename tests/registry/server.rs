//! A real registry, ended with the test, and the user who logs in to it.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use tempfile::TempDir;

use crate::command::command;

/// The password of `ops`: `correct horse`, as htpasswd has it.
const HTPASSWD: &str = "ops:$2y$05$KkVYa8z2s0XOGGoPB3k1p.dbjWqPdXe2XbxxuMQ8i7dkkXc4wka86\n";

/// A running registry, and a home directory for the one who uses it; all of it ends with this value.
pub(crate) struct Server {
    directory: TempDir,
    pub(crate) port: u16,
    child: Child,
}

impl Server {
    /// With TLS, and a password that is asked for; the user is logged in.
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        certificates(directory.path());
        fs::write(directory.path().join("htpasswd"), HTPASSWD).unwrap();
        let extra = "  tls: {certificate: DIR/tls.crt, key: DIR/tls.key}\nauth: {htpasswd: {realm: test, path: DIR/htpasswd}}\n";
        let server = Self::launch(directory, extra);
        server.log_in("correct horse");
        server
    }

    /// Without either.
    pub(crate) fn plain() -> Self {
        Self::launch(tempfile::tempdir().unwrap(), "")
    }

    fn launch(directory: TempDir, extra: &str) -> Self {
        let path = directory.path();
        fs::create_dir_all(path.join("home/docker")).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let text = format!("{CONFIG}{extra}").replace("DIR", path.to_str().unwrap()).replace("PORT", &port.to_string());
        fs::write(path.join("config.yml"), text).unwrap();
        let log = fs::File::create(path.join("log")).unwrap();
        let mut command = command("docker-registry");
        command.arg("serve").arg(path.join("config.yml"));
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn();
        let child =
            child.unwrap_or_else(|error| panic!("cannot run docker-registry ({error}): see scripts/packages.sh"));
        let mut server = Self { directory, port, child };
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = server.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "no registry ({ended:?}): {}", server.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// Ends the registry; the homes stay until this is dropped.
    pub(crate) fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    /// A home of somebody else with the same login.
    pub(crate) fn other_home(&self, name: &str) -> PathBuf {
        let home = self.directory.path().join(name);
        fs::create_dir_all(home.join("docker")).unwrap();
        let _ = fs::copy(self.home().join("docker/config.json"), home.join("docker/config.json"));
        home
    }

    /// The file with the certificate authority.
    pub(crate) fn authority(&self) -> String {
        self.directory.path().join("ca.crt").display().to_string()
    }

    /// Host and port.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `HOST/kubewright/NAME`.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{}/kubewright/{name}", self.host())
    }

    /// Writes down that `ops` has this password.
    pub(crate) fn log_in(&self, password: &str) {
        let auth = STANDARD.encode(format!("ops:{password}"));
        let text = format!(r#"{{"auths": {{"{}": {{"auth": "{auth}"}}}}}}"#, self.host());
        fs::write(self.home().join("docker/config.json"), text).unwrap();
    }

    /// The file in which the registry keeps a blob.
    pub(crate) fn blob(&self, sha256: &str) -> PathBuf {
        let blobs = self.directory.path().join("storage/docker/registry/v2/blobs/sha256");
        blobs.join(&sha256[..2]).join(sha256).join("data")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Method, path and status of each request so far, those for tokens and logins left out.
    pub(crate) fn requests(&self) -> Vec<(String, String, u16)> {
        // The log is written after the answer.
        std::thread::sleep(Duration::from_millis(200));
        let request = |line: &str| {
            let (_, rest) = line.split_once("] \"")?;
            let (request, rest) = rest.split_once("\" ")?;
            let mut words = request.split(' ');
            let status = rest.split(' ').next()?.parse().ok()?;
            Some((words.next()?.to_owned(), words.next()?.to_owned(), status))
        };
        self.log().lines().filter_map(request).filter(|(_, _, status)| *status != 401).collect()
    }

    /// Forgets the requests so far.
    pub(crate) fn forget(&self) {
        std::thread::sleep(Duration::from_millis(200));
        fs::File::options().write(true).open(self.directory.path().join("log")).unwrap().set_len(0).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const CONFIG: &str = "\
version: 0.1
log: {level: error, accesslog: {disabled: false}}
storage: {filesystem: {rootdirectory: DIR/storage}}
http:
  addr: 127.0.0.1:PORT
";

fn certificates(directory: &Path) {
    let key = || KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "registry test CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = CertifiedIssuer::self_signed(params, key()).unwrap();
    let serving = key();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&serving, &authority).unwrap();
    for (name, text) in
        [("ca.crt", authority.pem()), ("tls.crt", certificate.pem()), ("tls.key", serving.serialize_pem())]
    {
        fs::write(directory.join(name), text).unwrap();
    }
}

//! Object stores on loopback.

#[path = "../../../tests/lab/object_store_server.rs"]
mod server;

use std::path::PathBuf;

pub(in crate::snapshot) use server::{Fault, Faults};

use super::Target;
use crate::cluster::{BucketPlace, SnapshotPlace};

/// A real store with one bucket.
pub(in crate::snapshot) struct Store {
    pub(in crate::snapshot) place: BucketPlace,
    pub(in crate::snapshot) faults: Faults,
    directory: tempfile::TempDir,
}

impl Store {
    pub(in crate::snapshot) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join("root/backups")).unwrap();
        let credentials = directory.path().join("credentials");
        std::fs::write(&credentials, "[default]\naws_access_key_id = key\naws_secret_access_key = secret\n").unwrap();
        let faults = Faults::default();
        let listen = "127.0.0.1:0".parse().unwrap();
        let address = server::serve(listen, &directory.path().join("root"), "key", "secret", faults.clone()).await;
        let place = BucketPlace {
            endpoint: format!("http://{address}"),
            region: "us-east-1".into(),
            bucket: "backups".into(),
            prefix: "prod/etcd".into(),
            path_style: true,
            encryption: Some("AES256".into()),
            authorities: None,
            credentials: Some(credentials),
        };
        Self { place, faults, directory }
    }

    pub(in crate::snapshot) fn target(&self) -> Target {
        Target::open(&SnapshotPlace::Bucket(self.place.clone())).unwrap()
    }

    /// Where the objects are.
    pub(in crate::snapshot) fn objects(&self) -> PathBuf {
        self.directory.path().join("root/backups/prod/etcd")
    }
}

//! containerd's images, over its socket: starting `ctr` costs a host more than all of the answer.
//!
//! Only what is asked for here is declared of its protocol; fields that are not are skipped by their numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;
use tower::service_fn;

use super::machine::found;

/// The namespace of everything that the kubelet runs.
const NAMESPACE: &str = "k8s.io";
const LIST: &str = "/containerd.services.images.v1.Images/List";
const UPDATE: &str = "/containerd.services.images.v1.Images/Update";
const DELETE: &str = "/containerd.services.images.v1.Images/Delete";
const CONTAINERS: &str = "/containerd.services.containers.v1.Containers/List";
const LEASES: &str = "/containerd.services.leases.v1.Leases/List";
const END_LEASE: &str = "/containerd.services.leases.v1.Leases/Delete";
/// Containers are listed with all that they were made from.
const LARGEST_ANSWER: usize = 64 << 20;
const DEADLINE: Duration = Duration::from_secs(60);

/// Labels of every image, by its reference.
pub(super) type Images = BTreeMap<String, BTreeMap<String, String>>;

/// An image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    /// Its reference.
    pub(super) name: String,
    /// Digest of its manifest or index: the image itself, whatever it is called.
    pub(super) digest: String,
    /// When it got its name or its labels.
    pub(super) updated: SystemTime,
    /// Labels of the reference.
    pub(super) labels: BTreeMap<String, String>,
}

/// Images, and what uses them.
#[derive(Debug, Clone, Default)]
pub(super) struct Catalogue {
    /// All images.
    pub(super) images: Vec<Image>,
    /// References that containers were made from.
    pub(super) used: Vec<String>,
}

impl Catalogue {
    /// Digests of the images that containers were made from.
    pub(super) fn running(&self) -> BTreeSet<&str> {
        let used = self.images.iter().filter(|image| self.used.contains(&image.name));
        used.map(|image| image.digest.as_str()).collect()
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct ImageRecord {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(btree_map = "string, string", tag = "2")]
    labels: BTreeMap<String, String>,
    #[prost(message, optional, tag = "3")]
    target: Option<Descriptor>,
    #[prost(message, optional, tag = "8")]
    updated_at: Option<Moment>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Descriptor {
    #[prost(string, tag = "2")]
    digest: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Moment {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanoseconds: i32,
}

impl Moment {
    fn time(&self) -> SystemTime {
        let (seconds, nanoseconds) = (u64::try_from(self.seconds), u32::try_from(self.nanoseconds));
        let since = Duration::new(seconds.unwrap_or(0), nanoseconds.unwrap_or(0).min(999_999_999));
        SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct DeleteImageRequest {
    #[prost(string, tag = "1")]
    name: String,
    /// Answer only when what nothing refers to any more is gone from the disk.
    #[prost(bool, tag = "2")]
    sync: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Lease {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(message, optional, tag = "2")]
    created_at: Option<Moment>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ListLeasesResponse {
    #[prost(message, repeated, tag = "1")]
    leases: Vec<Lease>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct EndLeaseRequest {
    #[prost(string, tag = "1")]
    id: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Container {
    #[prost(string, tag = "3")]
    image: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ListContainersResponse {
    #[prost(message, repeated, tag = "1")]
    containers: Vec<Container>,
}

/// A message without any field that matters here.
#[derive(Clone, PartialEq, prost::Message)]
struct Plain {}

#[derive(Clone, PartialEq, prost::Message)]
struct ListImagesResponse {
    #[prost(message, repeated, tag = "1")]
    images: Vec<ImageRecord>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct FieldMask {
    #[prost(string, repeated, tag = "1")]
    paths: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct UpdateImageRequest {
    #[prost(message, optional, tag = "1")]
    image: Option<ImageRecord>,
    #[prost(message, optional, tag = "2")]
    update_mask: Option<FieldMask>,
}

/// All images of the kubelet's namespace.
pub(super) fn images(socket: &Path) -> io::Result<Images> {
    let listed: ListImagesResponse = call(socket, LIST, Plain {})?;
    Ok(listed.images.into_iter().map(|image| (image.name, image.labels)).collect())
}

/// Sets `labels` on an image; its others stay.
pub(super) fn label(socket: &Path, name: &str, labels: &BTreeMap<String, String>) -> io::Result<()> {
    call(socket, UPDATE, relabelling(name, labels)).map(|Plain {}| ())
}

fn relabelling(name: &str, labels: &BTreeMap<String, String>) -> UpdateImageRequest {
    let paths = labels.keys().map(|key| format!("labels.{key}")).collect();
    // Only the labels are taken from it; but containerd 1.7 dies of an image without target.
    let target = Some(Descriptor::default());
    let image = ImageRecord { name: name.to_owned(), labels: labels.clone(), target, ..ImageRecord::default() };
    UpdateImageRequest { image: Some(image), update_mask: Some(FieldMask { paths }) }
}

/// All images of the kubelet's namespace, and which of them containers were made from.
pub(super) fn catalogue(socket: &Path) -> io::Result<Catalogue> {
    let listed: ListImagesResponse = call(socket, LIST, Plain {})?;
    let containers: ListContainersResponse = call(socket, CONTAINERS, Plain {})?;
    let image = |record: ImageRecord| Image {
        name: record.name,
        digest: record.target.unwrap_or_default().digest,
        updated: record.updated_at.unwrap_or_default().time(),
        labels: record.labels,
    };
    let used = containers.containers.into_iter().map(|container| container.image).collect();
    Ok(Catalogue { images: listed.images.into_iter().map(image).collect(), used })
}

/// Removes a reference; containerd collects the content when nothing else refers to it.
pub(super) fn remove(socket: &Path, name: &str) -> io::Result<()> {
    call(socket, DELETE, DeleteImageRequest { name: name.to_owned(), sync: false }).map(|Plain {}| ())
}

/// Removes references with all that was unpacked of them, as far as nothing else refers to it, and returns when it is
/// gone. Leases from before `boot` would keep it: whoever held them ended with that boot.
pub(super) fn forget(socket: &Path, names: &[String], boot: SystemTime) -> io::Result<()> {
    let listed: ListLeasesResponse = call(socket, LEASES, Plain {})?;
    let now = SystemTime::now();
    for lease in listed.leases.into_iter().filter(|lease| is_left_over(lease, boot, now)) {
        found(call::<_, Plain>(socket, END_LEASE, EndLeaseRequest { id: lease.id }))?;
    }
    for name in names {
        found(call::<_, Plain>(socket, DELETE, DeleteImageRequest { name: name.clone(), sync: true }))?;
    }
    Ok(())
}

/// Where the clock went back with the boot, what is from before it seems to be from later than now.
fn is_left_over(lease: &Lease, boot: SystemTime, now: SystemTime) -> bool {
    lease.created_at.as_ref().is_some_and(|at| at.time() < boot || at.time() > now + Duration::from_secs(60))
}

/// One call, on a runtime of its own: the caller is a thread for work that blocks.
fn call<Q, A>(socket: &Path, method: &'static str, request: Q) -> io::Result<A>
where
    Q: prost::Message + Send + Sync + 'static,
    A: prost::Message + Default + Send + Sync + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let asked = tokio::time::timeout(DEADLINE, ask(socket, method, request)).await;
        asked.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?.map_err(|status| match status.code() {
            Code::NotFound => io::Error::new(io::ErrorKind::NotFound, status),
            _ => io::Error::other(status),
        })
    })
}

async fn ask<Q, A>(socket: &Path, method: &'static str, request: Q) -> Result<A, Status>
where
    Q: prost::Message + Send + Sync + 'static,
    A: prost::Message + Default + Send + Sync + 'static,
{
    let unavailable = |error: &dyn std::fmt::Display| Status::unavailable(error.to_string());
    let path = socket.to_owned();
    let connect = service_fn(move |_: Uri| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    // The address is never resolved: the connector knows the socket.
    let channel: Channel = Endpoint::from_static("http://containerd")
        .connect_with_connector(connect)
        .await
        .map_err(|error| unavailable(&error))?;
    let mut client = tonic::client::Grpc::new(channel).max_decoding_message_size(LARGEST_ANSWER);
    client.ready().await.map_err(|error| unavailable(&error))?;
    let mut request = Request::new(request);
    request.metadata_mut().insert("containerd-namespace", MetadataValue::from_static(NAMESPACE));
    client
        .unary(request, PathAndQuery::from_static(method), ProstCodec::default())
        .await
        .map(tonic::Response::into_inner)
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    #[test]
    fn only_leases_of_another_boot_are_left_over() {
        let at = |seconds: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let left_over = |created: i64| {
            let lease = Lease { id: "a".into(), created_at: Some(Moment { seconds: created, nanoseconds: 0 }) };
            is_left_over(&lease, at(5000), at(6000))
        };
        assert_eq!([4999, 5000, 6000, 6060, 6061].map(left_over), [true, false, false, false, true]);
        assert!(!is_left_over(&Lease::default(), at(5000), at(6000)));
    }

    #[test]
    fn an_image_never_goes_without_target() {
        let request = relabelling("registry.example/pause:3.2", &[("key".to_owned(), "value".to_owned())].into());
        let sent = UpdateImageRequest::decode(request.encode_to_vec().as_slice()).unwrap();
        assert!(sent.image.unwrap().target.is_some());
        assert_eq!(sent.update_mask.unwrap().paths, ["labels.key"]);
    }
}

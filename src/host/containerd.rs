//! containerd's list of images, over its socket: starting `ctr` costs a host more than all of the answer.
//!
//! Only what is asked for here is declared of its protocol; fields that are not are skipped by their numbers.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;
use tower::service_fn;

/// The namespace of everything that the kubelet runs.
const NAMESPACE: &str = "k8s.io";
const LIST: &str = "/containerd.services.images.v1.Images/List";
const UPDATE: &str = "/containerd.services.images.v1.Images/Update";
const DEADLINE: Duration = Duration::from_secs(60);

/// Labels of every image, by its reference.
pub(super) type Images = BTreeMap<String, BTreeMap<String, String>>;

#[derive(Clone, PartialEq, prost::Message)]
struct Image {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(btree_map = "string, string", tag = "2")]
    labels: BTreeMap<String, String>,
}

/// A message without any field that matters here.
#[derive(Clone, PartialEq, prost::Message)]
struct Plain {}

#[derive(Clone, PartialEq, prost::Message)]
struct ListImagesResponse {
    #[prost(message, repeated, tag = "1")]
    images: Vec<Image>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct FieldMask {
    #[prost(string, repeated, tag = "1")]
    paths: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct UpdateImageRequest {
    #[prost(message, optional, tag = "1")]
    image: Option<Image>,
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
    let paths = labels.keys().map(|key| format!("labels.{key}")).collect();
    let image = Image { name: name.to_owned(), labels: labels.clone() };
    let request = UpdateImageRequest { image: Some(image), update_mask: Some(FieldMask { paths }) };
    call(socket, UPDATE, request).map(|Plain {}| ())
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
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.map_err(|error| unavailable(&error))?;
    let mut request = Request::new(request);
    request.metadata_mut().insert("containerd-namespace", MetadataValue::from_static(NAMESPACE));
    client
        .unary(request, PathAndQuery::from_static(method), ProstCodec::default())
        .await
        .map(tonic::Response::into_inner)
}

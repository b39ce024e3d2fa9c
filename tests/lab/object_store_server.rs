#![allow(
    unreachable_pub,
    dead_code,
    reason = "shared by tests of the library and by a program, which need not all of it"
)]
//! A real S3-compatible store on a directory, for tests: each directory below it is a bucket. It can be told to fail.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::TcpListener;

/// What is wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing; a fault further on is meant.
    None,
    /// "500", without doing anything.
    Busy,
    /// The end of what is read does not come.
    Truncated,
    /// A bit of what is read is another one.
    Flipped,
}

/// Faults of requests with a method, to be used up one after the other.
pub type Faults = Arc<Mutex<Vec<(&'static str, Fault)>>>;

/// Serves `directory` to whoever knows the login, as long as the task lives; the address.
pub async fn serve(listen: SocketAddr, directory: &Path, key: &str, secret: &str, faults: Faults) -> SocketAddr {
    let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(directory).unwrap());
    builder.set_auth(SimpleAuth::from_single(key, secret));
    let (service, listener) = (builder.build(), TcpListener::bind(listen).await.unwrap());
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (service, faults) = (service.clone(), faults.clone());
            let answer = service_fn(move |request| {
                let (service, faults) = (service.clone(), faults.clone());
                async move { Ok::<_, Infallible>(answer(&service, request, &faults).await) }
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    });
    address
}

async fn answer(service: &S3Service, request: http::Request<Incoming>, faults: &Faults) -> http::Response<s3s::Body> {
    let method = request.method().as_str().to_owned();
    let fault = {
        let mut faults = faults.lock().unwrap();
        let index = faults.iter().position(|(of, _)| *of == method);
        index.map(|index| faults.remove(index).1)
    };
    if fault == Some(Fault::Busy) {
        // Who answers before all has come may be heard, or not.
        let _ = http_body_util::BodyExt::collect(request.into_body()).await;
        let body = s3s::Body::from("<Error><Code>InternalError</Code><Message>try again</Message></Error>".to_owned());
        return http::Response::builder().status(500).body(body).unwrap();
    }
    let response = hyper::service::Service::call(service, request).await.unwrap();
    let Some(fault) = fault else { return response };
    let (mut parts, body) = response.into_parts();
    let mut body = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes().to_vec();
    match fault {
        Fault::Flipped => body[0] ^= 1,
        Fault::Truncated => {
            body.truncate(body.len() / 2);
            parts.headers.remove("content-length");
        }
        Fault::Busy | Fault::None => {}
    }
    http::Response::from_parts(parts, body.into())
}

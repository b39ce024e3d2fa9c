//! `object_store ADDRESS DIRECTORY KEY SECRET`: a real S3-compatible store, until it is ended. Directories below DIRECTORY
//! are buckets. For scenarios: hosts of the lab save to it.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program of the tests")]

#[path = "object_store_server.rs"]
mod server;

use std::path::Path;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, listen, directory, key, secret] = arguments.as_slice() else { panic!("ADDRESS DIRECTORY KEY SECRET") };
    let faults = server::Faults::default();
    let address = server::serve(listen.parse().unwrap(), Path::new(directory), key, secret, faults).await;
    println!("serving on {address}");
    std::future::pending().await
}

//! The stream of a member's snapshot: its database as of one moment, and the SHA-256 of it as the last 32 bytes.

use std::time::Duration;

use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Request, Streaming};
use tonic_prost::ProstCodec;

use super::EtcdError;
use super::connect::MemberClient;

const SNAPSHOT: &str = "/etcdserverpb.Maintenance/Snapshot";
/// How long a member may take for its next piece.
const SILENCE: Duration = Duration::from_secs(60);

#[derive(Clone, PartialEq, prost::Message)]
struct SnapshotRequest {}

/// Only what is needed of it.
#[derive(Clone, PartialEq, prost::Message)]
struct SnapshotResponse {
    #[prost(bytes = "bytes", tag = "3")]
    blob: prost::bytes::Bytes,
}

/// Pieces of a snapshot, in order; tens of kilobytes each.
#[derive(Debug)]
pub struct SnapshotStream(Streaming<SnapshotResponse>);

impl MemberClient {
    /// Has the member send its snapshot.
    pub async fn snapshot(&self) -> Result<SnapshotStream, EtcdError> {
        let mut client = tonic::client::Grpc::new(self.channel.clone());
        let start = async {
            client.ready().await.map_err(|error| EtcdError::Connect(error.to_string()))?;
            let codec = ProstCodec::<SnapshotRequest, SnapshotResponse>::default();
            let path = PathAndQuery::from_static(SNAPSHOT);
            let answer = client.server_streaming(Request::new(SnapshotRequest {}), path, codec).await?;
            Ok(SnapshotStream(answer.into_inner()))
        };
        tokio::time::timeout(SILENCE, start).await.unwrap_or(Err(EtcdError::Silent(SILENCE.as_secs())))
    }
}

impl SnapshotStream {
    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<prost::bytes::Bytes>, EtcdError> {
        match tokio::time::timeout(SILENCE, self.0.message()).await {
            Ok(answer) => Ok(answer?.map(|piece| piece.blob)),
            Err(_) => Err(EtcdError::Silent(SILENCE.as_secs())),
        }
    }
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;

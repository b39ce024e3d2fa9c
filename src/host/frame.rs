//! The framing of [`super::protocol`]: 4-byte big-endian length, kind byte, payload.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::protocol::MAX_FRAME;

/// Why a frame could not be read or written.
#[derive(Debug, Error)]
pub enum FrameError {
    /// The other side is gone.
    #[error("the session ended")]
    Closed,
    /// Reading or writing failed.
    #[error("the session broke: {0}")]
    Io(#[source] io::Error),
    /// Longer than [`MAX_FRAME`]: not a frame of ours.
    #[error("a frame of {0} bytes is larger than the limit; the other side does not speak this protocol")]
    TooLarge(usize),
    /// Neither `J` nor `D`.
    #[error("a frame of unknown kind {0}; the other side does not speak this protocol")]
    UnknownKind(u8),
    /// JSON that does not fit the message type.
    #[error("a message could not be understood: {0}")]
    Json(#[source] serde_json::Error),
}

impl From<io::Error> for FrameError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Io(error),
        }
    }
}

/// A frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// A message.
    Json(Vec<u8>),
    /// A piece of a blob.
    Data(Vec<u8>),
}

impl Frame {
    /// The message in a JSON frame; a data frame is refused.
    pub fn message<T: DeserializeOwned>(&self) -> Result<T, FrameError> {
        match self {
            Self::Json(bytes) => serde_json::from_slice(bytes).map_err(FrameError::Json),
            Self::Data(_) => Err(FrameError::UnknownKind(b'D')),
        }
    }
}

/// Reads one frame; [`FrameError::Closed`] at the end of the stream.
pub async fn read<R: AsyncRead + Unpin>(reader: &mut R) -> Result<Frame, FrameError> {
    read_into(reader, Vec::new()).await
}

/// [`read`] into memory that was used before.
pub async fn read_into<R: AsyncRead + Unpin>(reader: &mut R, mut payload: Vec<u8>) -> Result<Frame, FrameError> {
    let length = reader.read_u32().await? as usize;
    if length > MAX_FRAME {
        return Err(FrameError::TooLarge(length));
    }
    let kind = reader.read_u8().await?;
    payload.resize(length, 0);
    reader.read_exact(&mut payload).await?;
    match kind {
        b'J' => Ok(Frame::Json(payload)),
        b'D' => Ok(Frame::Data(payload)),
        other => Err(FrameError::UnknownKind(other)),
    }
}

/// Writes one message and flushes.
pub async fn write_message<W: AsyncWrite + Unpin, T: Serialize>(writer: &mut W, message: &T) -> Result<(), FrameError> {
    let payload = serde_json::to_vec(message).map_err(FrameError::Json)?;
    write(writer, b'J', &payload).await?;
    Ok(writer.flush().await?)
}

/// Writes one piece of a blob; the caller flushes after the last.
pub async fn write_data<W: AsyncWrite + Unpin>(writer: &mut W, piece: &[u8]) -> Result<(), FrameError> {
    write(writer, b'D', piece).await
}

async fn write<W: AsyncWrite + Unpin>(writer: &mut W, kind: u8, payload: &[u8]) -> Result<(), FrameError> {
    let length = u32::try_from(payload.len()).ok().filter(|length| *length as usize <= MAX_FRAME);
    let length = length.ok_or(FrameError::TooLarge(payload.len()))?;
    writer.write_u32(length).await?;
    writer.write_u8(kind).await?;
    writer.write_all(payload).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::protocol::ToAgent;
    use super::*;

    #[tokio::test]
    async fn what_is_written_is_read() {
        let mut buffer = Vec::new();
        write_message(&mut buffer, &ToAgent::Ping).await.unwrap();
        write_data(&mut buffer, b"piece").await.unwrap();
        let mut reader = buffer.as_slice();
        assert!(matches!(read(&mut reader).await.unwrap().message().unwrap(), ToAgent::Ping));
        assert_eq!(read(&mut reader).await.unwrap(), Frame::Data(b"piece".to_vec()));
        assert!(matches!(read(&mut reader).await, Err(FrameError::Closed)));
    }

    #[tokio::test]
    async fn rubbish_is_refused_without_allocating_it() {
        let mut reader: &[u8] = b"Welcome to Debian GNU/Linux\n";
        assert!(matches!(read(&mut reader).await, Err(FrameError::TooLarge(_))));
        let mut reader: &[u8] = b"\0\0\0\x01Xa";
        assert!(matches!(read(&mut reader).await, Err(FrameError::UnknownKind(b'X'))));
    }
}

use std::sync::{Arc, Mutex};

use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use super::*;

/// What the server does with one connection.
#[derive(Debug, Clone, Copy)]
enum Answer {
    /// Honours ranges, and closes the connection after so many bytes of content.
    Ranges(usize),
    /// Always sends everything.
    Whole,
    /// Only a status line.
    Status(&'static str),
}

/// Serves `content`, one answer per connection (the last one again and again). Returns the URL and the ranges asked for.
async fn serve(content: &'static [u8], answers: &'static [Answer]) -> (String, Arc<Mutex<Vec<Option<usize>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/file", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        for turn in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            let request = String::from_utf8(request).unwrap().to_lowercase();
            let from = request
                .split_once("range: bytes=")
                .map(|(_, rest)| rest.split_once('-').unwrap().0.parse::<usize>().unwrap());
            seen.lock().unwrap().push(from);
            let total = content.len();
            let (head, body) = match (answers[turn.min(answers.len() - 1)], from) {
                (Answer::Status(status), _) => (format!("{status}\r\nContent-Length: 0"), &content[..0]),
                (Answer::Ranges(_), Some(from)) if from >= total => {
                    (format!("416 No\r\nContent-Range: bytes */{total}\r\nContent-Length: 0"), &content[..0])
                }
                (Answer::Ranges(limit), Some(from)) => (
                    format!(
                        "206 Partial\r\nContent-Range: bytes {from}-{}/{total}\r\nContent-Length: {}",
                        total - 1,
                        total - from
                    ),
                    &content[from..total.min(from.saturating_add(limit))],
                ),
                (Answer::Ranges(limit), None) => {
                    (format!("200 OK\r\nContent-Length: {total}"), &content[..total.min(limit)])
                }
                (Answer::Whole, _) => (format!("200 OK\r\nContent-Length: {total}"), content),
            };
            let head = format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(body).await.unwrap();
        }
    });
    (url, asked)
}

/// Fetches `content` with `partial` already there; returns the outcome and the ranges asked for.
async fn run(
    content: &'static [u8],
    expected: &[u8],
    partial: &[u8],
    answers: &'static [Answer],
) -> (Result<Vec<u8>, DownloadError>, Vec<Option<usize>>, usize) {
    let (url, asked) = serve(content, answers).await;
    let directory = tempfile::tempdir().unwrap();
    let sha256 = digest::of_bytes(expected);
    if !partial.is_empty() {
        fs::write(directory.path().join(format!("{sha256}.part")), partial).unwrap();
    }
    let options = RegistryOptions::default();
    let downloader = Downloader::new(&options).unwrap();
    let downloader = Downloader { first_delay: Duration::from_millis(5), ..downloader };
    let result = downloader.fetch(&url, &sha256, directory.path()).await;
    let result = result.map(|()| fs::read(directory.path().join(&sha256)).unwrap());
    let asked = asked.lock().unwrap().clone();
    (result, asked, fs::read_dir(directory.path()).unwrap().count())
}

const CONTENT: &[u8] = b"0123456789abcdefghij";

#[tokio::test]
async fn a_broken_download_goes_on_where_it_stopped() {
    let (result, asked, files) = run(CONTENT, CONTENT, b"", &[Answer::Ranges(8)]).await;
    assert_eq!(result.unwrap(), CONTENT);
    assert_eq!(asked, [None, Some(8), Some(16)]);
    assert_eq!(files, 1);
}

#[tokio::test]
async fn what_an_earlier_build_fetched_is_used() {
    let (result, asked, _) = run(CONTENT, CONTENT, &CONTENT[..12], &[Answer::Ranges(100)]).await;
    assert_eq!(result.unwrap(), CONTENT);
    assert_eq!(asked, [Some(12)]);
    // Stopped between the last byte and the new name.
    let (result, asked, _) = run(CONTENT, CONTENT, CONTENT, &[Answer::Ranges(100)]).await;
    assert_eq!(result.unwrap(), CONTENT);
    assert_eq!(asked, [Some(20)]);
}

#[tokio::test]
async fn a_server_without_ranges_sends_everything_again() {
    let (result, _, _) = run(CONTENT, CONTENT, b"01234", &[Answer::Whole]).await;
    assert_eq!(result.unwrap(), CONTENT);
    // The partial file is longer than what the server has: start anew.
    let (result, asked, _) = run(CONTENT, CONTENT, &[b'x'; 30], &[Answer::Ranges(100)]).await;
    assert_eq!(result.unwrap(), CONTENT);
    assert_eq!(asked, [Some(30), None]);
}

#[tokio::test]
async fn something_else_than_expected_is_not_kept() {
    let (result, _, files) = run(CONTENT, b"another", b"", &[Answer::Whole]).await;
    let error = result.unwrap_err().to_string();
    assert!(error.contains(&digest::of_bytes(CONTENT)) && error.contains(&digest::of_bytes(b"another")), "{error}");
    assert_eq!(files, 0);
}

#[tokio::test]
async fn a_refusal_ends_it_and_a_server_error_does_not() {
    let (result, asked, _) = run(CONTENT, CONTENT, b"", &[Answer::Status("404 Not Found")]).await;
    let error = result.unwrap_err().to_string();
    assert!(error.contains("http://127.0.0.1") && error.contains("404"), "{error}");
    assert_eq!(asked.len(), 1);
    let (result, asked, _) = run(CONTENT, CONTENT, b"", &[Answer::Status("503 Busy"), Answer::Whole]).await;
    assert_eq!(result.unwrap(), CONTENT);
    assert_eq!(asked.len(), 2);
}

#[tokio::test]
async fn what_an_earlier_build_left_may_be_of_another_file() {
    let (result, asked, files) = run(CONTENT, CONTENT, b"xxxxxxxx", &[Answer::Ranges(100)]).await;
    assert_eq!(result.unwrap(), CONTENT);
    assert_eq!((asked, files), (vec![Some(8), None], 1));
}

#[tokio::test]
async fn a_server_that_always_cuts_off_is_given_up() {
    let (result, asked, _) = run(CONTENT, CONTENT, b"", &[Answer::Ranges(0)]).await;
    let error = result.unwrap_err().to_string();
    assert!(error.contains("what arrived is kept"), "{error}");
    assert_eq!(asked.len(), 5);
}

//! Tries ways through the network, from this host or from within one of its pods.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt;
use nix::sched::{CloneFlags, setns};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::super::machine::Machine;
use super::super::protocol::{Failure, Probed, Try};
use super::{http, pods};

/// How many at a time.
const WIDTH: usize = 32;
/// A way that drops packets is told from a slow one after this.
const PATIENCE: Duration = Duration::from_secs(4);
/// A name server may have to be asked again: UDP may lose a packet.
const ASKED: usize = 2;

/// Tries all of them, from the pod with this UID, or from the host itself.
pub(super) async fn tried(machine: &Machine, pod: Option<&str>, tries: &[Try]) -> Result<Probed, Failure> {
    let network = match pod {
        Some(uid) => Some(network_of(machine, uid)?),
        None => None,
    };
    let tries = tries.to_vec();
    let (sender, receiver) = oneshot::channel();
    // A thread of its own: the network that it enters is its own for good, and it ends when it is done.
    std::thread::spawn(move || drop(sender.send(in_network(network, &tries))));
    let ended = receiver.await.map_err(|_| failed("the thread that tried has ended"))?;
    ended.map(|failed| Probed::Tried { failed })
}

fn failed(why: impl std::fmt::Display) -> Failure {
    Failure::new("try ways through the network", why)
}

fn network_of(machine: &Machine, uid: &str) -> Result<File, Failure> {
    let pid = pods::process_of(machine, uid)?.ok_or_else(|| failed(format!("no process of the pod {uid} is here")))?;
    let path = machine.root.at(format!("/proc/{pid}/ns/net"));
    File::open(&path).map_err(|error| failed(format!("{}: {error}", path.display())))
}

fn in_network(network: Option<File>, tries: &[Try]) -> Result<BTreeMap<usize, String>, Failure> {
    if let Some(network) = network {
        setns(network, CloneFlags::CLONE_NEWNET)
            .map_err(|error| failed(format!("entering a pod's network: {error}")))?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let one = async |(index, one): (usize, &Try)| {
        let why = match one {
            Try::Get { url, bytes } => get(url, *bytes).await,
            Try::Connect { to } => connect(*to).await,
            Try::Resolve { server, name } => resolve(*server, name).await,
        };
        Some((index, why.err()?))
    };
    let all = futures::stream::iter(tries.iter().enumerate()).map(one).buffer_unordered(WIDTH);
    Ok(runtime.block_on(all.filter_map(async |failed| failed).collect()))
}

/// Packets of full size, which may not be divided, are what a long body comes in.
async fn get(url: &str, bytes: usize) -> Result<(), String> {
    let client = http::client().timeout(PATIENCE).tls_certs_only([]).build().map_err(|error| http::chain(&error))?;
    let mut response = client.get(url).send().await.map_err(|error| plain(&error))?;
    if response.status() != 200 {
        return Err(format!("it answers with {}", response.status()));
    }
    let mut came = 0;
    loop {
        match response.chunk().await {
            Ok(Some(piece)) => came += piece.len(),
            Ok(None) if came >= bytes => return Ok(()),
            Ok(None) => return Err(format!("only {came} of {bytes} bytes came")),
            Err(_) => {
                return Err(format!(
                    "it answers, but only {came} of {bytes} bytes came: packets of full size are lost; compare the MTUs \
                     on the way"
                ));
            }
        }
    }
}

async fn connect(to: SocketAddr) -> Result<(), String> {
    match timeout(PATIENCE, TcpStream::connect(to)).await {
        Ok(connected) => connected.map(drop).map_err(|error| error.to_string()),
        Err(_) => Err("no answer".to_owned()),
    }
}

/// reqwest's words for what the kernel says.
fn plain(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer".to_owned();
    }
    let text = http::chain(error);
    text.rsplit(": ").next().unwrap_or(&text).to_owned()
}

async fn resolve(server: SocketAddr, name: &str) -> Result<(), String> {
    let mut why = String::new();
    for _ in 0..ASKED {
        match timeout(PATIENCE / 2, ask(server, name)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => why = error,
            Err(_) => why = "no answer".to_owned(),
        }
    }
    Err(why)
}

async fn ask(server: SocketAddr, name: &str) -> Result<(), String> {
    let text = |error: std::io::Error| error.to_string();
    let bad = |error: simple_dns::SimpleDnsError| format!("{name}: {error}");
    let mut query = Packet::new_query(1);
    query.set_flags(PacketFlag::RECURSION_DESIRED);
    let kind = if server.is_ipv4() { TYPE::A } else { TYPE::AAAA };
    let wanted = Name::new(name).map_err(bad)?;
    query.questions.push(Question::new(wanted, QTYPE::TYPE(kind), QCLASS::CLASS(CLASS::IN), false));
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).await.map_err(text)?;
    socket.connect(server).await.map_err(text)?;
    socket.send(&query.build_bytes_vec().map_err(bad)?).await.map_err(text)?;
    let mut buffer = [0; 1500];
    let length = socket.recv(&mut buffer).await.map_err(text)?;
    let answer = Packet::parse(&buffer[..length]).map_err(|error| format!("its answer is none of DNS: {error}"))?;
    match answer.rcode() {
        RCODE::NoError if !answer.answers.is_empty() => Ok(()),
        RCODE::NoError => Err(format!("{name} has no address")),
        code => Err(format!("{name}: {code:?}")),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::super::super::testing::Scripted;
    use super::*;

    async fn serve(answer: String, hold: bool) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let answer = answer.clone();
                tokio::spawn(async move {
                    let _ = stream.read(&mut [0; 1024]).await;
                    let _ = stream.write_all(answer.as_bytes()).await;
                    if hold {
                        std::future::pending::<()>().await;
                    }
                });
            }
        });
        url
    }

    fn answer(length: usize, body: usize) -> String {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{}", "x".repeat(body))
    }

    async fn why(tries: Vec<Try>) -> BTreeMap<usize, String> {
        let host = Scripted::new();
        match tried(&host.machine, None, &tries).await.unwrap() {
            Probed::Tried { failed } => failed,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_body_that_stops_in_the_middle_is_told_from_no_answer() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let get = |url: String| Try::Get { url, bytes: 3000 };
        let failed = why(vec![
            get(serve(answer(3000, 3000), false).await),
            get(serve(answer(3000, 1000), true).await),
            get(serve(answer(1000, 1000), false).await),
            get(format!("http://{free}/")),
            get(serve("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".into(), false).await),
        ])
        .await;
        assert_eq!(failed.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert!(failed[&1].contains("only 1000 of 3000 bytes came: packets of full size are lost"), "{failed:?}");
        assert_eq!(failed[&2], "only 1000 of 3000 bytes came");
        assert!(failed[&3].contains("refused"), "{failed:?}");
        assert_eq!(failed[&4], "it answers with 404 Not Found");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_connection_is_opened_or_it_is_told_why_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        assert!(why(vec![Try::Connect { to }]).await.is_empty());
        drop(listener);
        assert!(why(vec![Try::Connect { to }]).await[&0].contains("refused"));
    }

    /// Answers each question with an address or, where it is about `absent`, with a name error.
    async fn name_server() -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let query = Packet::parse(&buffer[..length]).unwrap();
                let mut reply = query.clone().into_reply();
                if query.questions[0].qname.to_string().starts_with("absent") {
                    *reply.rcode_mut() = RCODE::NameError;
                } else {
                    let data = simple_dns::rdata::RData::A(simple_dns::rdata::A { address: 0x0a60_0001 });
                    let name = query.questions[0].qname.clone();
                    reply.answers.push(simple_dns::ResourceRecord::new(name, CLASS::IN, 30, data));
                }
                let _ = socket.send_to(&reply.build_bytes_vec().unwrap(), from).await;
            }
        });
        address
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_name_is_resolved_or_it_is_told_why_not() {
        let server = name_server().await;
        let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let resolve = |server, name: &str| Try::Resolve { server, name: name.into() };
        let failed = why(vec![
            resolve(server, "kubernetes.default.svc.cluster.local"),
            resolve(server, "absent.default"),
            resolve(silent.local_addr().unwrap(), "kubernetes.default"),
        ])
        .await;
        assert_eq!(failed.len(), 2);
        assert_eq!(failed[&1], "absent.default: NameError");
        assert_eq!(failed[&2], "no answer");
    }

    #[tokio::test]
    async fn a_pod_without_a_process_cannot_be_tried_from() {
        let host = Scripted::new();
        let failure = tried(&host.machine, Some("1-2"), &[]).await.unwrap_err().to_string();
        assert!(failure.contains("no process of the pod 1-2 is here"), "{failure}");
    }
}

//! A stand-in for the agent: a script that speaks the protocol and does what the request says.

use kubewright::host::protocol::{Reply, ToAgent};
use kubewright::remote::{Agent, AgentBinary, RemoteError};

/// An agent that behaves.
pub(crate) fn agent() -> AgentBinary {
    agent_that("greets")
}

/// One that starts in another way: see the script.
pub(crate) fn agent_that(mode: &str) -> AgentBinary {
    AgentBinary::new(include_str!("agent.pl").replace("MODE", mode).into_bytes())
}

/// An agent with `size` bytes, to see the upload at work.
pub(crate) fn big_agent(size: usize) -> AgentBinary {
    let mut bytes = include_str!("agent.pl").replace("MODE", "greets").into_bytes();
    bytes.extend_from_slice(b"__END__\n");
    // Neither zeros nor text: all byte values in an order that repeats late.
    bytes.extend((0..size).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8));
    AgentBinary::new(bytes)
}

/// Asks the stand-in: paths are its commands.
pub(crate) async fn ask(agent: &mut Agent, what: &str) -> Result<String, RemoteError> {
    match agent.request(ToAgent::Read { paths: vec![what.to_owned()] }, &mut |_| {}).await? {
        Reply::Files { files } => Ok(files.into_values().flatten().collect()),
        other => panic!("{other:?}"),
    }
}

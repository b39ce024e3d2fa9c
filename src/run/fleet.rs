//! All hosts of a run: one connection and one agent each.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::{Mutex, Semaphore};

use super::failure::{HostFailure, remote};
use crate::cluster::{Host, HostName};
use crate::host::protocol::{Event, Failure, Probe, Probed, Reply, ToAgent};
use crate::remote::{Agent, AgentBinary, Connection, Connector, RemoteError};
use crate::report::{self, Events};

/// The hosts that answered.
pub struct Fleet {
    members: BTreeMap<HostName, Member>,
    parallel: Arc<Semaphore>,
    width: usize,
    events: Events,
}

/// A host with its session.
pub struct Member {
    /// The host.
    pub host: Host,
    /// Its connection, for tunnels.
    pub connection: Arc<Connection>,
    agent: Mutex<Agent>,
    binary: AgentBinary,
}

/// What came of asking many hosts.
pub struct Outcomes<T> {
    /// Answers.
    pub ok: BTreeMap<HostName, T>,
    /// Failures.
    pub failed: Vec<HostFailure>,
}

impl<T> Outcomes<T> {
    /// All answers, or all failures.
    pub fn all(self) -> Result<BTreeMap<HostName, T>, Vec<HostFailure>> {
        if self.failed.is_empty() { Ok(self.ok) } else { Err(self.failed) }
    }
}

impl Fleet {
    /// Connects to `hosts`, at most `parallel` at a time, and starts the agents. The second half of the answer names
    /// the hosts that could not be reached.
    pub async fn connect<'a>(
        hosts: impl IntoIterator<Item = &'a Host>,
        connector: &Connector,
        parallel: usize,
        events: &Events,
    ) -> (Self, Vec<HostFailure>) {
        match AgentBinary::current() {
            Ok(binary) => Self::connect_with(hosts, connector, parallel, events, binary).await,
            Err(error) => {
                let failure = HostFailure::cluster("read this program", error);
                let (members, parallel) = (BTreeMap::new(), Arc::new(Semaphore::new(1)));
                let none = Self { members, parallel, width: 1, events: events.clone() };
                (none, vec![failure])
            }
        }
    }

    /// [`Fleet::connect`] with another program as the agent.
    pub async fn connect_with<'a>(
        hosts: impl IntoIterator<Item = &'a Host>,
        connector: &Connector,
        parallel: usize,
        events: &Events,
        binary: AgentBinary,
    ) -> (Self, Vec<HostFailure>) {
        let width = parallel.max(1);
        let parallel = Arc::new(Semaphore::new(width));
        let hosts: Vec<_> = hosts.into_iter().map(|host| (&host.name, host)).collect();
        let connect = async |host: &Host| {
            let connection = connector.connect(host).await.map_err(|error| remote("connect", error))?;
            let connection = Arc::new(connection);
            let agent = connection.agent(&binary).await.map_err(|error| remote("start the agent", error))?;
            Ok(Member { host: host.clone(), connection, agent: Mutex::new(agent), binary: binary.clone() })
        };
        let outcomes = fan_out(&parallel, hosts, connect, counted("connect", events)).await;
        (Self { members: outcomes.ok, parallel, width, events: events.clone() }, outcomes.failed)
    }

    /// Runs `work` on every host that `select` picks, at most as many at a time as the run allows, and collects all
    /// results.
    pub async fn each<T>(
        &self,
        select: impl Fn(&Host) -> bool,
        work: impl AsyncFn(&Member) -> Result<T, Failure>,
    ) -> Outcomes<T> {
        fan_out(&self.parallel, self.selected(select), work, |_, _| {}).await
    }

    /// Asks every host something that takes its time; how many have answered is told as `what`.
    pub(super) async fn look<T>(&self, what: &str, work: impl AsyncFn(&Member) -> Result<T, Failure>) -> Outcomes<T> {
        fan_out(&self.parallel, self.selected(|_| true), work, counted(what, &self.events)).await
    }

    fn selected(&self, select: impl Fn(&Host) -> bool) -> Vec<(&HostName, &Member)> {
        self.members.iter().filter(|(_, member)| select(&member.host)).collect()
    }

    /// How many hosts are worked on at a time.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The member called `name`.
    pub fn member(&self, name: &HostName) -> Option<&Member> {
        self.members.get(name)
    }

    /// Hosts whose session has ended, each with why. One that is being asked right now is left to whoever asks.
    pub fn lost(&self) -> Vec<HostFailure> {
        let lost = |(name, member): (&HostName, &Member)| Some(HostFailure::of(name, member.lost()?));
        self.members.iter().filter_map(lost).collect()
    }

    /// Every member, in order of name.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }
}

async fn fan_out<'a, S: ?Sized + 'a, T>(
    parallel: &Semaphore,
    subjects: Vec<(&'a HostName, &'a S)>,
    work: impl AsyncFn(&S) -> Result<T, Failure>,
    told: impl Fn(usize, usize),
) -> Outcomes<T> {
    let (work, of) = (&work, subjects.len());
    told(0, of);
    let mut running: FuturesUnordered<_> = subjects
        .into_iter()
        .map(|(name, subject)| async move {
            // The semaphore is never closed, so an error cannot happen; without a permit the host just goes ahead.
            let _permit = parallel.acquire().await.ok();
            (name, work(subject).await)
        })
        .collect();
    let mut outcomes = Outcomes { ok: BTreeMap::new(), failed: Vec::new() };
    while let Some((name, result)) = running.next().await {
        told(of - running.len(), of);
        match result {
            Ok(answer) => {
                outcomes.ok.insert(name.clone(), answer);
            }
            Err(failure) => outcomes.failed.push(HostFailure::of(name, failure)),
        }
    }
    outcomes.failed.sort_by(|a, b| a.host.cmp(&b.host));
    outcomes
}

/// Tells how many of those that are asked `what` have answered.
fn counted(what: &str, events: &Events) -> impl Fn(usize, usize) {
    move |done, of| events.send(report::Event::Asking { what: what.to_owned(), done, of })
}

impl Member {
    /// Sends a request and waits for its answer; `what` names the step in errors.
    pub async fn ask(&self, what: &str, request: ToAgent) -> Result<Reply, Failure> {
        self.ask_with(what, request, &mut |_| {}).await
    }

    /// Like [`Member::ask`], with the events on the way.
    pub async fn ask_with(
        &self,
        what: &str,
        request: ToAgent,
        on_event: &mut (dyn FnMut(Event) + Send),
    ) -> Result<Reply, Failure> {
        let answer = self.agent.lock().await.request(request, on_event).await;
        answer.map_err(|error| {
            // The agent only sees that its session is over; the connection knows why.
            let reason = matches!(error, RemoteError::Lost(_)).then(|| self.connection.end_reason()).flatten();
            let failure = remote(what, error);
            match reason {
                Some(why) => Failure { why, ..failure },
                None => failure,
            }
        })
    }

    /// Why nothing more can be asked here, if that is so.
    pub(super) fn lost(&self) -> Option<Failure> {
        let agent = self.agent.try_lock().ok()?;
        self.connection.ended().or_else(|| agent.ended()).map(|error| remote("stay connected", error))
    }

    /// The session itself, for blobs.
    pub async fn agent(&self) -> tokio::sync::MutexGuard<'_, Agent> {
        self.agent.lock().await
    }

    /// A further session beside the member's own, on the same connection.
    pub async fn further_agent(&self) -> Result<Agent, RemoteError> {
        self.connection.agent(&self.binary).await
    }

    /// Looks at something that runs on the host.
    pub async fn probe(&self, probe: Probe) -> Result<Probed, Failure> {
        match self.ask("look at what runs", ToAgent::Probe(probe)).await? {
            Reply::Probed(probed) => Ok(probed),
            other => Err(unexpected("look at what runs", &other)),
        }
    }
}

/// The agent answered something else than was asked: a bug, said as one.
pub(super) fn unexpected<T>(what: &str, answer: &T) -> Failure {
    let why = format!("the agent sent another kind of answer: {:?}", std::mem::discriminant(answer));
    Failure { what: what.to_owned(), why, hint: Some("this is a defect of kubewright; please report it".into()) }
}

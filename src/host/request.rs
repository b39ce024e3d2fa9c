//! One request at a time, each to the module that answers it. Runs on a thread of its own, because nearly everything
//! that a host can be asked for blocks.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender};

use super::lock::{self, Lock, Taken};
use super::machine::Machine;
use super::protocol::{Event, Failure, FromAgent, Holder, Reply, ToAgent};
use super::serve::Server;
use super::transfer::Serve;
use super::{
    autosave, backup, blob, converge, etcdctl, facts, fetch, members, previous, probe, read, reset, restore, restores,
    snapshot, support,
};
use crate::image::Blob;

/// What came in: pings are answered by nobody and do not get here.
pub(super) enum Incoming {
    Request(Box<ToAgent>),
    Piece(Vec<u8>),
}

/// The run lock, kept where it survives this thread: it ends with the process and not before.
pub(super) type HeldLock = Arc<Mutex<Option<Lock>>>;

/// Answers requests until the session ends.
pub(super) struct Session {
    pub(super) machine: Machine,
    pub(super) lock: HeldLock,
    pub(super) incoming: Receiver<Incoming>,
    /// Where the memory of written pieces goes back.
    pub(super) used: Sender<Vec<u8>>,
    pub(super) outgoing: Sender<FromAgent>,
    pub(super) runtime: Handle,
    /// Sockets that listen for a trial of the network.
    pub(super) listeners: probe::Listeners,
    /// Gives blobs to other hosts, where it was asked to.
    pub(super) server: Option<Server>,
    /// The running binary, which a reset spares to the last.
    pub(super) binary: PathBuf,
}

/// The other side is gone, or spoke out of turn.
struct Over;

impl Session {
    /// Serves until there is nothing more to serve.
    pub(super) fn run(mut self) {
        while let Some(incoming) = self.incoming.blocking_recv() {
            // Pieces outside of a transfer are those of one that failed and were on their way already.
            let Incoming::Request(request) = incoming else { continue };
            let Ok(answer) = self.answer(*request) else { return };
            let message = match answer {
                Ok(reply) => FromAgent::Reply(Box::new(reply)),
                Err(failure) => FromAgent::Failed(failure),
            };
            if self.outgoing.blocking_send(message).is_err() {
                return;
            }
        }
    }

    fn answer(&mut self, request: ToAgent) -> Result<Result<Reply, Failure>, Over> {
        let machine = &self.machine;
        let outgoing = self.outgoing.clone();
        let mut events = |event: Event| drop(outgoing.blocking_send(FromAgent::Event(event)));
        Ok(match request {
            ToAgent::Facts => facts::gather(machine).map(|facts| Reply::Facts(Box::new(facts))),
            ToAgent::Read { paths } => read::read(machine, &paths).map(|files| Reply::Files { files }),
            ToAgent::Lock { holder } => self.take_lock(&holder),
            ToAgent::Holder => lock::holder(machine).map(|by| by.map_or(Reply::Free, |by| Reply::Held { by })),
            ToAgent::Diff { parts } => converge::diff(machine, &parts).map(|parts| Reply::Changes { parts }),
            ToAgent::Converge { parts } => {
                converge::converge(machine, &parts, &mut events).map(|parts| Reply::Changes { parts })
            }
            ToAgent::Blobs { blobs } => blob::have(machine, &blobs).map(|have| Reply::Blobs { have }),
            ToAgent::Put { blob, offset } => return self.receive(&blob, offset),
            ToAgent::Serve(serve) => self.serve(&serve),
            ToAgent::StopServing => {
                if let Some(server) = self.server.take() {
                    self.runtime.block_on(server.stop());
                }
                Ok(Reply::Done)
            }
            ToAgent::Fetch(fetch) => {
                let taken = self.runtime.block_on(fetch::fetch(machine, &fetch, &outgoing));
                taken.map(|()| Reply::Done)
            }
            ToAgent::Probe(probe) => {
                let answer = probe::probe(machine, &mut self.listeners, &probe);
                self.runtime.block_on(answer).map(Reply::Probed)
            }
            ToAgent::Keep { upgrade, parts } => previous::keep(machine, &upgrade, &parts).map(|()| Reply::Done),
            ToAgent::Kept => previous::kept(machine).map(|(upgrade, parts)| Reply::Kept { upgrade, parts }),
            ToAgent::Forget => previous::forget(machine).map(|()| Reply::Done),
            ToAgent::Backup { name } => backup::backup(machine, &name),
            ToAgent::Snapshot { name, endpoint } => snapshot::snapshot(machine, &name, &endpoint),
            ToAgent::MoveLeader { endpoint, target } => {
                etcdctl::move_leader(machine, &endpoint, &target).map(|()| Reply::Done)
            }
            ToAgent::Member { endpoint, act } => {
                self.runtime.block_on(probe::etcd_act(machine, &endpoint, &act)).map(|()| Reply::Done)
            }
            ToAgent::Join(join) => members::join(machine, &join).map(|()| Reply::Done),
            ToAgent::SetAside => members::set_aside(machine).map(|()| Reply::Done),
            ToAgent::Restore { restore, step } => restore::step(machine, &restore, &step).map(|()| Reply::Done),
            ToAgent::Restores => restores::under_way(machine)
                .and_then(|under_way| Ok(Reply::Restores { under_way, last: restores::last(machine)? })),
            ToAgent::Saves => autosave::saves(machine).map(|saves| Reply::Saves { saves: saves.map(Box::new) }),
            ToAgent::Sources { seconds } => support::names(machine, seconds).map(|names| Reply::Sources { names }),
            ToAgent::Collect(wanted) => support::collect(machine, &wanted).map(|text| Reply::Collected { text }),
            ToAgent::Reset => reset::reset(machine, &self.binary, &mut events).map(|parts| Reply::Changes { parts }),
            ToAgent::Ping => return Err(Over),
        })
    }

    fn take_lock(&self, holder: &Holder) -> Result<Reply, Failure> {
        let mut held = self.lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if held.is_none() {
            match lock::take(&self.machine, holder)? {
                Taken::Held(by) => return Ok(Reply::Held { by }),
                Taken::Locked(lock) => *held = Some(lock),
            }
        }
        Ok(Reply::Locked)
    }

    /// A second request takes the place of the first.
    fn serve(&mut self, serve: &Serve) -> Result<Reply, Failure> {
        self.server = None;
        let server = self.runtime.block_on(Server::start(&self.machine, serve))?;
        let address = server.address;
        self.server = Some(server);
        Ok(Reply::Serving { address })
    }

    /// Takes a blob's pieces; a request in between them means that the two sides no longer understand each other.
    fn receive(&mut self, blob: &Blob, offset: u64) -> Result<Result<Reply, Failure>, Over> {
        let mut receiver = match blob::Receiver::new(&self.machine, blob, offset) {
            Ok(receiver) => receiver,
            Err(failure) => return Ok(Err(failure)),
        };
        while !receiver.is_complete() {
            let Some(Incoming::Piece(piece)) = self.incoming.blocking_recv() else { return Err(Over) };
            if let Err(failure) = receiver.piece(&piece) {
                return Ok(Err(failure));
            }
            // When enough is spare, this one is freed.
            let _ = self.used.try_send(piece);
        }
        Ok(receiver.finish().map(|()| Reply::Done))
    }
}

//! What a run tells while it goes on.

use std::time::Duration;

use serde::Serialize;

use crate::host::protocol::{Change, Failure};

/// One thing that happened. Hosts are named by their host name; `api` stands for the cluster's objects.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A run begins.
    RunStarted {
        /// Verb.
        verb: String,
        /// Cluster.
        cluster: String,
        /// Number of hosts.
        hosts: usize,
        /// The run's log file, where it could be made.
        log: Option<String>,
    },
    /// Hosts are asked something, none of them changed.
    Asking {
        /// What, in few words.
        what: String,
        /// How many have answered.
        done: usize,
        /// How many are asked.
        of: usize,
    },
    /// A stage begins.
    StageStarted {
        /// Its name.
        stage: String,
        /// Hosts that take part.
        hosts: Vec<String>,
    },
    /// Some of a stage's hosts begin, the others wait.
    WaveStarted {
        /// Stage.
        stage: String,
        /// Which wave, from 1.
        number: usize,
        /// Of how many.
        of: usize,
        /// Its hosts.
        hosts: Vec<String>,
    },
    /// A host works on something.
    Working {
        /// Stage.
        stage: String,
        /// Host.
        host: String,
        /// On what.
        on: String,
    },
    /// Bytes went to a host.
    Sent {
        /// Stage.
        stage: String,
        /// Host.
        host: String,
        /// Bytes so far in this stage.
        bytes: u64,
        /// Bytes to send in this stage.
        total: u64,
    },
    /// Something did not come the way that it should, and comes another.
    FellBack {
        /// Stage.
        stage: String,
        /// Host.
        host: String,
        /// What was tried, and why it failed.
        failure: Failure,
    },
    /// A change was made.
    Changed {
        /// Stage.
        stage: String,
        /// Host.
        host: String,
        /// What.
        change: Change,
    },
    /// A gate still lacks something.
    Waiting {
        /// Stage.
        stage: String,
        /// What is waited for.
        gate: String,
        /// What is missing.
        missing: Vec<String>,
    },
    /// A host has done its part of a stage.
    HostDone {
        /// Stage.
        stage: String,
        /// Host.
        host: String,
    },
    /// A host failed.
    HostFailed {
        /// Stage.
        stage: String,
        /// Host.
        host: String,
        /// Why.
        failure: Failure,
    },
    /// A stage is over.
    StageFinished {
        /// Stage.
        stage: String,
        /// Changes made in it.
        changed: usize,
        /// How long it took.
        #[serde(serialize_with = "seconds")]
        took: Duration,
        /// Whether it succeeded.
        ok: bool,
    },
    /// The run ended early.
    RunFailed {
        /// Everything that is printed about it.
        error: String,
    },
    /// A line for people.
    Note {
        /// The text.
        text: String,
    },
    /// The run is over.
    RunFinished {
        /// Changes made.
        changed: usize,
        /// Hosts that failed.
        failed: usize,
        /// How long it took.
        #[serde(serialize_with = "seconds")]
        took: Duration,
    },
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 1000.0).round() / 1000.0)
}

/// Where events go. Cheap to clone; sending never blocks and never fails.
#[derive(Debug, Clone)]
pub struct Events(tokio::sync::mpsc::UnboundedSender<Event>);

impl Events {
    /// A sender, and the receiver that a renderer reads.
    pub fn channel() -> (Self, tokio::sync::mpsc::UnboundedReceiver<Event>) {
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// Sends an event; one that nobody receives is dropped.
    pub fn send(&self, event: Event) {
        let _ = self.0.send(event);
    }

    /// Sends a line for people.
    pub fn note(&self, text: impl Into<String>) {
        self.send(Event::Note { text: text.into() });
    }
}

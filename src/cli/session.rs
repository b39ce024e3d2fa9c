//! What every verb that talks to hosts shares: flags, the loaded inventory and image, the renderer of events.

use std::num::NonZeroUsize;

use tokio::signal::unix::{SignalKind, signal};
use zeroize::Zeroizing;

use super::image::RegistryArgs;
use super::{Failure, InventoryArgs, block_on};
use crate::cluster::{Cluster, ImageReference};
use crate::image::{self, Access, OpenImage};
use crate::pki::Archive;
use crate::remote::{Connector, HostKeyPolicy, Options};
use crate::report::{self, Detail, Event, Events, Format, RunLog};
use crate::run::{RunError, StateDirectory, Subject};

/// Flags of every verb that talks to hosts.
#[derive(Debug, clap::Args)]
pub(super) struct SessionArgs {
    #[command(flatten)]
    inventory: InventoryArgs,
    /// Most hosts to work on at a time
    #[arg(long, value_name = "N", default_value = "64", env = "KUBEWRIGHT_PARALLEL")]
    parallel: NonZeroUsize,
    /// Accept and record the host keys of hosts seen for the first time; a changed key is refused all the same
    #[arg(long, env = "KUBEWRIGHT_ACCEPT_NEW_HOST_KEYS")]
    accept_new_host_keys: bool,
    #[command(flatten)]
    registries: RegistryArgs,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Format::Human, env = "KUBEWRIGHT_OUTPUT")]
    pub(super) output: Format,
    #[command(flatten)]
    detail: DetailArgs,
}

/// How much is told meanwhile.
#[derive(Debug, clap::Args)]
struct DetailArgs {
    /// Tell errors and results only
    #[arg(short, long, env = "KUBEWRIGHT_QUIET", conflicts_with = "verbose")]
    quiet: bool,
    /// Tell every change; given twice, also what libraries do (as KUBEWRIGHT_LOG=debug)
    #[arg(short, long, action = clap::ArgAction::Count, env = "KUBEWRIGHT_VERBOSE")]
    verbose: u8,
}

impl DetailArgs {
    fn detail(&self) -> Detail {
        match (self.quiet, self.verbose) {
            (true, _) => Detail::Quiet,
            (false, 0) => Detail::Stages,
            (false, _) => Detail::Changes,
        }
    }
}

/// A loaded inventory with all that a run needs.
pub(super) struct Session {
    pub(super) cluster: Cluster,
    pub(super) state: StateDirectory,
    pub(super) output: Format,
    pub(super) detail: Detail,
    /// `-i FILE` for the next command, unless the environment says it.
    pub(super) flags: String,
    connector: Connector,
    parallel: usize,
    image: OpenImage,
}

impl SessionArgs {
    /// The file of the inventory, as it was named.
    pub(super) fn inventory(&self) -> &std::path::Path {
        &self.inventory.inventory
    }

    /// Loads the inventory and opens the cluster image.
    pub(super) fn load(&self) -> Result<Session, Failure> {
        self.load_with(None)
    }

    /// The same, with `image` instead of the one in the inventory.
    pub(super) fn load_with(&self, image: Option<ImageReference>) -> Result<Session, Failure> {
        if self.detail.verbose > 1 {
            super::log_to_stderr("debug");
        }
        let cluster = self.inventory.load()?;
        let access = Access { keys: cluster.image_trust.keys.clone(), ..self.registries.access() };
        let image = image.as_ref().unwrap_or(&cluster.image);
        let image = super::image::with_progress(&access.progress, image::open(image, &access))?;
        let policy = if self.accept_new_host_keys { HostKeyPolicy::AcceptNew } else { HostKeyPolicy::Strict };
        let connector = Connector::new(Options { host_keys: policy, ..Options::default() });
        let state = StateDirectory::of(&cluster.name);
        let (output, flags) = (self.output, self.inventory.flags());
        let detail = self.detail.detail();
        Ok(Session { cluster, state, output, detail, flags, connector, parallel: self.parallel.get(), image })
    }
}

impl Session {
    /// Prints what came of a run: for people, or as the last line of its JSON.
    pub(super) fn tell(&self, text: &str, json: &serde_json::Value) {
        match self.output {
            Format::Human => report::print(text),
            Format::Json => report::print(&json.to_string()),
        }
    }

    /// The keys of the cluster that are never made anew, as they are saved with a snapshot.
    pub(super) fn saved_keys(&self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let keys = Archive::of(self.cluster.name.as_str(), &self.state.keys().load()?);
        keys.map_err(|why| {
            Failure::new(format!("{why}; `kubewright install` with nothing to change fetches them from the hosts"))
        })
    }

    /// Runs `work` with a renderer beside it, until it ends or the operator interrupts it. A failure names the log.
    pub(super) fn run<T>(
        &self,
        verb: &str,
        work: impl AsyncFnOnce(&Subject<'_>, &Events) -> Result<T, RunError>,
    ) -> Result<T, Failure> {
        let log = RunLog::create(&self.state.runs(), verb);
        let log_path = log.path().map(|path| path.display().to_string());
        let (events, receiver) = Events::channel();
        events.send(Event::RunStarted {
            verb: verb.to_owned(),
            cluster: self.cluster.name.to_string(),
            hosts: self.cluster.hosts.len(),
            log: log_path.clone(),
        });
        let subject = Subject {
            cluster: &self.cluster,
            image: &self.image,
            connector: &self.connector,
            parallel: self.parallel,
            state: &self.state,
        };
        let (output, detail) = (self.output, self.detail);
        let ran = block_on(async move {
            // Before anybody can know that there is something to interrupt.
            let interrupted = interrupted();
            let renderer = report::render(output, detail, receiver, log)?;
            let result = tokio::select! {
                result = work(&subject, &events) => result,
                signal = interrupted => Err(RunError::Interrupted { signal }),
            };
            if let Err(error) = &result {
                events.send(Event::RunFailed { error: error.to_string() });
            }
            Ok::<_, std::io::Error>((result, renderer))
        })?;
        let (result, renderer) = ran.map_err(|error| Failure::new(format!("cannot start a thread: {error}")))?;
        // It ends when the last sender is gone.
        let _ = renderer.join();
        result.map_err(|error| match error {
            RunError::Locked { .. } => Failure::locked(error.to_string()),
            RunError::Interrupted { signal } => Failure::interrupted(error.to_string(), signal),
            error => Failure::new(log_path.map_or_else(|| error.to_string(), |log| format!("{error}\nlog: {log}"))),
        })
    }
}

/// From now on, the number of the first SIGINT or SIGTERM.
pub(super) fn interrupted() -> impl Future<Output = u8> {
    let both = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    async {
        let (Ok(mut interrupt), Ok(mut terminate)) = both else { return std::future::pending().await };
        tokio::select! {
            _ = interrupt.recv() => 2,
            _ = terminate.recv() => 15,
        }
    }
}

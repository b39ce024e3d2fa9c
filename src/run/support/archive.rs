//! The archive: a tar, compressed and perhaps encrypted while it is written, so that memory holds a few texts and the disk
//! never a secret. It has its name only once it is whole.

use std::fs::{File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use age::stream::StreamWriter;
use serde::Serialize;
use tempfile::TempPath;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::redact::{self, Known};
use crate::snapshot::sealing;

/// Texts that may wait to be written.
const QUEUE: usize = 4;
/// Logs compress well, and whoever waits for help waits for this.
const LEVEL: i32 = 3;

/// Where an archive goes.
#[derive(Debug, Clone)]
pub struct Place<'a> {
    /// Its file; one that is there stays.
    pub path: &'a Path,
    /// The directory in it that holds everything.
    pub directory: String,
    /// Public keys of age of those who may read it; everybody may without any.
    pub recipients: &'a [String],
}

/// What is not in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Missing {
    /// What would be there.
    pub what: String,
    /// Why it is not.
    pub why: String,
}

/// A finished archive.
#[derive(Debug, Clone, Serialize)]
pub struct Archived {
    /// Files in it.
    pub files: usize,
    /// Its own size.
    pub bytes: u64,
    /// What it lacks.
    pub missing: Vec<Missing>,
}

/// One that is being written.
pub(super) struct Archive {
    known: Arc<Known>,
    entries: mpsc::Sender<Entry>,
    writer: JoinHandle<io::Result<Index>>,
    missing: Mutex<Vec<Missing>>,
    /// Gone with this value, until it has its name.
    beside: TempPath,
    path: std::path::PathBuf,
}

/// A file to be.
struct Entry {
    name: String,
    text: String,
}

/// Names and sizes.
type Index = (Writer, Vec<(String, usize)>);

impl Archive {
    /// Begins beside `place`. `secrets` are struck out wherever they turn up.
    pub(super) fn begin(place: &Place<'_>, secrets: &[String]) -> io::Result<Self> {
        let directory = place.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut beside = tempfile::Builder::new();
        let beside = beside.prefix(".kubewright-").permissions(Permissions::from_mode(0o600)).tempfile_in(directory)?;
        let (file, beside) = beside.into_parts();
        let writer = Writer::new(file, place)?;
        let (entries, receiver) = mpsc::channel(QUEUE);
        Ok(Self {
            known: Arc::new(Known::of(secrets)),
            entries,
            writer: spawn_blocking(move || write(writer, receiver)),
            missing: Mutex::default(),
            beside,
            path: place.path.to_owned(),
        })
    }

    /// Adds a file, without secrets.
    pub(super) async fn add(&self, name: impl Into<String>, text: String) {
        let (name, known) = (name.into(), Arc::clone(&self.known));
        if !is_below(&name) {
            return self.lacks(format!("{name:?}"), "the host sent a name that leads elsewhere");
        }
        match spawn_blocking(move || redact::text(&text, &known)).await {
            // One that can no longer be written says so at the end.
            Ok(text) => drop(self.entries.send(Entry { name, text }).await),
            // Never as it is.
            Err(error) => self.lacks(name, format!("its secrets could not be struck out: {error}")),
        }
    }

    /// Adds a document.
    pub(super) async fn add_json(&self, name: &str, value: &impl Serialize) {
        match serde_json::to_value(value) {
            Ok(mut value) => {
                redact::json(&mut value, &self.known);
                self.add(name, format!("{value:#}\n")).await;
            }
            Err(error) => self.lacks(name, error),
        }
    }

    /// Notes what is not there.
    pub(super) fn lacks(&self, what: impl Into<String>, why: impl ToString) {
        // What went wrong may quote what it went wrong with.
        let why = redact::text(&why.to_string(), &self.known);
        let why = why.lines().map(str::trim).collect::<Vec<_>>().join("; ");
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).push(Missing { what: what.into(), why });
    }

    /// Ends it, and gives it its name.
    pub(super) async fn finish(self) -> io::Result<Archived> {
        let mut missing = self.missing.into_inner().unwrap_or_else(PoisonError::into_inner);
        missing.sort();
        drop(self.entries);
        let (mut writer, index) = self.writer.await.map_err(io::Error::other)??;
        let listed: String = index.iter().map(|(name, bytes)| format!("{bytes:>10} {name}\n")).collect();
        let lacking: String = missing.iter().map(|one| format!("{}: {}\n", one.what, one.why)).collect();
        let nothing = || "Nothing is missing.\n".to_owned();
        let (path, beside) = (self.path, self.beside);
        let (bytes, files) = spawn_blocking(move || {
            writer.put("index.txt", &format!("{listed}\n{}", missing_below(&lacking)))?;
            writer.put("missing.txt", &if lacking.is_empty() { nothing() } else { lacking })?;
            let file = writer.finish()?;
            file.sync_all()?;
            let bytes = file.metadata()?.len();
            // Another file may have come there meanwhile.
            beside.persist_noclobber(&path).map_err(|error| error.error)?;
            let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            File::open(directory)?.sync_all()?;
            Ok::<_, io::Error>((bytes, index.len() + 2))
        })
        .await
        .map_err(io::Error::other)??;
        Ok(Archived { files, bytes, missing })
    }
}

fn missing_below(lacking: &str) -> String {
    if lacking.is_empty() { String::new() } else { format!("Missing:\n{lacking}") }
}

/// Whether a name stays below the directory of the archive.
fn is_below(name: &str) -> bool {
    !name.is_empty() && name.split('/').all(|part| !matches!(part, "" | "." | "..")) && !name.contains('\0')
}

fn write(mut writer: Writer, mut entries: mpsc::Receiver<Entry>) -> io::Result<Index> {
    let mut index = Vec::new();
    while let Some(Entry { name, text }) = entries.blocking_recv() {
        writer.put(&name, &text)?;
        index.push((name, text.len()));
    }
    Ok((writer, index))
}

/// Text in, an archive out.
struct Writer {
    tar: tar::Builder<zstd::Encoder<'static, Sink>>,
    directory: String,
    seconds: u64,
}

/// What takes the compressed bytes.
enum Sink {
    Plain(BufWriter<File>),
    Sealed(Box<StreamWriter<BufWriter<File>>>),
}

impl Writer {
    fn new(file: File, place: &Place<'_>) -> io::Result<Self> {
        let file = BufWriter::new(file);
        let sink = match place.recipients {
            [] => Sink::Plain(file),
            recipients => Sink::Sealed(Box::new(sealing(recipients, file)?)),
        };
        let tar = tar::Builder::new(zstd::Encoder::new(sink, LEVEL)?);
        let seconds = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0);
        Ok(Self { tar, directory: place.directory.clone(), seconds })
    }

    fn put(&mut self, name: &str, text: &str) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(self.seconds);
        self.tar.append_data(&mut header, format!("{}/{name}", self.directory), text.as_bytes())
    }

    fn finish(self) -> io::Result<File> {
        let file = match self.tar.into_inner()?.finish()? {
            Sink::Plain(file) => file,
            Sink::Sealed(sealed) => sealed.finish()?,
        };
        file.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Sealed(sealed) => sealed.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Sealed(sealed) => sealed.flush(),
        }
    }
}

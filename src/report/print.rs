//! Plain output of verbs that return text. A reader that has seen enough (`| head`) stops the output and nothing else:
//! a run goes on, and its exit code is its own. Output that is lost for another reason must not pass for success.

use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether something for standard output was lost. It belongs to the process, as standard output does.
static LOST: AtomicBool = AtomicBool::new(false);

/// Writes `text` and a newline to standard output.
pub fn print(text: &str) {
    if let Err(error) = line(&mut std::io::stdout().lock(), text)
        && !LOST.swap(true, Ordering::Relaxed)
    {
        print_error(&format!("error: cannot write to standard output: {error}"));
    }
}

/// Writes `text` and a newline to standard error.
pub fn print_error(text: &str) {
    // There is no other place to tell that this one is gone.
    let _ = line(&mut std::io::stderr().lock(), text);
}

/// Whether some of what [`print`] was given has not been written.
pub fn is_output_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

fn line(out: &mut impl Write, text: &str) -> std::io::Result<()> {
    let end = if text.ends_with('\n') { "" } else { "\n" };
    match write!(out, "{text}{end}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

//! Plain output of verbs that return text: to standard output, ending quietly when nobody reads it any more.

use std::io::{ErrorKind, Write};

/// Writes `text` and a newline to standard output.
pub fn print(text: &str) {
    line(&mut std::io::stdout().lock(), text);
}

/// Writes `text` and a newline to standard error.
pub fn print_error(text: &str) {
    line(&mut std::io::stderr().lock(), text);
}

fn line(out: &mut impl Write, text: &str) {
    let end = if text.ends_with('\n') { "" } else { "\n" };
    if let Err(error) = write!(out, "{text}{end}").and_then(|()| out.flush())
        && error.kind() == ErrorKind::BrokenPipe
    {
        // `kubewright … | head`: the reader has seen enough.
        std::process::exit(0);
    }
}

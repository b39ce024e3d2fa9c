//! `kubewright completion`.

use super::{Exit, Failure, grammar};
use crate::report;

/// Print the script by which a shell completes verbs, flags and hosts
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    source <(kubewright completion bash)                                        # in ~/.bashrc\n  \
    source <(kubewright completion zsh)                                         # in ~/.zshrc\n  \
    kubewright completion fish > ~/.config/fish/completions/kubewright.fish")]
pub(super) struct Args {
    /// Shell to complete for
    shell: Shell,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let shell = match self.shell {
            Shell::Bash => "bash",
            Shell::Zsh => "zsh",
            Shell::Fish => "fish",
        };
        let script = grammar::registration(shell);
        report::print(&script.ok_or_else(|| Failure::new(format!("there is no completion for {shell}")))?);
        Ok(Exit::Done)
    }
}

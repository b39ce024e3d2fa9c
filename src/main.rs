//! The `kubewright` command: installer, and agent on the hosts.

fn main() -> std::process::ExitCode {
    kubewright::cli::main()
}

//! The end-to-end run in the lab.

fn main() {}

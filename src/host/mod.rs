//! What runs **on the host**: the agent. It observes, diffs and converges one host, and answers questions about it.
//! It knows nothing of other hosts, of SSH, or of plans: desired parts come in, changes go out.

pub mod frame;
pub mod protocol;

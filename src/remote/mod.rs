//! SSH: connect, authenticate, agent sessions, tunnels.

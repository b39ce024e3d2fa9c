//! The literal lists of stages, and the checks that come before them.

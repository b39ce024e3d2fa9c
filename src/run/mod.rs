//! Executes a plan: stages, widths, gates, lock, receipts.

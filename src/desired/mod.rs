//! Pure functions from cluster, image, keys and facts to the state of each host and the objects of the API.

pub mod state;

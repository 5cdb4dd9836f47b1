//! Tests of the whole program that need no cluster.

// mod cases;
mod schema;

//! `cargo xtask bench`: runs the benchmark of `benches/convert`.

use crate::{
    Result,
    run::{cargo, execute},
};

/// Runs the parts of the benchmark that `args` name, or all.
///
/// # Errors
///
/// When the benchmark fails.
pub fn run(args: &[String]) -> Result<()> {
    execute(cargo(["bench", "--bench", "convert", "--"]).args(args))
}

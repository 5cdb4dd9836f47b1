//! `cargo xtask bench`: runs the benchmarks of `benches/`.

use crate::{
    Result,
    run::{cargo, execute},
};

/// Runs the benchmark that the first of `args` names, with the other arguments, or all benchmarks without arguments.
/// The parts of the benchmark of `convert` can also be named alone.
///
/// # Errors
///
/// Returns an error if a benchmark fails.
pub fn run(args: &[String]) -> Result<()> {
    match args.split_first() {
        None => {
            convert(&[])?;
            operator(&[])
        }
        Some((name, rest)) if name == "convert" => convert(rest),
        Some((name, rest)) if name == "operator" => operator(rest),
        Some(_) => convert(args),
    }
}

fn convert(args: &[String]) -> Result<()> {
    execute(cargo(["bench", "--bench", "convert", "--"]).args(args))
}

fn operator(args: &[String]) -> Result<()> {
    let command = [
        "bench",
        "--bench",
        "operator",
        "--features=cluster-tests",
        "--",
    ];
    execute(cargo(command).args(args))
}

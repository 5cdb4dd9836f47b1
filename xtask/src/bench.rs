//! `cargo xtask bench`: runs the benchmarks of `benches/`.

use crate::{
    Result,
    run::{cargo, execute},
};

/// Runs the benchmark that the first of `args` names, with the others, or all without any. Parts of the benchmark of
/// `convert` need not say whose they are.
///
/// # Errors
///
/// When a benchmark fails.
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

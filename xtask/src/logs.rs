//! `cargo xtask test logs`: a real Fluent Bit with the configuration of the chart, and the `CloudWatch` of moto.

use std::{env, path::PathBuf, process::Command};

use ecs_operator_testbed::moto_python;

use crate::{
    Result, chart,
    run::{execute, output},
    test::tests,
};

/// The program that is tested, if it is not in the search path.
const FLUENT_BIT: &str = "FLUENT_BIT";

/// Where the packages of Fluent Bit install it (<https://docs.fluentbit.io/manual/installation/downloads/linux>).
const PACKAGED: &str = "/opt/fluent-bit/bin/fluent-bit";

/// Runs the tests.
///
/// # Errors
///
/// Returns an error if Fluent Bit is not installed, moto cannot be installed, or a test fails.
pub fn run() -> Result<()> {
    let fluent_bit = fluent_bit()?;
    let version = output(Command::new(&fluent_bit).arg("--version"))?;
    eprintln!(
        "{}: {}",
        fluent_bit.display(),
        version.lines().next().unwrap_or_default()
    );
    let tag = chart::fluent_bit()?;
    if !version.contains(&tag) {
        eprintln!("the chart has another version, {tag}");
    }
    let mut command = tests(["--test=logs"]);
    execute(
        command
            .env(FLUENT_BIT, fluent_bit)
            .env("LOGS_PYTHON", moto_python()?),
    )
}

fn fluent_bit() -> Result<PathBuf> {
    let given = env::var_os(FLUENT_BIT).map(PathBuf::from);
    let known = given
        .into_iter()
        .chain(["fluent-bit".into(), PACKAGED.into()]);
    for program in known {
        if Command::new(&program).arg("--version").output().is_ok() {
            return Ok(program);
        }
    }
    Err(format!(
        "Fluent Bit is not installed: install it (https://docs.fluentbit.io/manual/installation), or set {FLUENT_BIT} to \
         its program"
    )
    .into())
}

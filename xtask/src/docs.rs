//! `cargo xtask docs`: writes the definitions and the documentation that are generated from the code.
//!
//! The test that compares the files with the code also writes them, so that there is only one implementation, and this
//! package does not have to build the other one.

use crate::{
    Result, model,
    run::{cargo, execute},
};

/// Writes the field table and the request shapes as `cargo xtask model` does, then `crds/`, `docs/fields.md`, `docs/reasons.md`, what is generated in `docs/reasons/`, and the examples of
/// `README.md`.
///
/// # Errors
///
/// Returns an error if the tests do not build.
pub fn run(_args: &[String]) -> Result<()> {
    model::run(&[])?;
    execute(
        cargo([
            "test",
            "--quiet",
            "--test",
            "it",
            "--",
            "generated::",
            "reason_pages::the_generated_parts",
            "readme::",
        ])
        .env("UPDATE_DOCS", "1"),
    )
}

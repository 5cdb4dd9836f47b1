//! `cargo xtask docs`: writes the definitions and the documentation that are generated from the code.
//!
//! The test that compares it with the code writes it, so that there is one way from the code to the files, and this
//! package does not have to build the other one.

use crate::{
    Result,
    run::{cargo, execute},
};

/// Writes `crds/`, `docs/fields.md`, `docs/reasons.md`, what is generated in `docs/reasons/`, and the examples of
/// `README.md`.
///
/// # Errors
///
/// When the tests do not build.
pub fn run(_args: &[String]) -> Result<()> {
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

//! `ecs-operator explain`.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use super::{Error, USAGE, arguments::ExplainOptions};
use crate::{
    crd::explain_member,
    fields::{self, Explanation},
};

pub(super) fn run(options: &ExplainOptions) -> Result<ExitCode, Error> {
    let explained = match &options.name {
        None => Ok(fields::list()),
        Some(name) => match fields::explain(name) {
            Explanation::Found(text) => Ok(text),
            Explanation::Unknown { nearest } => explain_member(name).ok_or((name, nearest)),
        },
    };
    let text = match explained {
        Ok(text) => text,
        Err((name, nearest)) => {
            let hint = if nearest.is_empty() {
                "ecs-operator explain lists all fields".to_owned()
            } else {
                format!("did you mean {}?", nearest.join(" or "))
            };
            writeln!(
                anstream::stderr(),
                "error: no field or reason is named {name:?}; {hint}"
            )
            .map_err(Error::writing("standard error"))?;
            return Ok(ExitCode::from(USAGE));
        }
    };
    let mut output = io::stdout().lock();
    output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
        .map_err(Error::writing("standard output"))?;
    Ok(ExitCode::SUCCESS)
}

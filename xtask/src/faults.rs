//! `cargo xtask faults`: runs the operator with injected faults, see `tests/faults`.

use crate::{Result, run::execute, test::tests};

/// The options, and the variables that pass them to the test.
const OPTIONS: &[(&str, &str)] = &[
    ("--scenario", "FAULTS_SCENARIO"),
    ("--mode", "FAULTS_MODE"),
    ("--point", "FAULTS_POINT"),
    ("--sample", "FAULTS_SAMPLE"),
    ("--jobs", "FAULTS_JOBS"),
    ("--delay", "FAULTS_DELAY"),
];

/// Injects all faults, or those that `args` select, and prints a table of the results.
///
/// # Errors
///
/// Returns an error if an option is unknown, or a run does not have the expected result.
pub fn run(args: &[String]) -> Result<()> {
    let mut command = tests([
        "--test=faults",
        "--",
        "--ignored",
        "--exact",
        "--nocapture",
        "every_end_is_the_same",
    ]);
    for (variable, value) in variables(args)? {
        command.env(variable, value);
    }
    execute(&mut command)
}

/// Returns the variables for the options.
fn variables(args: &[String]) -> Result<Vec<(&'static str, &str)>> {
    let mut args = args.iter();
    let mut variables = Vec::new();
    while let Some(arg) = args.next() {
        let known = OPTIONS.iter().find(|(option, _)| option == arg);
        let (option, variable) = known.ok_or_else(|| {
            let options: Vec<&str> = OPTIONS.iter().map(|(option, _)| *option).collect();
            format!("no option {arg}; there are: {}", options.join(", "))
        })?;
        let value = args.next().ok_or(format!("{option} needs a value"))?;
        variables.push((*variable, value.as_str()));
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn options_are_handed_on() {
        let line = args("--scenario update,rollback --sample 40");
        let variables = variables(&line).expect("they are known");
        let expected = [
            ("FAULTS_SCENARIO", "update,rollback"),
            ("FAULTS_SAMPLE", "40"),
        ];
        assert_eq!(variables, expected);
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        assert!(variables(&args("--scenarios update")).is_err());
        assert!(variables(&args("--sample")).is_err());
    }
}

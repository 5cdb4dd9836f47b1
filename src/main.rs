//! The command `ecs-operator`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ecs_operator::cli::main()
}

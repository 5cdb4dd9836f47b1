//! The command `ecs-operator`.

use std::process::ExitCode;

/// Objects are thousands of small texts, which the allocators of the usual C libraries are slow with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ecs_operator::cli::main()
}

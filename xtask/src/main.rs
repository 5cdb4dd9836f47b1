//! Developer commands: `cargo xtask TASK`.

mod bench;
mod chart;
mod docs;
mod faults;
mod fuzz;
mod install;
mod kind;
mod kubernetes;
mod layouts;
mod logs;
mod model;
mod packages;
mod previous;
mod program;
mod run;
mod schemas;
mod test;
mod up;

use std::{error::Error, process::ExitCode};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// A developer command.
struct Task {
    usage: &'static str,
    about: &'static str,
    run: fn(&[String]) -> Result<()>,
}

const TASKS: &[Task] = &[
    Task {
        usage: "bench [convert|operator] [ARG...]",
        about: "measure conversion, and the operator against a local control plane",
        run: bench::run,
    },
    Task {
        usage: "chart",
        about: "write the generated parts of charts/ecs-operator, and deploy/",
        run: chart::write,
    },
    Task {
        usage: "docs",
        about: "write crds/, docs/fields.md, docs/reasons.md and the examples of README.md",
        run: docs::run,
    },
    Task {
        usage: "faults [--scenario NAME] [--mode MODE] [--sample N]",
        about: "kill the operator at each request, feed it errors and old events, and compare how it ends",
        run: faults::run,
    },
    Task {
        usage: "fuzz [--seconds N] [TARGET...]",
        about: "run fuzz targets",
        run: fuzz::run,
    },
    Task {
        usage: "kind [--test]",
        about: "make a kind cluster with the operator and an example, or run the end-to-end tests in it",
        run: kind::run,
    },
    Task {
        usage: "model [PATH VERSION]",
        about: "write src/fields/table and src/ecs from src/fields/rows and src/fields/aws.tsv",
        run: model::run,
    },
    Task {
        usage: "schemas",
        about: "write tests/schemas/ from the projects that own the schemas",
        run: schemas::run,
    },
    Task {
        usage: "test [PART...]",
        about: "check everything that a change has to pass, or some parts of it",
        run: test::run,
    },
    Task {
        usage: "up [--check]",
        about: "start a local cluster with the operator and an example, until Ctrl-C",
        run: up::run,
    },
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<()> {
    let (name, rest) = args.split_first().ok_or_else(usage)?;
    if ["help", "--help", "-h"].contains(&name.as_str()) {
        println!("{}", usage());
        return Ok(());
    }
    let task = TASKS
        .iter()
        .find(|task| task.usage.split(' ').next() == Some(name.as_str()))
        .ok_or_else(usage)?;
    (task.run)(rest)
}

fn usage() -> String {
    let width = TASKS.iter().map(|task| task.usage.len()).max().unwrap_or(0);
    let lines: Vec<String> = TASKS
        .iter()
        .map(|task| format!("  {:width$}  {}", task.usage, task.about))
        .collect();
    format!("usage: cargo xtask TASK\n{}", lines.join("\n"))
}

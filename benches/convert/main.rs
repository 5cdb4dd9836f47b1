//! Measures the speed of conversions and the memory of the program. `cargo bench --bench convert`
//!
//! Speed: parse, validate, translate and print on one core, through the library, compared with the minimum work of any
//! such program (parsing the JSON, printing the objects). Program: the program itself on a folder, on one processor and
//! on all, compared with reading, parsing and writing the files. Templates: the program on a folder of CloudFormation
//! templates, compared with the same documents as plain JSON.
//! Memory: the program itself on folders of growing size.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::pedantic,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "a benchmark prints, and stops where it cannot go on"
)]

mod documents;
mod memory;
mod pipeline;
mod program;
mod speed;
mod templates;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    // `cargo bench` passes `--bench`; the remaining arguments are for this program.
    let chosen: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let wanted = |name: &str| chosen.is_empty() || chosen.iter().any(|chosen| chosen == name);
    println!("machine: {}", machine());
    if wanted("speed") {
        speed::run();
    }
    if wanted("program") {
        program::run();
    }
    if wanted("templates") {
        templates::run();
    }
    if wanted("memory") {
        memory::run();
    }
}

/// Returns the processor's name and count.
fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1))
        .unwrap_or(std::env::consts::ARCH);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{model}, {cores} cores, {}", std::env::consts::OS)
}

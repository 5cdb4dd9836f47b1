//! Measures the peak memory of the program for folders of growing size.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::documents;

/// The number of documents in the folder.
const COUNTS: [usize; 3] = [1_000, 10_000, 100_000];

pub fn run() {
    let name = format!("ecs-operator-bench-{}", std::process::id());
    let folder = Folder(env::temp_dir().join(name));
    let (mut files, mut documents) = (0, 0);
    let mut first = None;
    for count in COUNTS {
        while documents < count {
            documents += write(&folder.0, files);
            files += 1;
        }
        let start = Instant::now();
        let peak = peak(&folder.0);
        let first = *first.get_or_insert(peak);
        println!(
            "  memory: {documents:>6} documents in {files:>5} files: {:.1} MB at most, {:.2} times the first, {:.1} s",
            peak as f64 / 1024.0,
            peak as f64 / first as f64,
            start.elapsed().as_secs_f64()
        );
    }
}

/// Writes an input, at most a thousand per folder, and returns its number of documents.
pub fn write(folder: &Path, number: usize) -> usize {
    let inner = folder.join(format!("{:03}", number / 1000));
    fs::create_dir_all(&inner).expect("the temporary folder can be written");
    let input = documents::input(number);
    let path = inner.join(format!("{number:06}.json"));
    fs::write(path, input.text).expect("the temporary folder can be written");
    input.documents
}

/// Returns the peak of the program's resident memory in kB while it converts `folder`.
fn peak(folder: &Path) -> u64 {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ecs-operator"))
        .arg("convert")
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut peak = 0;
    while child
        .try_wait()
        .expect("the program can be waited for")
        .is_none()
    {
        peak = high_water_mark(&child).unwrap_or(0).max(peak);
        thread::sleep(Duration::from_millis(1));
    }
    peak
}

/// Returns `VmHWM`, which only grows, so the last reading is the peak, except for the last millisecond.
fn high_water_mark(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// A folder that is deleted after the run.
pub struct Folder(pub PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
        for output in ["out", "err"] {
            let _ = fs::remove_file(self.0.with_extension(output));
        }
    }
}

//! Information from Linux about the machine and a process.

use std::fs;

/// Returns the processor, the number of its cores, and the memory.
pub fn machine() -> String {
    let information = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = information
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1))
        .unwrap_or(std::env::consts::ARCH);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = kilobytes("/proc/meminfo", "MemTotal:").unwrap_or(0) as f64 / 1024.0 / 1024.0;
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    format!("{model}, {cores} cores, {memory:.1} GiB, load {load} before")
}

/// Returns the current and the peak resident memory of a process, in MiB.
pub fn memory(process: u32) -> Option<(f64, f64)> {
    let path = format!("/proc/{process}/status");
    let mebibytes = |name| Some(kilobytes(&path, name)? as f64 / 1024.0);
    Some((mebibytes("VmRSS:")?, mebibytes("VmHWM:")?))
}

/// Returns the processor seconds of a process (<https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>, in
/// hundredths, which Linux uses everywhere).
pub fn processor_seconds(process: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, after_name) = status.rsplit_once(") ")?;
    let mut fields = after_name.split(' ').skip(11);
    let mut ticks = || fields.next()?.parse::<u32>().ok();
    Some(f64::from(ticks()? + ticks()?) / 100.0)
}

/// Returns the number after `name` in a file of `/proc`.
fn kilobytes(path: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

//! Measures documents per second on one core.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use ecs_operator::print::Ordered;
use serde_json::Value;

use crate::{
    documents::{self, Input},
    pipeline,
};

/// The number of inputs.
const INPUTS: usize = 400;
/// The minimum duration of the measurement.
const MEASURED: Duration = Duration::from_secs(5);
/// The documents per second that the project promises.
const PROMISE: f64 = 10_000.0;

pub fn run() {
    let inputs: Vec<Input> = (0..INPUTS).map(documents::input).collect();
    let printed: Vec<Vec<Ordered>> = inputs.iter().map(|input| objects(&input.text)).collect();
    let documents: usize = inputs.iter().map(|input| input.documents).sum();
    let sizes: Vec<usize> = inputs.iter().map(|input| input.text.len()).collect();
    let objects: usize = printed.iter().map(Vec::len).sum();
    println!(
        "speed: {INPUTS} inputs, {documents} documents, {} to {} bytes, {} in all; {objects} objects",
        sizes.iter().min().unwrap_or(&0),
        sizes.iter().max().unwrap_or(&0),
        sizes.iter().sum::<usize>()
    );
    let mut convert = Clock::default();
    let templates: Vec<String> = inputs.iter().map(documents::template).collect();
    let mut template = Clock::default();
    let mut floor = Clock::default();
    let start = Instant::now();
    // They take turns, so that both run under the same conditions.
    while start.elapsed() < MEASURED * 3 {
        convert.round(&inputs, |index| {
            black_box(pipeline::convert(&inputs[index].text));
        });
        template.round(&inputs, |index| {
            black_box(pipeline::convert(&templates[index]));
        });
        floor.round(&inputs, |index| {
            black_box(least(&inputs[index].text, &printed[index]));
        });
    }
    let fast = convert.report("convert", documents);
    let of_templates = template.report("template", documents);
    let least = floor.report("floor", documents);
    println!("convert takes {:.2} times the floor", least / fast);
    println!(
        "templates take {:.2} times the plain documents",
        fast / of_templates
    );
    let verdict = if fast >= PROMISE { "kept" } else { "broken" };
    println!("promise of {PROMISE} documents a second: {verdict}");
}

/// Returns the objects of an input.
fn objects(text: &str) -> Vec<Ordered> {
    let values: Vec<Value> =
        serde_saphyr::from_multiple(&pipeline::convert(text)).expect("what is printed is YAML");
    let ordered = values.iter().map(Ordered::unsorted);
    ordered.collect::<Result<_, _>>().expect("it is plain data")
}

/// Prints an object with a library, as any program can.
fn by_library(object: &Ordered) -> String {
    serde_saphyr::to_string(object).expect("objects can be printed")
}

/// Does the minimum work of a program that only uses libraries: parse the JSON, print the objects.
fn least(text: &str, objects: &[Ordered]) -> String {
    let documents = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    black_box(documents.filter_map(Result::ok).collect::<Vec<_>>());
    objects.iter().map(by_library).collect()
}

/// The times of each input.
#[derive(Default)]
struct Clock {
    times: Vec<Duration>,
    processor: Duration,
    rounds: u32,
}

impl Clock {
    fn round(&mut self, inputs: &[Input], mut convert: impl FnMut(usize)) {
        let before = processor_time();
        let round = Instant::now();
        for index in 0..inputs.len() {
            let start = Instant::now();
            convert(index);
            self.times.push(start.elapsed());
        }
        let elapsed = round.elapsed();
        self.processor += match (before, processor_time()) {
            (Some(before), Some(after)) => after - before,
            _ => elapsed,
        };
        self.rounds += 1;
    }

    /// Prints the numbers and returns the documents per second.
    fn report(mut self, name: &str, documents: usize) -> f64 {
        self.times.sort();
        let percentile = |percent: usize| self.times[(self.times.len() - 1) * percent / 100];
        let seconds = self.processor.as_secs_f64();
        let inputs_per_second = self.times.len() as f64 / seconds;
        let per_second = documents as f64 * f64::from(self.rounds) / seconds;
        println!(
            "{name:>8}: {per_second:>9.0} documents/s, {inputs_per_second:>9.0} inputs/s, an input p50 {:?}, p99 {:?}, {} rounds",
            percentile(50),
            percentile(99),
            self.rounds
        );
        per_second
    }
}

/// Returns the processor time of this thread, so that other load does not matter; only Linux reports it.
fn processor_time() -> Option<Duration> {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds = statistics.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

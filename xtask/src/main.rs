mod schemas;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.split_first() {
        Some((task, rest)) if task == "schemas" => schemas::run(rest),
        _ => Err("tasks: schemas".into()),
    }
}

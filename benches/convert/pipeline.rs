//! What the program does with an input, without its files.

use ecs_operator::{
    convert::{Converter, Denied, Target},
    print,
    settings::Settings,
    source::{Catalog, Fill, SourceText},
};
use serde_json::Value;

/// Reads, links, validates, translates and prints the documents of `text`.
pub fn convert(text: &str) -> String {
    let settings = Settings::default();
    let mut converter = Converter::new(&settings, Target::Manifests, Denied::Nothing);
    let source = SourceText::new("bench.json", text);
    let catalog = Catalog::of_texts([source], Fill::new(), &mut |problem| {
        panic!("{}", problem.message)
    });
    let mut output = String::new();
    for unit in catalog.into_units().flatten() {
        let conversion = converter.convert(&unit).expect("objects can be printed");
        for object in &conversion.objects {
            output.push_str("---\n");
            output.push_str(&print::yaml(object).expect("objects can be printed"));
        }
    }
    output
}

/// Prints one object.
pub fn print(object: &Value) -> String {
    format!(
        "---\n{}",
        print::yaml(object).expect("objects can be printed")
    )
}

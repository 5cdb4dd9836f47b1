//! Does what the program does with an input, without files.

use ecs_operator::{
    convert::{Converter, Denied, Target},
    diagnostic::Severity,
    print::{self, Ordered},
    settings::Settings,
    source::{Catalog, Fill, SourceText},
};

/// Converts the documents of `text` and prints their objects.
pub fn convert(text: &str) -> String {
    let settings = Settings::default();
    let source = SourceText::new("input.json", text);
    let catalog = Catalog::of_texts([source], Fill::default(), &mut |problem| {
        let is_error = problem.message.reason().severity() == Severity::Error;
        assert!(!is_error, "{}", problem.message);
    });
    let mut converter = Converter::new(&settings, Target::Manifests, Denied::Nothing);
    let mut printed = String::new();
    for unit in catalog.into_units() {
        let unit = unit.unwrap_or_else(|problem| panic!("{}", problem.message));
        let conversion = converter.convert(&unit).expect("objects can be printed");
        assert!(
            !conversion.objects.is_empty(),
            "{:?}",
            conversion.diagnostics
        );
        for object in &conversion.objects {
            printed.push_str(&print(object));
        }
    }
    printed
}

/// Prints one object.
pub fn print(object: &Ordered) -> String {
    let text = print::yaml(object).expect("objects can be printed");
    format!("---\n{text}")
}

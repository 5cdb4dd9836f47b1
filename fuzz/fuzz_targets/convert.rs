//! The whole way: any text gives printable objects or errors, twice the same.
#![no_main]

use ecs_operator::{
    convert::{Converter, Denied, Target},
    diagnostic::{Severity, Subject},
    print,
    settings::Settings,
    source::{Catalog, Fill, SourceText},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let manifests = convert(text, Target::Manifests);
    assert_eq!(manifests, convert(text, Target::Manifests));
    convert(text, Target::Resources);
});

fn convert(text: &str, target: Target) -> String {
    let settings = Settings::default();
    let source = SourceText::new("-", text);
    let catalog = Catalog::of_texts([source], Fill::default(), &mut |_| {});
    let mut converter = Converter::new(&settings, target, Denied::Nothing);
    let mut printed = String::new();
    for unit in catalog.into_units().flatten() {
        let conversion = converter.convert(&unit).expect("objects can be printed");
        // A service runs on when one of its scaling documents is rejected.
        let rejected = conversion.diagnostics.iter().any(|finding| {
            finding.severity() == Severity::Error && finding.path.subject() != Subject::AutoScaling
        });
        assert!(!rejected || conversion.objects.is_empty());
        for object in &conversion.objects {
            let text = print::yaml(object).expect("objects can be printed");
            let read: serde_json::Value = serde_saphyr::from_str(&text).expect("it is YAML");
            let object = serde_json::to_value(object).expect("objects are plain data");
            assert_eq!(read, object);
            printed.push_str(&text);
        }
    }
    printed
}

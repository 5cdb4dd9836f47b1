//! Many documents are converted by several threads, and come out as if one after another.

use std::fs;

use ecs_operator::{
    convert::{Converter, Denied, Target},
    print,
    settings::Settings,
    source::{Catalog, Fill},
};

use crate::{cases, program::Folder};

/// The inputs of all golden cases in one folder: documents that find each other, that contradict each other and that
/// are wrong.
fn all_cases() -> Folder {
    let folder = Folder::new("many", &[]);
    for (number, case) in cases::cases().iter().enumerate() {
        let inner = format!("{number:04}");
        fs::create_dir(folder.0.join(&inner)).expect("the folder is new");
        for (name, text) in cases::texts(case) {
            folder.write(&format!("{inner}/{name}"), &text);
        }
    }
    folder
}

#[test]
fn a_folder_is_converted_as_its_documents_one_after_another() {
    let folder = all_cases();
    let settings = Settings::default();
    let paths = [folder.0.clone()];
    let catalog = Catalog::read(&paths, None, Fill::default(), &mut |_| {});
    let units = catalog.units();
    assert!(units > 100, "{units} units: several threads have work");
    let mut converter = Converter::new(&settings, Target::Manifests, Denied::Nothing);
    let mut expected = Vec::new();
    let mut findings = 0;
    for unit in catalog.into_units() {
        let unit = unit.expect("the files are there");
        let conversion = converter.convert(&unit).expect("objects can be printed");
        findings += conversion.diagnostics.len();
        let objects = conversion.objects.iter().map(print::yaml);
        expected.extend(objects.map(|text| text.expect("objects can be printed")));
    }
    let arguments = ["convert", "--verbose", "--diagnostics", "concise", "."];
    let run = folder.run(&arguments);
    let lines = run.stderr.lines().count();
    assert!(findings > 100 && lines > 100, "{findings}, {lines}");
    assert!(
        run.stdout == expected.join("---\n"),
        "the objects differ from those of the library"
    );
    let again = folder.run(&arguments);
    assert!(
        run.stderr == again.stderr && run.stdout == again.stdout,
        "two runs differ"
    );
}

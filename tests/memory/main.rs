//! How much memory a conversion of many documents keeps until its end. This is a program of its own because its
//! allocator counts, and another test that runs at the same time would count too.
#![allow(
    clippy::expect_used,
    missing_docs,
    reason = "a test stops where it cannot go on"
)]

use std::{convert::Infallible, fs, path::Path};

use ecs_operator::{
    convert::{Denied, Drafter, Given, Target},
    settings::Settings,
    source::{Catalog, Fill},
};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// What may be kept of a task definition in a file of its own: its path, its name, its plan, and the digests of its
/// objects. Lists that double their size may have space for twice as many.
const BYTES: usize = 500;

#[test]
fn little_is_kept_of_each_document() {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("memory");
    let _absent = fs::remove_dir_all(&root);
    let (few, many) = (1_000, 5_000);
    // The first conversion also fills what is kept for the whole run of a program, such as the table of fields.
    let _first = peak(&root, few);
    let growth = peak(&root, many).saturating_sub(peak(&root, few));
    fs::remove_dir_all(&root).expect("the folder can be removed");
    let each = growth / (many - few);
    assert!(each < BYTES, "{each} bytes are kept of each document");
}

/// Converts documents, and returns how many bytes were allocated at most at any time.
fn peak(root: &Path, documents: usize) -> usize {
    let folder = root.join(documents.to_string());
    fs::create_dir_all(&folder).expect("the folder can be created");
    for number in 0..documents {
        let text = format!(
            r#"{{"family":"web-{number}","containerDefinitions":[{{"name":"web","image":"nginx","memory":{}}}]}}"#,
            number + 6
        );
        let file = folder.join(format!("web-{number}.json"));
        fs::write(file, text).expect("the file can be written");
    }
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let settings = Settings::default();
    let catalog = Catalog::read(&[folder], None, Fill::new(), &mut |problem| {
        unreachable!("{}", problem.message)
    });
    let drafter = Drafter::new(&settings, Target::Manifests, Denied::Nothing);
    let mut given = Given::default();
    let mut objects = 0;
    let Ok(()) = catalog.for_each_unit(
        |number, unit| {
            let unit = unit.expect("the file is there");
            let draft = drafter.draft(&unit).expect("objects can be printed");
            (number, draft.into_claims())
        },
        |(number, claims)| {
            objects += given.settle(number, &claims).fresh.len();
            Ok::<_, Infallible>(())
        },
    );
    assert!(objects >= documents, "{objects} of {documents}");
    ALLOCATOR.peak_usage() - before
}

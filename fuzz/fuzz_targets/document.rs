//! The reader: any bytes are documents, or errors that stand inside of the text.
#![no_main]

use ecs_operator_fuzz::read;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    for name in ["input.json", "input.yaml", "-"] {
        read(name, &text);
    }
});

//! JSON as compressed text: the objects of one service are repetitive, and a service has several revisions.

use std::io::{Read as _, Write as _};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use serde::{Serialize, de::DeserializeOwned};

/// The maximum decompressed size in bytes: more than any object that the API server accepts can hold.
const LONGEST: u64 = 32 * 1024 * 1024;

/// Returns a value as compressed text.
pub(super) fn compress(value: &impl Serialize) -> String {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    // The value is JSON, and writing to memory does not fail. If it did, the text would be unreadable, which is checked
    // when it is read.
    let text = serde_json::to_vec(value).unwrap_or_default();
    let written = encoder.write_all(&text);
    let bytes = written.and_then(|()| encoder.finish()).unwrap_or_default();
    STANDARD.encode(bytes)
}

/// Returns the value of a compressed text; `None` if it cannot be read.
pub(super) fn decompress<T: DeserializeOwned>(text: &str) -> Option<T> {
    let bytes = STANDARD.decode(text).ok()?;
    let mut json = Vec::new();
    DeflateDecoder::new(bytes.as_slice())
        .take(LONGEST)
        .read_to_end(&mut json)
        .ok()?;
    serde_json::from_slice(&json).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_is_compressed_can_be_read_and_is_shorter() {
        let value = json!(vec![json!({"name": "a long text that comes again"}); 20]);
        let text = compress(&value);
        assert!(text.len() * 4 < value.to_string().len());
        assert_eq!(decompress(&text), Some(value));
        assert_eq!(decompress::<Value>("no base64!"), None);
        assert_eq!(decompress::<Value>(&STANDARD.encode("no deflate")), None);
    }
}

//! Lists the input files and reads their texts, one at a time. This is the only file of this folder that does I/O.

use std::{
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
};

use super::text::{SourceText, Span};
use crate::diagnostic::Message;

/// A problem of a text as a whole, or of a document before it belongs to a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The text, empty if it could not be read.
    pub source: SourceText,
    /// The position of the problem, if it has one.
    pub span: Option<Span>,
    /// The problem.
    pub message: Message,
}

impl Problem {
    fn unreadable(path: &Path, error: &io::Error) -> Self {
        Self {
            source: SourceText::new(path.display().to_string(), ""),
            span: None,
            message: Message::UnreadableFile {
                error: error.to_string(),
            },
        }
    }
}

/// The largest input in bytes. AWS accepts documents of 64 KiB; without a limit, reading a device would exhaust the
/// memory.
const LARGEST: u64 = 256 << 20;

/// The path that means standard input.
const STDIN: &str = "-";

/// A file of the input.
pub(super) struct File {
    pub(super) path: Box<Path>,
    /// Whether it can be read only once: standard input, and pipes such as those of `<(command)`.
    pub(super) is_read_once: bool,
}

/// Lists the files of `paths`: files themselves, and in folders all `*.json`, `*.yaml` and `*.yml`, sorted, at every
/// depth. Hidden files are skipped, and links to folders are not followed, to avoid cycles.
pub(super) fn files(paths: &[PathBuf], problems: &mut dyn FnMut(Problem)) -> Vec<File> {
    let mut found = Vec::new();
    for path in paths {
        if path.as_os_str() != STDIN && path.is_dir() {
            let before = found.len();
            folder(path, &mut found, problems);
            if found.len() == before {
                problems(Problem {
                    source: SourceText::new(path.display().to_string(), ""),
                    span: None,
                    message: Message::FolderWithoutDocuments,
                });
            }
        } else {
            found.push(File {
                path: path.as_path().into(),
                is_read_once: is_read_once(path),
            });
        }
    }
    if paths.len() > 1 {
        let mut seen = std::collections::BTreeSet::new();
        found.retain(|File { path, .. }| {
            seen.insert(fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf()))
        });
    }
    found
}

fn folder(path: &Path, found: &mut Vec<File>, problems: &mut dyn FnMut(Problem)) {
    let mut entries = match fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
        Ok(entries) => entries,
        Err(error) => return problems(Problem::unreadable(path, &error)),
    };
    entries.sort_by_cached_key(fs::DirEntry::file_name);
    for entry in entries {
        let inner = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let kind = entry.file_type();
        if kind.as_ref().is_ok_and(fs::FileType::is_dir) {
            folder(&inner, found, problems);
        } else if inner
            .extension()
            .is_some_and(|extension| matches!(extension.to_str(), Some("json" | "yaml" | "yml")))
        {
            // Reading a pipe could block forever. A file without metadata is reported when it is read.
            let is_file = kind.is_ok_and(|kind| kind.is_file());
            if !is_file && fs::metadata(&inner).is_ok_and(|metadata| !metadata.is_file()) {
                let error = io::Error::other("it is not a regular file");
                problems(Problem::unreadable(&inner, &error));
            } else {
                found.push(File {
                    path: inner.into_boxed_path(),
                    is_read_once: false,
                });
            }
        }
    }
}

fn is_read_once(path: &Path) -> bool {
    path.as_os_str() == STDIN || fs::metadata(path).is_ok_and(|metadata| !metadata.is_file())
}

/// Reads the text of a file.
pub(super) fn text(path: &Path) -> Result<SourceText, Problem> {
    let (name, bytes) = if path.as_os_str() == STDIN {
        ("<stdin>".to_owned(), bytes(io::stdin().lock(), 0, LARGEST))
    } else {
        (path.display().to_string(), file(path))
    };
    let bytes = bytes.map_err(|error| Problem::unreadable(path, &error))?;
    decode(&name, &bytes)
}

/// Reads a file into a buffer of its size, which takes a single read; a growing buffer would take one for each doubling.
fn file(path: &Path) -> io::Result<Vec<u8>> {
    let file = fs::File::open(path)?;
    let size = file.metadata()?.len().min(LARGEST);
    bytes(file, usize::try_from(size).unwrap_or_default(), LARGEST)
}

/// Reads all bytes, if there are at most `largest`; probably there are `expected`.
fn bytes(input: impl io::Read, expected: usize, largest: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(expected);
    let mut input = input.take(largest + 1);
    input.read_to_end(&mut bytes)?;
    if input.limit() == 0 {
        let message = format!("it is larger than {} MiB", largest >> 20);
        return Err(io::Error::other(message));
    }
    Ok(bytes)
}

/// Decodes bytes as UTF-8 text.
pub(super) fn decode(name: &str, bytes: &[u8]) -> Result<SourceText, Problem> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(SourceText::new(name, text)),
        Err(error) => {
            let offset = error.valid_up_to();
            let message = match bytes {
                [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
                    "the file is UTF-16, it has to be UTF-8".to_owned()
                }
                _ => format!(
                    "byte {offset} (0x{:02x}) is not UTF-8",
                    bytes.get(offset).copied().unwrap_or_default()
                ),
            };
            Err(Problem {
                source: SourceText::new(name, ""),
                span: None,
                message: Message::SyntaxError { message },
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_named() {
        let problem = decode("a.json", b"{\"a\": \"\xfc\"}").unwrap_err();
        assert_eq!(problem.message.to_string(), "byte 7 (0xfc) is not UTF-8");
        let problem = decode("a.json", b"\xff\xfe{\0}\0").unwrap_err();
        assert_eq!(
            problem.message.to_string(),
            "the file is UTF-16, it has to be UTF-8"
        );
        let text = decode("a.json", b"\xef\xbb\xbf{}").unwrap();
        assert_eq!((text.name(), text.text()), ("a.json", "{}"));
    }

    #[test]
    fn an_input_without_end_is_given_up() {
        let error = bytes(io::repeat(b' '), 0, 1 << 20).unwrap_err();
        assert_eq!(error.to_string(), "it is larger than 1 MiB");
        assert_eq!(bytes(&b"12345"[..], 5, 5).unwrap().len(), 5);
        assert!(bytes(&b"123456"[..], 5, 5).is_err());
    }

    #[test]
    fn folders_are_walked_in_order() {
        let root = std::env::temp_dir().join(format!("ecs-operator-read-{}", std::process::id()));
        let inner = root.join("b");
        fs::create_dir_all(&inner).unwrap();
        for name in ["z.yaml", "a.json", "c.txt", ".hidden.json", "b/x.yml"] {
            fs::write(root.join(name), "{}").unwrap();
        }
        let mut problems = Vec::new();
        let paths = [
            root.clone(),
            root.join("a.json"),
            root.join("missing.json"),
            root.join("c.txt"),
        ];
        let found = files(&paths, &mut |problem| problems.push(problem));
        let names: Vec<_> = found
            .iter()
            .map(|file| file.path.strip_prefix(&root).unwrap().display().to_string())
            .collect();
        assert_eq!(
            names,
            ["a.json", "b/x.yml", "z.yaml", "missing.json", "c.txt"]
        );
        assert_eq!(problems, []);
        let problem = text(&root.join("missing.json")).unwrap_err();
        assert_eq!(problem.message.reason().name(), "UnreadableFile");
        fs::remove_dir_all(&root).unwrap();
    }
}

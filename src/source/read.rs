//! Lists the input files and reads their texts, one at a time. Besides `border.rs`, this is the
//! only file of this folder that does I/O.

use std::{
    collections::BTreeSet,
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
    pub(super) fn empty_folder(path: &Path) -> Self {
        Self {
            source: SourceText::new(path.display().to_string(), ""),
            span: None,
            message: Message::FolderWithoutDocuments,
        }
    }

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

/// How each file begins that is written beside objects into an output folder, where it is not read as input.
pub const WRITTEN: &str = "# Written by ecs-operator convert";

/// The path that means standard input.
const STDIN: &str = "-";

/// A file of the input.
pub(super) struct File {
    pub(super) path: Box<Path>,
    /// Whether it can be read only once: standard input, and pipes such as those of `<(command)`.
    pub(super) is_read_once: bool,
    /// Which of the given paths is the folder that it was found in; `None` for a file that was named itself.
    pub(super) folder: Option<usize>,
}

/// Lists the files of `paths`: files themselves, and in folders all `*.json`, `*.jsonnet`, `*.tf`, `*.yaml` and `*.yml`,
/// sorted, at every depth. What is hidden, except where pipelines keep task definitions, packages of npm and the objects in
/// the folder `output`, unless it is one of `paths`, are skipped, and links to folders are not followed, to avoid cycles.
pub(super) fn files(
    paths: &[PathBuf],
    output: Option<&Path>,
    problems: &mut dyn FnMut(Problem),
) -> Vec<File> {
    let output = output.and_then(|output| fs::canonicalize(output).ok());
    let mut found = Vec::new();
    for (number, path) in paths.iter().enumerate() {
        if path.as_os_str() != STDIN && path.is_dir() {
            let before = found.len();
            let mut walk = Walk {
                number,
                output: output.as_deref(),
                place: Place::of_root(path, output.as_deref()),
                found: &mut found,
                problems,
            };
            walk.folder(path);
            if found.len() == before {
                problems(Problem::empty_folder(path));
            }
        } else {
            found.push(File {
                path: path.as_path().into(),
                is_read_once: is_read_once(path),
                folder: None,
            });
        }
    }
    if paths.len() > 1 {
        once(&mut found);
    }
    found
}

/// Reads all files of `paths`, in their order, and `-` for standard input.
pub fn texts(paths: &[PathBuf], problems: &mut dyn FnMut(Problem)) -> Vec<SourceText> {
    let mut texts = Vec::new();
    for file in files(paths, None, problems) {
        match text(&file.path) {
            Ok(text) => texts.push(text),
            Err(problem) => problems(problem),
        }
    }
    texts
}

/// Keeps the first of the files that are the same. It counts as named if another one is.
fn once(found: &mut Vec<File>) {
    let resolved = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let named = found.iter().filter(|file| file.folder.is_none());
    let named: BTreeSet<PathBuf> = named.map(|file| resolved(&file.path)).collect();
    let mut seen = BTreeSet::new();
    found.retain_mut(|file| {
        let path = resolved(&file.path);
        if named.contains(&path) {
            file.folder = None;
        }
        seen.insert(path)
    });
}

/// The packages of npm: thousands of files, none of which is a request.
const PACKAGES: &str = "node_modules";

/// The hidden folders in which the pipelines of GitHub look for task definitions
/// (<https://docs.github.com/en/actions/how-tos/deploy/deploy-to-third-party-platforms/amazon-elastic-container-service>).
const OF_PIPELINES: [&str; 2] = [".aws", ".github"];

/// The folder in which the AWS CLI also has its tokens.
const OF_THE_CLI: &str = ".aws";

/// What a document of ECS has, and no token.
const OF_ECS: [&str; 4] = [
    "containerDefinitions",
    "ContainerDefinitions",
    "serviceName",
    "taskDefinition",
];

/// Whether a hidden folder may have task definitions.
fn is_of_pipelines(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| OF_PIPELINES.contains(&name))
}

/// Whether a file may be one of the AWS CLI, whose content no message may have.
fn may_be_secret(path: &Path) -> bool {
    let mut folders = path.components().map(|it| it.as_os_str());
    folders.any(|folder| folder == OF_THE_CLI)
        && !text(path).is_ok_and(|text| OF_ECS.iter().any(|it| text.text().contains(it)))
}

/// Finds the files of one of the given folders.
struct Walk<'w> {
    /// Which of the given paths it is.
    number: usize,
    output: Option<&'w Path>,
    place: Place,
    found: &'w mut Vec<File>,
    problems: &'w mut dyn FnMut(Problem),
}

/// Where a folder is that is walked.
#[derive(Clone, Copy)]
enum Place {
    /// Not in the output folder.
    Elsewhere,
    /// In the output folder, which is itself one of the given paths: its objects are input.
    NamedOutput,
    /// In the output folder.
    Output,
}

impl Place {
    fn of_root(path: &Path, output: Option<&Path>) -> Self {
        let is_output =
            output.is_some_and(|output| fs::canonicalize(path).is_ok_and(|path| path == output));
        if is_output {
            Self::NamedOutput
        } else {
            Self::Elsewhere
        }
    }

    /// Whether a file here is not input, because an earlier run wrote it.
    fn has_written(self, path: &Path) -> bool {
        let is_written = |of_objects: bool| {
            fs::read_to_string(path).is_ok_and(|text| {
                text.starts_with(WRITTEN)
                    || of_objects && text.contains("apiVersion") && text.contains("kind")
            })
        };
        match self {
            Self::Elsewhere => false,
            Self::NamedOutput => is_written(false),
            Self::Output => is_written(true),
        }
    }
}

impl Walk<'_> {
    fn folder(&mut self, path: &Path) {
        let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => return (self.problems)(Problem::unreadable(path, &error)),
        };
        entries.sort_by_cached_key(fs::DirEntry::file_name);
        for entry in entries {
            let (name, inner) = (entry.file_name(), entry.path());
            let is_hidden = name.as_encoded_bytes().starts_with(b".");
            let kind = entry.file_type();
            if kind.as_ref().is_ok_and(fs::FileType::is_dir) {
                if name == PACKAGES || is_hidden && !is_of_pipelines(&inner) {
                    continue;
                }
                let around = self.place;
                if self.is_output(&inner) {
                    self.place = Place::Output;
                }
                self.folder(&inner);
                self.place = around;
            } else if !is_hidden && has_extension(&inner) {
                self.file(inner, kind.is_ok_and(|kind| kind.is_file()));
            }
        }
    }

    fn file(&mut self, path: PathBuf, is_file: bool) {
        // Reading a pipe could block forever. A file without metadata is reported when it is read.
        if !is_file && fs::metadata(&path).is_ok_and(|metadata| !metadata.is_file()) {
            let error = io::Error::other("it is not a regular file");
            (self.problems)(Problem::unreadable(&path, &error));
        } else if !self.place.has_written(&path) && !may_be_secret(&path) {
            self.found.push(File {
                path: path.into_boxed_path(),
                is_read_once: false,
                folder: Some(self.number),
            });
        }
    }

    fn is_output(&self, path: &Path) -> bool {
        let Some(output) = self.output else {
            return false;
        };
        // Most folders have another name, and resolving a path takes several calls of the system.
        path.file_name() == output.file_name()
            && fs::canonicalize(path).is_ok_and(|path| path == output)
    }
}

fn has_extension(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("json" | "jsonnet" | "tf" | "yaml" | "yml"))
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
pub(super) fn bytes(input: impl io::Read, expected: usize, largest: u64) -> io::Result<Vec<u8>> {
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
                    "the file is UTF-16: convert it to UTF-8".to_owned()
                }
                _ => format!(
                    "byte {offset} (0x{:02x}) is not UTF-8",
                    bytes.get(offset).copied().unwrap_or_default()
                ),
            };
            Err(Problem {
                source: SourceText::new(name, ""),
                span: None,
                message: Message::SyntaxError {
                    message,
                    advice: String::new(),
                },
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
            "the file is UTF-16: convert it to UTF-8"
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
        for name in [
            "z.yaml",
            "a.json",
            "c.txt",
            "b/x.yml",
            ".aws/t.json",
            ".github/ecs/t.json",
            // Not read:
            ".hidden.json",
            ".git/t.json",
            ".github/.hidden/t.json",
            "out/y.yaml",
            "node_modules/p.json",
        ] {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "{apiVersion: v1, kind: Pod, taskDefinition: a}").unwrap();
        }
        for name in ["home/.aws/sso/cache/t.json", ".aws/token.json"] {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, r#"{"accessToken": "secret"}"#).unwrap();
        }
        let mut problems = Vec::new();
        let paths = [
            root.clone(),
            root.join("a.json"),
            root.join("missing.json"),
            root.join("c.txt"),
        ];
        let found = files(&paths, Some(&root.join("out")), &mut |problem| {
            problems.push(problem);
        });
        let names: Vec<_> = found
            .iter()
            .map(|file| file.path.strip_prefix(&root).unwrap().display().to_string())
            .collect();
        assert_eq!(
            names,
            [
                ".aws/t.json",
                ".github/ecs/t.json",
                "a.json",
                "b/x.yml",
                "z.yaml",
                "missing.json",
                "c.txt"
            ]
        );
        let folders: Vec<_> = found.iter().map(|file| file.folder).collect();
        let all = Some(0);
        assert_eq!(folders, [all, all, None, all, all, None, None]);
        assert_eq!(problems, []);
        let problem = text(&root.join("missing.json")).unwrap_err();
        assert_eq!(problem.message.reason().name(), "UnreadableFile");
        fs::remove_dir_all(&root).unwrap();
    }
}

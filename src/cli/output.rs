//! The output of objects: standard output, or one file per object.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::{Error, arguments::Format};
use crate::print::{self, Ordered};

/// The size of the buffer of standard output in bytes: each write is a call of the system.
const BUFFER: usize = 64 * 1024;

/// Writes objects one by one.
pub(super) enum Output {
    /// Standard output.
    Stream(Stream),
    /// A folder.
    Folder {
        /// The folder.
        path: PathBuf,
        /// The format.
        format: Format,
        /// The names of the files that were written.
        written: BTreeSet<OsString>,
    },
}

impl Output {
    /// Returns the requested output, after creating the folder.
    pub(super) fn new(folder: Option<&Path>, format: Format) -> Result<Self, Error> {
        let Some(path) = folder else {
            return Ok(Self::Stream(Stream {
                writer: io::BufWriter::with_capacity(BUFFER, io::stdout()),
                format,
                count: 0,
            }));
        };
        fs::create_dir_all(path).map_err(Error::writing(path))?;
        Ok(Self::Folder {
            path: path.to_owned(),
            format,
            written: BTreeSet::new(),
        })
    }

    /// Writes one object.
    pub(super) fn write(&mut self, object: &Printed) -> Result<(), Error> {
        match self {
            Self::Stream(stream) => stream.write(&object.text),
            Self::Folder {
                path,
                format,
                written,
            } => {
                written.insert(write_file(path, *format, object)?);
                Ok(())
            }
        }
    }

    /// Ends the output. Returns the names of other objects in the folder, which would be applied together with the
    /// written ones.
    pub(super) fn finish(&mut self) -> Result<Vec<String>, Error> {
        let (path, written) = match self {
            Self::Stream(stream) => return stream.finish().map(|()| Vec::new()),
            Self::Folder {
                path,
                format: _,
                written,
            } => (path, written),
        };
        let mut left = Vec::new();
        for entry in fs::read_dir(&path).map_err(Error::writing(&*path))? {
            let name = entry.map_err(Error::writing(&*path))?.file_name();
            let extension = Path::new(&name).extension().and_then(OsStr::to_str);
            if matches!(extension, Some("json" | "yaml" | "yml")) && !written.contains(&name) {
                left.push(name.to_string_lossy().into_owned());
            }
        }
        left.sort();
        Ok(left)
    }
}

/// An object as text.
pub(super) struct Printed {
    /// The name of its file without an extension.
    name: String,
    text: String,
}

impl Printed {
    pub(super) fn new(object: &Ordered, format: Format) -> Result<Self, print::Error> {
        let (kind, name) = object.identity();
        Ok(Self {
            name: format!("{name}-{}", kind.to_ascii_lowercase()),
            text: match format {
                Format::Yaml => print::yaml(object)?,
                Format::Json => print::json(object)?,
            },
        })
    }
}

/// Objects one after another: YAML documents, or the items of one JSON List.
pub(super) struct Stream {
    writer: io::BufWriter<io::Stdout>,
    format: Format,
    count: usize,
}

impl Stream {
    fn write(&mut self, text: &str) -> Result<(), Error> {
        let text = match self.format {
            Format::Yaml if self.count == 0 => Cow::Borrowed(text),
            Format::Yaml => Cow::Owned(format!("---\n{text}")),
            Format::Json => {
                let start = if self.count == 0 { LIST_START } else { ",\n" };
                Cow::Owned(format!("{start}    {}", text.replace('\n', "\n    ")))
            }
        };
        self.count += 1;
        self.writer
            .write_all(text.as_bytes())
            .map_err(Error::writing("standard output"))
    }

    fn finish(&mut self) -> Result<(), Error> {
        let end = match self.format {
            Format::Yaml => "",
            Format::Json if self.count == 0 => {
                "{\n  \"apiVersion\": \"v1\",\n  \"kind\": \"List\",\n  \"items\": []\n}\n"
            }
            Format::Json => "\n  ]\n}\n",
        };
        self.writer
            .write_all(end.as_bytes())
            .and_then(|()| self.writer.flush())
            .map_err(Error::writing("standard output"))
    }
}

const LIST_START: &str = "{\n  \"apiVersion\": \"v1\",\n  \"kind\": \"List\",\n  \"items\": [\n";

/// Writes `<name>-<kind>.yaml`, first under a temporary name, so that no partial object ever exists.
fn write_file(folder: &Path, format: Format, object: &Printed) -> Result<OsString, Error> {
    let Printed { name, text } = object;
    let (text, extension) = match format {
        Format::Yaml => (Cow::Borrowed(text), "yaml"),
        Format::Json => (Cow::Owned(format!("{text}\n")), "json"),
    };
    let file = format!("{name}.{extension}");
    let path = folder.join(&file);
    let unfinished = folder.join(format!(".{file}.unfinished"));
    write_new(&unfinished, &text)
        .and_then(|()| fs::rename(&unfinished, &path))
        .map_err(|error| {
            // Half an object is useless; report only the error of the write.
            let _left = fs::remove_file(&unfinished);
            Error::writing(path)(error)
        })?;
    Ok(file.into())
}

/// Writes a new file. A file that an earlier run left is removed; a link in its place would lead outside the folder.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::File::create_new(path)?.write_all(text.as_bytes())
}
